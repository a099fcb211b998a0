"""The Stripe connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.stripe import connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.ledger import Reading
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.stripe import CONNECTED, KEY, simulation
from propexo_connect_tests.connectors.landing import Landing, every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON, ManualClock

DAY = timedelta(days=1)
YESTERDAY = Tile(NOON - DAY, NOON)
CHILDREN = {"payout_lines", "payment_methods", "invoice_lines"}


@pytest.fixture
def stripe() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def names() -> list[str]:
    return [stream.name for stream in connector.streams(connector.config(api_key="x"))]  # type: ignore[call-arg]


def own(reader: Reader, name: str) -> dict[Any, Any]:
    """What the account itself has, without the connected one's."""
    truth = reader.simulator.truth(name)
    oldest = (NOON - 30 * DAY).timestamp()
    return {
        key: record
        for key, record in truth.items()
        if "_account" not in record and (name != "events" or record["created"] >= oldest)  # type: ignore[operator]
    }


@pytest.mark.parametrize("name", [name for name in names() if name not in CHILDREN])
def test_every_record_of_a_stream_is_read_once(stripe: Reader, name: str) -> None:
    """Each page of at most a hundred takes one request; of events there are those of 30 days."""
    assert stripe.keys(name) == sorted((str(key),) for key in own(stripe, name))
    assert stripe.simulator.counts()[name] == max(1, -(-len(own(stripe, name)) // 100))


def test_every_value_lands_in_its_declared_type(stripe: Reader, tmp_path: Path) -> None:
    every_stream_lands(stripe, tmp_path)


def test_children_are_read_through_their_parents(stripe: Reader) -> None:
    assert len(stripe.records("payment_methods")) == 12
    assert stripe.simulator.counts()["payment_methods"] == 12
    assert len(stripe.records("invoice_lines")) == 230
    assert len({record["id"] for record in stripe.records("invoice_lines")}) == 230
    assert all(record["invoice_id"].startswith("in_") for record in stripe.records("invoice_lines"))


def test_lines_are_asked_for_automatic_payouts_only(stripe: Reader) -> None:
    """The vendor refuses to say what a manual payout holds."""
    found = stripe.records("payout_lines")
    assert {record["payout_id"] for record in found} == {
        f"po_{number:04d}" for number in range(1, 13) if number != 2
    }
    assert stripe.simulator.counts()["payout_lines"] == 12


def test_changes_come_from_the_events_of_a_kind(stripe: Reader) -> None:
    stripe.tile("charges", YESTERDAY)
    (request,) = stripe.simulator.requests
    assert request.path == "/v1/events"
    assert {value for name, value in request.query if name == "types[]"} == {
        "charge.captured", "charge.expired", "charge.failed", "charge.pending", "charge.refunded",
        "charge.succeeded", "charge.updated",
    }  # fmt: skip
    assert dict(request.query)["created[gte]"] == str(int((NOON - DAY).timestamp()) - 3600)


def test_a_charge_that_changed_lands_as_it_is_now(stripe: Reader) -> None:
    """Events show what a charge was each time; only its newest state is taken."""
    found = stripe.tile("charges", Tile(NOON - 25 * DAY, NOON - 20 * DAY))
    assert len({record["id"] for record in found}) == len(found) > 5
    held = own(stripe, "charges")
    for record in found:
        now = held[record["id"]]
        assert (record["refunded"], record["disputed"]) == (now["refunded"], now["disputed"])
    assert any(record["refunded"] for record in found)
    assert any(held[record["id"]]["created"] < (NOON - 30 * DAY).timestamp() for record in found), (
        "an old charge that changed lately is among them"
    )


def test_an_old_charge_that_is_refunded_changes_in_the_next_sync(tmp_path: Path) -> None:
    """Two events of a minute; the newer one is what the charge is."""
    clock = ManualClock()
    with reading(connector, simulation, clock=clock) as reader:
        landing = Landing(reader, tmp_path)
        landing.sync("charges")
        held = reader.simulator.population
        charge = next(record for record in own(reader, "charges").values() if not record["refunded"])
        for minute, refunded in ((30, False), (31, True)):
            at = NOON + timedelta(minutes=minute)
            changed = {**charge, "refunded": refunded, "amount_refunded": charge["amount"] if refunded else 1}
            event = {"id": f"evt_9{minute}", "object": "event", "created": int(at.timestamp()),
                     "type": "charge.refunded", "data": {"object": changed}}  # fmt: skip
            held.insert("events", event, key=f"evt_9{minute}")
        clock.advance(3600)
        result = landing.sync("charges", reading=Reading.RECURRING)["charges"]
        assert (result.counts.changed, result.counts.new) == (1, 0)
        sql = f"select refunded, amount_refunded from landing.charges where id = '{charge['id']}'"
        assert landing.rows(sql) == [(True, charge["amount"])]


def test_a_refund_that_changes_is_no_charge(stripe: Reader) -> None:
    """charge.refund.updated and charge.dispute.created show other objects than charges."""
    assert {record["object"] for record in stripe.tile("charges", Tile(NOON - 29 * DAY, NOON))} == {"charge"}
    assert {record["object"] for record in stripe.tile("disputes", Tile(NOON - 29 * DAY, NOON))} == {
        "dispute"
    }


def test_beyond_thirty_days_objects_are_listed_by_creation(stripe: Reader) -> None:
    stripe.tile("charges", Tile(NOON - 60 * DAY, NOON - 31 * DAY))
    (request,) = stripe.simulator.requests
    assert request.path == "/v1/charges"
    asked = dict(request.query)
    assert int(asked["created[lte]"]) <= (NOON - 31 * DAY).timestamp() + 1
    assert set(asked) == {"limit", "created[gte]", "created[lte]"}


def test_a_full_read_comes_due_before_a_pause_outlasts_the_events(stripe: Reader) -> None:
    given = stripe.stream("charges").filter
    assert given is not None
    assert given.full_every is not None
    assert given.full_every + given.lookback < 30 * DAY


def test_open_balance_transactions_are_looked_back_to(stripe: Reader) -> None:
    """They have no events, and turn from pending to available."""
    stripe.tile("balance_transactions", YESTERDAY)
    (request,) = stripe.simulator.requests
    assert dict(request.query)["created[gte]"] == str(int((NOON - 31 * DAY).timestamp()))


def test_cancelled_subscriptions_are_not_left_out(stripe: Reader) -> None:
    assert sum(record["status"] == "canceled" for record in stripe.records("subscriptions")) == 3


def test_only_the_lines_of_invoices_that_changed_are_read(stripe: Reader) -> None:
    changed = stripe.tile("invoices", Tile(NOON - 20 * DAY, NOON))
    lines = stripe.tile("invoice_lines", Tile(NOON - 20 * DAY, NOON))
    assert 0 < len(changed) < 30
    assert {record["invoice_id"] for record in lines} == {record["id"] for record in changed}


def test_moments_are_instants_and_money_is_whole(stripe: Reader) -> None:
    record = stripe.records("charges")[0]
    assert record["created"].endswith("Z")
    assert isinstance(record["amount"], int)


def test_client_secrets_and_birth_dates_stay_with_the_vendor(stripe: Reader) -> None:
    assert not any("client_secret" in record for record in stripe.records("payment_intents"))
    assert not any("client_secret" in record["data"]["object"] for record in stripe.records("events"))
    assert not any("dob" in record["individual"] for record in stripe.records("accounts"))
    with reading(connector, simulation, reveal=("payment_intents.client_secret",)) as reader:
        assert all("client_secret" in record for record in reader.records("payment_intents"))


def test_connected_accounts_are_read_each_and_named_in_their_records() -> None:
    with reading(connector, simulation, accounts=(CONNECTED,)) as reader:
        found = reader.records("charges")
        assert {record["stripe_account"] for record in found} == {CONNECTED}
        assert len(found) == 10
        lines = reader.records("invoice_lines")
        assert len(lines) == 20
        assert {record["stripe_account"] for record in lines} == {CONNECTED}
        sent = {request.header("Stripe-Account") for request in reader.simulator.requests}
        assert sent == {CONNECTED}
        reader.tile("charges", YESTERDAY)
        assert reader.simulator.requests[-1].header("Stripe-Account") == CONNECTED


def test_the_key_is_a_bearer_and_headers_without_a_value_are_left_out(stripe: Reader) -> None:
    stripe.records("products")
    (request,) = stripe.simulator.requests
    assert request.header("Authorization") == f"Bearer {KEY}"
    assert request.header("Stripe-Account") is None
    assert request.header("Stripe-Version") is None
    with reading(connector, simulation, version="2026-01-01") as reader:
        reader.records("products")
        assert reader.simulator.requests[0].header("Stripe-Version") == "2026-01-01"


def test_a_wrong_key_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, api_key="rk_wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("charges")


def test_no_more_requests_a_second_are_sent_than_allowed() -> None:
    with reading(connector, simulation, in_flight=1) as reader:
        reader.records("invoice_lines")
        assert reader.simulator.counts().total() > 100
        assert not any(exchange.status == 429 for exchange in reader.simulator.exchanges)


def test_a_lock_timeout_is_repeated(stripe: Reader) -> None:
    body = b'{"error":{"type":"invalid_request_error","code":"lock_timeout"}}'
    stripe.simulator.script(Fault(Reply(429, body=body), operation="products", times=2))
    assert len(stripe.records("products")) == 3


def test_the_simulator_refuses_what_the_vendor_refuses(stripe: Reader) -> None:
    with httpx.Client(base_url=f"{stripe.simulator.url}/v1", auth=(KEY, "")) as talking:
        assert talking.get("/charges?limit=101").status_code == 400
        assert talking.get("/charges?starting_after=ch_none").status_code == 400
        assert talking.get("/charges?updated[gte]=1").status_code == 400
        assert talking.get("/charges?created[gte]=2026-01-01").status_code == 400
        assert talking.get("/balance_transactions?payout=po_0002").status_code == 400
        assert talking.get("/charges", headers={"Stripe-Account": "acct_none"}).status_code == 403
        assert len(talking.get("/charges").json()["data"]) == 10
        assert len(talking.get("/subscriptions?limit=100").json()["data"]) == 9
        error = talking.get("/charges", auth=("wrong", "")).json()["error"]
        assert set(error) == {"type", "message"}
