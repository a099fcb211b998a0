"""The transport on real sockets."""

import socket
import ssl
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.http.limits import Deadline
from propexo_connect.http.transport import DEADLINE, DirectTransport
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.errors import ConfigurationError, Unreachable
from propexo_connect_tests.http.doubles import (
    CANARY,
    ManualClock,
    RawServer,
    everything_said,
    http,
    raw_server,
)

CLOCK = SystemClock()


@contextmanager
def opened(**settings: object) -> Generator[DirectTransport]:
    transport = DirectTransport(**{"clock": CLOCK, "allow_private_addresses": True, **settings})  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        transport.close()


def get(
    transport: DirectTransport,
    url: str,
    clock: Clock = CLOCK,
    seconds: float = 5,
    headers: dict[str, str] | None = None,
) -> bytes:
    deadline = Deadline(clock, timedelta(seconds=seconds))
    request = httpx.Request("GET", url, headers=headers, extensions={DEADLINE: deadline})
    response = transport.handle_request(request)
    try:
        return b"".join(response.stream)  # type: ignore[arg-type]
    finally:
        response.close()


def test_one_connection_serves_many_requests() -> None:
    with raw_server(http(b"one"), http(b"two"), http(b""), http(b"four")) as server, opened() as transport:
        assert [get(transport, server.url) for _ in range(4)] == [b"one", b"two", b"", b"four"]
        assert server.connection_count == 1


def test_the_request_is_written_as_it_was_meant() -> None:
    with raw_server(http(b"ok")) as server, opened() as transport:
        get(transport, f"{server.url}/records?after=a%20b&limit=5", headers={"X-Key": "k"})
    head = server.received[0].split(b"\r\n")
    assert head[0] == b"GET /records?after=a%20b&limit=5 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert b"X-Key: k" in head


def test_a_chunked_answer_is_put_together() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    with raw_server(chunked) as server, opened() as transport:
        assert get(transport, server.url) == b"abcdefg"
        assert get(transport, server.url) == b"abcdefg"
        assert server.connection_count == 1


def test_an_answer_that_ends_with_the_connection_is_taken_and_the_connection_dropped() -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\n\r\nabc" + RawServer.CLOSE) as server, opened() as transport:
        assert get(transport, server.url) == b"abc"
        assert get(transport, server.url) == b"abc"
        assert server.connection_count == 2


def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    with raw_server(http(b"one") + RawServer.CLOSE, http(b"two")) as server, opened() as transport:
        assert get(transport, server.url) == b"one"
        assert server.has_closed.wait(5)
        assert get(transport, server.url) == b"two"
        assert server.connection_count == 2


def test_a_connection_with_unread_bytes_is_not_used_again() -> None:
    """Bytes beyond the announced length would be taken for the next answer."""
    with raw_server(http(b"one") + http(b"forged"), http(b"two")) as server, opened() as transport:
        assert get(transport, server.url) == b"one"
        assert get(transport, server.url) == b"two"


def test_a_chunked_answer_that_breaks_off_is_an_error() -> None:
    cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc" + RawServer.CLOSE
    with (
        raw_server(cut) as server,
        opened() as transport,
        pytest.raises(Unreachable, match="cut off") as caught,
    ):
        get(transport, server.url)
    assert "abc" not in everything_said(caught.value)


def test_a_connection_without_an_answer_is_an_error() -> None:
    with (
        raw_server(None) as server,
        opened() as transport,
        pytest.raises(Unreachable, match="before an answer"),
    ):
        get(transport, server.url)


def test_an_answer_that_is_not_http_is_an_error_and_is_not_quoted() -> None:
    with (
        raw_server(CANARY.encode() + b"\r\n\r\n" + RawServer.CLOSE) as server,
        opened() as transport,
        pytest.raises(Unreachable, match="before an answer") as caught,
    ):
        get(transport, server.url)
    assert CANARY not in everything_said(caught.value)


def test_a_port_where_nobody_listens_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        opened() as transport,
        pytest.raises(Unreachable, match="cannot be connected to: Connection refused"),
    ):
        get(transport, f"http://127.0.0.1:{port}")


def test_a_head_that_drips_past_the_deadline_is_given_up() -> None:
    """Each line arrives in time; the clock of the whole request does not wait for that."""
    clock = ManualClock(tick_s=1.0)
    head = b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 50
    with (
        raw_server(head) as server,
        opened(clock=clock) as transport,
        pytest.raises(Unreachable, match="no whole answer within 3 s"),
    ):
        get(transport, server.url, clock=clock, seconds=3)


