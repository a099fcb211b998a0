"""The kit answers the truth, breaks it as scripted, and keeps an honest ledger of what it served."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from propexo_connect.simulators.faults import (
    EMPTY_BODY,
    Cut,
    Delay,
    Drip,
    Effect,
    Fault,
    Framing,
    Mutation,
    Reply,
    TruncatedGzip,
    WrongEncoding,
    WrongLength,
    html_page,
    redirect,
    too_many_requests,
)
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect_tests.simulators.acme import NOON, Acme, HandClock, once, two_units
from propexo_connect_tests.simulators.acme import client as connect

UNITS = [{"id": "1", "name": "1A"}, {"id": "2", "name": "1B"}]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def acme(clock: HandClock) -> Iterator[Acme]:
    with Acme(two_units(), clock=clock) as running:
        yield running


@pytest.fixture
def client(acme: Acme) -> Iterator[httpx.Client]:
    with connect(acme.url) as talking:
        yield talking


def test_the_truth_is_answered_and_entered_in_the_ledger(acme: Acme, client: httpx.Client) -> None:
    assert client.get("/units").json() == UNITS
    assert list(acme.served("units").values()) == UNITS
    assert acme.servings("units")[0].at == NOON


def test_the_ledger_knows_the_newest_version_served_and_the_population_the_truth(
    acme: Acme, client: httpx.Client
) -> None:
    client.get("/units")
    acme.population.update("units", "1", {"name": "A1"})
    assert acme.served("units")["1"]["name"] == "1A"
    assert acme.truth("units")["1"]["name"] == "A1"
    client.get("/units")
    assert acme.served("units")["1"]["name"] == "A1"
    assert [version.number for version in acme.served_versions("units", "1")] == [1, 2]


def test_a_late_record_is_answered_once_the_clock_has_reached_it(
    acme: Acme, client: httpx.Client, clock: HandClock
) -> None:
    acme.population.insert("units", {"id": "3"}, visible_at=NOON + timedelta(seconds=90))
    assert len(client.get("/units").json()) == 2
    clock.advance(timedelta(seconds=90))
    assert len(client.get("/units").json()) == 3


def test_connections_are_kept_alive(client: httpx.Client) -> None:
    def port() -> int:
        stream = client.get("/units").extensions["network_stream"]
        return cast("tuple[str, int]", stream.get_extra_info("client_addr"))[1]

    assert port() == port()


def test_a_client_may_ask_for_the_connection_to_end(client: httpx.Client) -> None:
    assert client.get("/units", headers={"Connection": "close"}).headers["connection"] == "close"


def test_everything_that_was_sent_is_in_the_log(acme: Acme, client: httpx.Client) -> None:
    client.post("/echo?page=2&tag=&tag=b%20c", content=b"hello", headers={"Authorization": "Bearer secret-1"})
    received = acme.requests[0]
    assert (received.method, received.path, received.body) == ("POST", "/echo", b"hello")
    assert received.query == (("page", "2"), ("tag", ""), ("tag", "b c"))
    assert received.header("authorization") == "Bearer secret-1"
    assert received.bearer == "secret-1"


def test_a_logged_request_does_not_show_its_secrets(acme: Acme, client: httpx.Client) -> None:
    client.post("/echo?key=secret-2", content=b"secret-3", headers={"Authorization": "Bearer secret-1"})
    assert "secret" not in repr(acme.requests[0])


def test_a_request_body_sent_in_chunks_is_read(client: httpx.Client) -> None:
    assert client.post("/echo", content=iter([b"one ", b"two"])).content == b"one two"


def test_requests_are_counted_by_operation(acme: Acme, client: httpx.Client) -> None:
    for path in ("/units", "/leases", "/units"):
        client.get(path)
    assert acme.counts() == {"units": 2, "leases": 1}
    assert acme.counts().total() == 3
    assert len(acme.requests_for("units")) == 2


def test_requests_on_several_connections_are_served_at_once(acme: Acme) -> None:
    together = threading.Barrier(3, timeout=5)
    acme.script(Fault(Mutation(together.wait), times=3))
    threads = [threading.Thread(target=once, args=("GET", acme.url, "/units")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert acme.most_in_flight == 3


def test_a_scripted_status_comes_with_its_headers_and_serves_nothing(
    acme: Acme, client: httpx.Client
) -> None:
    acme.script(Fault(too_many_requests(2)))
    refused = client.get("/units")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert acme.served("units") == {}
    assert acme.exchanges[0].status == 429
    assert client.get("/units").json() == UNITS


@pytest.mark.parametrize("reply", [html_page(), EMPTY_BODY, Reply(500, body=b"oops")])
def test_a_replaced_body_serves_nothing(acme: Acme, client: httpx.Client, reply: Reply) -> None:
    acme.script(Fault(reply))
    answered = client.get("/units")
    assert (answered.status_code, answered.content) == (reply.status, reply.body)
    assert acme.served("units") == {}


def test_a_redirect_names_any_place(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(redirect("http://127.0.0.1:1/elsewhere", 307)))
    answered = client.get("/units")
    assert (answered.status_code, answered.headers["location"]) == (307, "http://127.0.0.1:1/elsewhere")


def test_the_vendor_may_change_between_two_requests(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(Mutation(lambda: acme.population.vanish("units", "1")), first=2))
    assert [len(client.get("/units").json()) for _ in range(3)] == [2, 1, 1]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", [Cut(0, of="response"), Cut(20, of="response"), Cut(0), Cut(10)])
def test_a_cut_answer_fails_and_serves_nothing(
    acme: Acme, client: httpx.Client, cut: Cut, reset: bool
) -> None:
    acme.script(Fault(Cut(cut.at_byte, cut.of, reset)))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.get("/units")
    assert acme.served("units") == {}


def test_a_cut_past_the_last_byte_leaves_the_answer_whole(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(Cut(10_000)))
    assert client.get("/units").json() == UNITS
    assert len(acme.served("units")) == 2


def test_an_answer_in_chunks_is_whole(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(Framing("chunked"), times=2))
    assert [client.get("/units").json(), client.get("/empty").json()] == [UNITS, []]
    assert len(acme.served("units")) == 2


def test_chunks_that_end_early_serve_nothing(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(Framing("chunked"), Cut(10)))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/units")
    assert acme.served("units") == {}


def test_without_a_length_a_cut_body_looks_whole_but_is_not_served(acme: Acme, client: httpx.Client) -> None:
    """The fault that a client can only find by reading the content."""
    acme.script(Fault(Framing("close"), Cut(10)))
    assert len(client.get("/units").content) == 10
    assert acme.served("units") == {}


def test_a_length_that_promises_too_much_fails(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(WrongLength(5)))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/units")
    assert acme.served("units") == {}


def test_a_length_that_promises_too_little_cuts_the_body(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(WrongLength(-5)))
    whole = len(b'[{"id":"1","name":"1A"},{"id":"2","name":"1B"}]')
    assert len(client.get("/units").content) == whole - 5
    assert acme.served("units") == {}


def test_a_truncated_gzip_body_passes_unnoticed_and_is_not_served(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(TruncatedGzip(20)))
    answered = client.get("/units")
    assert answered.headers["content-encoding"] == "gzip"
    assert len(answered.content) < 40
    assert acme.served("units") == {}


def test_a_whole_gzip_body_is_served(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(TruncatedGzip(0)))
    assert client.get("/units").json() == UNITS
    assert len(acme.served("units")) == 2


def test_a_plain_body_that_calls_itself_gzip_fails(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(WrongEncoding()))
    with pytest.raises(httpx.DecodingError):
        client.get("/units")
    assert acme.served("units") == {}


def test_a_dripping_answer_arrives_whole(acme: Acme, client: httpx.Client) -> None:
    acme.script(Fault(Drip(chunk_bytes=10, pause_s=0.001)))
    assert client.get("/units").json() == UNITS
    assert len(acme.served("units")) == 2


@pytest.mark.parametrize("before", ["head", "body"])
def test_silence_outlasts_a_client_and_serves_nothing(acme: Acme, before: str) -> None:
    acme.script(Fault(Delay(30, before="head" if before == "head" else "body")))
    with pytest.raises(httpx.ReadTimeout):
        once("GET", acme.url, "/units", timeout=0.05)
    assert acme.served("units") == {}


def test_closing_does_not_wait_for_a_pause_under_way(acme: Acme) -> None:
    acme.script(Fault(Delay(30)))
    with pytest.raises(httpx.ReadTimeout):
        once("GET", acme.url, "/units", timeout=0.05)
    started = time.monotonic()
    acme.close()
    assert time.monotonic() - started < 2


def test_latency_is_added_to_every_answer(clock: HandClock) -> None:
    with Acme(two_units(), clock=clock, latency=timedelta(milliseconds=30)) as acme:
        started = time.monotonic()
        once("GET", acme.url, "/units")
        assert time.monotonic() - started >= 0.03


def test_a_closed_simulator_refuses_connections(clock: HandClock) -> None:
    with Acme(two_units(), clock=clock) as acme:
        url = acme.url
    with pytest.raises(httpx.ConnectError):
        once("GET", url, "/units")


def test_a_mutation_may_take_the_simulator_down(acme: Acme, client: httpx.Client) -> None:
    closed = threading.Event()

    def take_down() -> None:
        acme.close()
        closed.set()

    acme.script(Fault(Mutation(take_down)))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.get("/units")
    assert closed.wait(5)


@pytest.mark.parametrize(
    "sent", [b"not http at all\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / SPDY/3\r\n\r\n"]
)
def test_what_is_not_http_is_told_so(acme: Acme, sent: bytes) -> None:
    port = int(acme.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(sent)
        assert raw.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_a_defect_of_a_simulator_is_told_to_the_client_and_to_the_test(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[threading.ExceptHookArgs] = []
    heard = threading.Event()

    def hook(args: threading.ExceptHookArgs) -> None:
        raised.append(args)
        heard.set()

    monkeypatch.setattr(threading, "excepthook", hook)
    assert client.get("/defect").status_code == 500
    assert heard.wait(5)
    assert isinstance(cast("RuntimeError", raised[0].exc_value).__cause__, ZeroDivisionError)


EFFECTS: st.SearchStrategy[Effect] = st.one_of(
    st.sampled_from([Reply(500), html_page(), EMPTY_BODY, WrongEncoding()]),
    st.builds(Drip, chunk_bytes=st.integers(1, 40), pause_s=st.just(0.0)),
    st.builds(
        Cut, at_byte=st.integers(0, 200), of=st.sampled_from(["body", "response"]), reset=st.booleans()
    ),
    st.builds(Framing, st.sampled_from(["length", "chunked", "close"])),
    st.builds(WrongLength, by=st.integers(-10, 10)),
    st.builds(TruncatedGzip, missing_bytes=st.integers(0, 30)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EFFECTS, max_size=3))
def test_whatever_goes_wrong_only_what_a_client_could_read_counts_as_served(
    acme: Acme, client: httpx.Client, effects: list[Effect]
) -> None:
    before = len(acme.servings())
    acme.script(Fault(*effects))
    try:
        content = client.get("/units").content
    except httpx.TransportError:
        content = b""
    except httpx.DecodingError:
        content = b""
    was_served = len(acme.servings()) > before
    assert not was_served or content == b'[{"id":"1","name":"1A"},{"id":"2","name":"1B"}]'


def test_a_token_runs_out_by_time(clock: HandClock) -> None:
    tokens = TokenIssuer(clock, lifetime=timedelta(minutes=5))
    token = tokens.issue()
    clock.advance(timedelta(minutes=4, seconds=59))
    assert tokens.admits(token.value)
    clock.advance(timedelta(seconds=1))
    assert not tokens.admits(token.value)


def test_a_token_runs_out_by_use(clock: HandClock) -> None:
    tokens = TokenIssuer(clock, lifetime=timedelta(hours=1), uses=2)
    token = tokens.issue()
    assert [tokens.admits(token.value) for _ in range(3)] == [True, True, False]


def test_revoked_and_unknown_tokens_are_refused(clock: HandClock) -> None:
    tokens = TokenIssuer(clock, lifetime=timedelta(hours=1))
    token = tokens.issue()
    tokens.revoke_all()
    assert not tokens.admits(token.value)
    assert not tokens.admits("made up")
    assert not tokens.admits(None)
    assert tokens.issued_count == 1
