"""An SFTP server on 127.0.0.1, in a thread, over one folder of this machine."""

import io
import os
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "ann", "canary-secret"


@dataclass
class SftpServer:
    """A server that runs.

    Args:
        host_key: the line by which it is known. user_key: a private key that it accepts, as text.
    """

    port: int
    host_key: str
    user_key: str
    refused: set[str]
    """Names of folders and files that it does not let anybody read."""


class _Login(paramiko.ServerInterface):
    def __init__(self, key: paramiko.PKey) -> None:
        self._key = key

    def check_auth_password(self, username: str, password: str) -> int:
        is_right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED  # type: ignore[attr-defined]

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        is_right = username == USER and key.get_base64() == self._key.get_base64()
        return paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED  # type: ignore[attr-defined]

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return paramiko.OPEN_SUCCEEDED  # type: ignore[attr-defined]


class _Handle(paramiko.SFTPHandle):
    readfile: Any

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, root: Path, refused: set[str]) -> None:
        super().__init__(server)
        self._root = root
        self._refused = refused

    def _real(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def canonicalize(self, path: str) -> str:
        resolved = self._real(path).resolve()
        return (
            "/" + str(resolved.relative_to(self._root)) if resolved.is_relative_to(self._root) else "/outside"
        )

    def list_folder(self, path: str) -> Any:
        try:
            if Path(path).name in self._refused:
                raise PermissionError(13, "refused")
            found: list[paramiko.SFTPAttributes] = []
            for entry in sorted(self._real(path).iterdir()):
                facts = paramiko.SFTPAttributes.from_stat(entry.lstat())
                facts.filename = entry.name
                found.append(facts)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return found

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def lstat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).lstat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: Any) -> Any:  # noqa: ARG002
        if flags & (os.O_WRONLY | os.O_RDWR) or Path(path).name in self._refused:
            return paramiko.SFTP_PERMISSION_DENIED  # type: ignore[attr-defined]
        try:
            file = self._real(path).open("rb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        handle = _Handle(flags)
        handle.readfile = file
        return handle


@contextmanager
def sftp_server(root: Path) -> Generator[SftpServer]:
    """A server over this folder, which is its `/`."""
    host_key, user_key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    refused: set[str] = set()
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transports.append(transport)
            transport.add_server_key(host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, root.resolve(), refused)
            try:
                transport.start_server(server=_Login(user_key))
            except (paramiko.SSHException, EOFError):
                continue  # a client that did not like our key

    threading.Thread(target=serve, daemon=True).start()
    text = _text_of(user_key)
    line = f"{host_key.get_name()} {host_key.get_base64()}"
    try:
        yield SftpServer(listener.getsockname()[1], line, text, refused)
    finally:
        listener.close()
        for transport in transports:
            transport.close()


def _text_of(key: paramiko.PKey) -> str:
    text = io.StringIO()
    key.write_private_key(text)
    return text.getvalue()
