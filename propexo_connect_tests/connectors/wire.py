"""Ports that nobody answers, and connections that break."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def cut_after(port: int, limit: int) -> Generator[int]:
    """A port that forwards to the server and cuts each connection once so many bytes came back."""
    listener = socket.create_server(("127.0.0.1", 0))

    def forward(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:

            def upwards() -> None:
                try:
                    while piece := client.recv(65536):
                        server.sendall(piece)
                except OSError:
                    return

            threading.Thread(target=upwards, daemon=True).start()
            left = limit
            while left > 0 and (piece := server.recv(min(65536, left))):
                client.sendall(piece)
                left -= len(piece)
            # Closing alone would wait for the other thread's recv.
            client.shutdown(socket.SHUT_RDWR)
            server.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=forward, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