def test_silence_past_the_deadline_is_given_up() -> None:
    with (
        raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc") as server,
        opened() as transport,
        pytest.raises(Unreachable, match="too long"),
    ):
        get(transport, server.url, seconds=0.05)


def test_a_header_with_a_line_break_is_refused_without_showing_it() -> None:
    with raw_server(http(b"")) as server, opened() as transport:
        with pytest.raises(ConfigurationError, match="header X-Key contains a line break") as caught:
            get(transport, server.url, headers={"X-Key": f"{CANARY}\n"})
        assert server.received == []
    assert CANARY[:8] not in everything_said(caught.value)


def test_a_private_address_is_refused_before_anything_is_sent() -> None:
    with raw_server(http(b"ok")) as server, opened(allow_private_addresses=False) as transport:
        with pytest.raises(
            ConfigurationError, match=r"127\.0\.0\.1 is private.*allow_private_addresses: true"
        ):
            get(transport, server.url)
        assert server.connection_count == 0


@pytest.mark.parametrize("host", ["2130706433", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1"])
def test_a_private_address_is_refused_in_every_spelling(host: str) -> None:
    with (
        opened(allow_private_addresses=False) as transport,
        pytest.raises(ConfigurationError, match="is private"),
    ):
        get(transport, f"https://{host}/")


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name that answers differently the second time is asked only once."""
    asked: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with raw_server(http(b"ok")) as server, opened(resolver=resolver) as transport:
        assert get(transport, f"http://vendor.test:{server.port}") == b"ok"
    assert asked == ["vendor.test"]
    assert f"Host: vendor.test:{server.port}".encode() in server.received[0]


def test_of_several_addresses_the_refused_ones_are_passed_over() -> None:
    with (
        raw_server(http(b"ok")) as server,
        opened(resolver=lambda *_: ["169.254.169.254", "127.0.0.1"]) as transport,
    ):
        assert get(transport, f"http://vendor.test:{server.port}") == b"ok"


def test_a_name_that_does_not_exist_is_an_error() -> None:
    def resolver(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with opened(resolver=resolver) as transport, pytest.raises(Unreachable, match="cannot be resolved"):
        get(transport, "https://vendor.test")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of vendor.test, with its key in the same file."""
    folder = tmp_path_factory.mktemp("certificate")
    both = folder / "both.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "2", "-subj", "/CN=vendor.test", "-addext", "subjectAltName=DNS:vendor.test"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


@contextmanager
def encrypted_server(certificate: Path, names: list[str | None]) -> Generator[RawServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with raw_server(http(b"ok"), wrap=lambda link: context.wrap_socket(link, server_side=True)) as server:
        yield server


def test_the_certificate_is_checked_for_the_name_although_a_number_is_connected_to(certificate: Path) -> None:
    names: list[str | None] = []
    trusting = ssl.create_default_context(cafile=certificate)
    with (
        encrypted_server(certificate, names) as server,
        opened(resolver=lambda *_: ["127.0.0.1"], ssl_context=trusting) as transport,
    ):
        assert get(transport, f"https://vendor.test:{server.port}") == b"ok"
        assert get(transport, f"https://vendor.test:{server.port}") == b"ok"
    assert names == ["vendor.test"]


def test_a_certificate_of_another_name_is_terminal(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    with (
        encrypted_server(certificate, []) as server,
        opened(resolver=lambda *_: ["127.0.0.1"], ssl_context=trusting) as transport,
        pytest.raises(ConfigurationError, match="certificate is not trusted: Hostname mismatch"),
    ):
        get(transport, f"https://other.test:{server.port}")


def test_an_untrusted_certificate_is_terminal(certificate: Path) -> None:
    with (
        encrypted_server(certificate, []) as server,
        opened(resolver=lambda *_: ["127.0.0.1"]) as transport,
        pytest.raises(ConfigurationError, match="certificate is not trusted: self-signed"),
    ):
        get(transport, f"https://vendor.test:{server.port}")


def test_encryption_where_there_is_none_is_terminal() -> None:
    def speak_plainly(link: socket.socket) -> socket.socket:
        link.sendall(http(b"plain"))
        return link

    with (
        raw_server(http(b"plain"), wrap=speak_plainly) as server,
        opened() as transport,
        pytest.raises(ConfigurationError, match="encryption cannot be agreed on"),
    ):
        get(transport, f"https://127.0.0.1:{server.port}")
