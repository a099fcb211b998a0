"""A proxy before a PostgreSQL server that cuts the connection at a commit."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

_COMMIT = b"COMMIT"


class CutAtCommit:
    """Forwards everything; once armed, the next COMMIT is the last thing that its connection carries.

    Args:
        reaches: whether that COMMIT still gets to the server, whose reply is then dropped.
    """

    def __init__(self, url: str, *, reaches: bool) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 5432)
        self._reaches = reaches
        self._is_armed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        credentials = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()

    def arm(self) -> None:
        """Cut at the next commit."""
        self._is_armed = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            pipe = _Pipe(client, socket.create_connection(self._target))
            threading.Thread(target=self._up, args=(pipe,), daemon=True).start()
            threading.Thread(target=_down, args=(pipe,), daemon=True).start()

    def _up(self, pipe: "_Pipe") -> None:
        with suppress(OSError):
            while chunk := pipe.client.recv(65536):
                if self._is_armed and _COMMIT in chunk:
                    self._is_armed = False
                    pipe.is_silenced = True  # before the server can answer
                    if self._reaches:
                        pipe.server.sendall(chunk)
                        pipe.has_answered.wait(10)
                    break
                pipe.server.sendall(chunk)
        pipe.cut()


@dataclass
class _Pipe:
    client: socket.socket
    server: socket.socket
    is_silenced: bool = False
    has_answered: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        # A mere close would leave the connection open while the other thread still reads from it.
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _down(pipe: _Pipe) -> None:
    with suppress(OSError):
        while chunk := pipe.server.recv(65536):
            if pipe.is_silenced:
                pipe.has_answered.set()
                return
            pipe.client.sendall(chunk)
    pipe.cut()
