"""One mail to a server on loopback that speaks SMTP as it is told to."""

import socket
import ssl
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

from propexo_connect.connection.endpoints import EmailConfig, endpoint_config
from propexo_connect.events.outcome import Outcome, Verdict
from propexo_connect.events.receivers import Email
from propexo_connect.model.clock import SystemClock
from propexo_connect_tests.certificates import Certificates, certificates
from propexo_connect_tests.events.kit import endpoint, message

CLOCK = SystemClock()


@dataclass
class MailServer:
    """What a server on loopback answers by the first word of each command, and what it was told."""

    port: int
    answers: Mapping[str, str]
    context: ssl.SSLContext
    is_tls: bool
    commands: list[str] = field(default_factory=list[str])
    mail: str = ""

    def converse(self, link: socket.socket) -> None:
        """One session."""
        if self.is_tls:
            link = self.context.wrap_socket(link, server_side=True)
        link.sendall(b"220 ready\r\n")
        lines = link.makefile("rb")
        while line := lines.readline().decode().strip():
            word = line.split()[0].upper()
            self.commands.append(f"{word} encrypted" if isinstance(link, ssl.SSLSocket) else word)
            offer = "250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS" if word == "EHLO" else "250 fine"
            link.sendall(f"{self.answers.get(word, offer)}\r\n".encode())
            if word == "STARTTLS":
                link = self.context.wrap_socket(link, server_side=True)
                lines = link.makefile("rb")
            if word == "DATA" and self.answers["DATA"].startswith("354"):
                while (text := lines.readline().decode()) != ".\r\n":
                    self.mail += text
                link.sendall(b"250 taken\r\n")
            if word == "QUIT":
                return


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for 127.0.0.1."""
    return certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def mail_server(
    made: Certificates, answers: Mapping[str, str] = MappingProxyType({}), *, is_tls: bool = False
) -> Generator[MailServer]:
    """A mail server for one session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    listener = socket.create_server(("127.0.0.1", 0))
    usual = {"STARTTLS": "220 go on", "DATA": "354 go on", "AUTH": "235 welcome", "QUIT": "221 bye"}
    server = MailServer(listener.getsockname()[1], {**usual, **answers}, context, is_tls)

    def serve() -> None:
        try:
            link = listener.accept()[0]
            link.settimeout(5)
            server.converse(link)
        except OSError:
            return  # nobody came, or they hung up

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # whoever waits in accept holds the port otherwise
        listener.close()
        thread.join(5)


def send(server: MailServer, made: Certificates, **content: str) -> Outcome:
    written = {
        "kind": "email", "host": "127.0.0.1", "port": str(server.port), "from": "connect@example.org",
        "to": "ops@example.org", "allow_private_addresses": "true", **content,
    }  # fmt: skip
    given = endpoint("ops", **written)
    config = endpoint_config(given, {"PASSWORD": "hunter2"})
    assert isinstance(config, EmailConfig)
    trusting = ssl.create_default_context(cafile=str(made.ca))
    failed = message(7, "sync.failed", '{"error": "the key was refused"}')
    return Email(config, trusting).send(failed, CLOCK.now())


def test_a_mail_goes_out_encrypted_and_names_the_event(made: Certificates) -> None:
    with mail_server(made) as server:
        outcome = send(server, made, user="me", password="${PASSWORD}")
    assert outcome == Outcome(Verdict.DELIVERED, 250)
    assert server.commands[:4] == ["EHLO", "STARTTLS", "EHLO encrypted", "AUTH encrypted"]
    assert "Subject: [propexo-connect] acme.units: a sync has failed" in server.mail
    assert "Message-ID: <evt_7@example.org>" in server.mail
    assert "the key was refused" in server.mail


def test_a_server_can_be_encrypted_from_the_first_byte(made: Certificates) -> None:
    with mail_server(made, is_tls=True) as server:
        assert send(server, made, security="tls").verdict is Verdict.DELIVERED
    assert server.commands[0] == "EHLO encrypted"


def test_without_encryption_nothing_is_said(made: Certificates) -> None:
    with mail_server(made, {"STARTTLS": "454 not now"}) as server:
        outcome = send(server, made, user="me", password="${PASSWORD}")
    assert outcome.verdict is Verdict.AGAIN
    assert "AUTH" not in " ".join(server.commands)
    assert server.mail == ""


def test_a_certificate_that_nobody_vouches_for_is_refused(made: Certificates, tmp_path: Path) -> None:
    other = certificates(tmp_path)
    with mail_server(made) as server:
        outcome = send(server, other)
    assert outcome.verdict is Verdict.AGAIN
    assert "certificate" in str(outcome.problem)


@pytest.mark.parametrize(
    ("word", "answer", "code"),
    [
        ("AUTH", "535 no hunter2", 535),
        ("RCPT", "550 nobody", 550),
        ("MAIL", "451 later", 451),
        ("DATA", "554 no", 554),
    ],
)
def test_a_refusal_is_tried_again_and_told_by_its_code_alone(
    made: Certificates, word: str, answer: str, code: int
) -> None:
    with mail_server(made, {word: answer}) as server:
        outcome = send(server, made, user="me", password="${PASSWORD}")
    assert (outcome.verdict, outcome.status) == (Verdict.AGAIN, code)
    assert "hunter2" not in str(outcome.problem)


def test_a_private_server_is_not_connected_to_unless_the_endpoint_allows_it(made: Certificates) -> None:
    with mail_server(made) as server:
        outcome = send(server, made, allow_private_addresses="false")
    assert "private" in str(outcome.problem)
    assert server.commands == []


def test_nobody_there_is_tried_again(made: Certificates) -> None:
    with mail_server(made) as server:
        pass
    outcome = send(server, made)
    assert outcome.verdict is Verdict.AGAIN
    assert "does not answer" in str(outcome.problem)
