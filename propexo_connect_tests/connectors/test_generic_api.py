"""APIs described in YAML: in a connection, or in a spec file."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from propexo_connect.connection.parse import Connection, parse_connection
from propexo_connect.connection.problem import InvalidConnection
from propexo_connect.connection.secret import resolve_secrets
from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.base import JsonPage
from propexo_connect.model.errors import ConfigurationError, VendorFault
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect.simulators.api import ApiSimulator, DateRange, Route
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.styles import OffsetStyle
from propexo_connect.simulators.wire import Answer
from propexo_connect.simulators.wire import Request as Asked
from propexo_connect_tests.connectors.reading import unwrapped
from propexo_connect_tests.http.doubles import CANARY, NOON, ManualClock, Sync, everything_said

PLAN = """
  auth: {kind: bearer, token: "{api_key}"}
  records: data
  paging: {kind: offsets, size: 2, total: total}
  streams:
    properties: {path: /properties, key: id}
    leases:
      path: /leases
      key: id
      fields: id:int rent:money updatedAt:timestamp
      cursor: updatedAt
      filter: {kind: between, field: updatedAt, lower: from, upper: to, lookback: 2d}
    charges: {path: "/leases/{parent.id}/charges", key: id, parent: leases, add: {leaseId: "{parent.id}"}}
"""
REST = """
source:
  connector: rest
  url: ${ACME_URL}
  allow_private_addresses: true
  prove_filters: false
  secrets: {api_key: "${ACME_KEY}"}
%s
destination: {kind: duckdb, path: w.duckdb}
streams: "*"
"""


class Acme(ApiSimulator):
    """A vendor that no connector knows."""

    style = OffsetStyle(records="data", total="total", cap=2)
    routes = (
        Route("/v2/properties", "properties"),
        Route("/v2/leases", "leases", (DateRange("from", "to", "updatedAt"),)),
        Route("/v2/leases/{lease}/charges", "charges", of={"lease": "_lease"}, parents={"lease": "leases"}),
    )

    def refusal(self, request: Asked) -> Answer | None:
        return None if request.bearer == CANARY else self.refused(401, "no such key")


def population() -> Population:
    held = Population()
    for number in range(1, 6):
        held.insert("properties", {"id": str(number)})
        held.insert(
            "leases",
            {"id": number, "rent": 10.5, "updatedAt": f"2026-02-0{number}T00:00:00Z"},
            key=str(number),
        )
        held.insert("charges", {"id": number * 10, "_lease": number}, key=str(number))
    return held


def parsed(text: str) -> Connection:
    return parse_connection(text, name="acme", file=Path("acme.yaml"))


@contextmanager
def opened(text: str) -> Generator[tuple[Any, Sync, Acme]]:
    connection = parsed(text)
    connector = connection.connector
    assert isinstance(connector, ApiConnector)
    with Acme(population(), clock=ManualClock()) as acme:
        config: BaseModel = resolve_secrets(
            connection.source_config, {"ACME_URL": f"{acme.url}/v2", "ACME_KEY": CANARY, "LIST": "/leases"}
        )
        sync = Sync(ManualClock())
        with connector.open(config, sync.clock) as source:
            yield source, sync, acme


def read(source: Any, sync: Sync, name: str, request: Request = WHOLE) -> list[Any]:
    stream = next(one for one in source.discover() if one.name == name)
    found: list[Any] = []
    for page in source.read(stream, request, None, None, sync.context):
        assert isinstance(page, JsonPage)
        found += unwrapped(page)
    return found


def test_an_api_is_read_as_the_connection_describes_it() -> None:
    with opened(REST % PLAN) as (source, sync, _):
        assert len(read(source, sync, "properties")) == 5
        assert {record["leaseId"]: record["id"] for record in read(source, sync, "charges")} == {
            number: number * 10 for number in range(1, 6)
        }
        found = read(source, sync, "leases", Request(NOON.replace(month=2, day=3, hour=0), NOON))
        assert [record["id"] for record in found] == [3, 4, 5]


def test_the_engine_knows_what_the_plan_says() -> None:
    plans = {plan.stream.name: plan.stream for plan in parsed(REST % PLAN).plans}
    assert plans["leases"].key == ("id",)
    assert plans["leases"].cursor == "updatedAt"
    assert plans["charges"].parent == "leases"
    assert str(plans["leases"].fields[1].type) == "decimal(38,9)"


def test_a_plan_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    spec = tmp_path / "acme.spec.yaml"
    spec.write_text("\n".join(line.removeprefix("  ") for line in PLAN.splitlines()))
    with opened(REST % f"  spec: {spec}\n  page_size: 1") as (source, sync, acme):
        assert len(read(source, sync, "properties")) == 5
        assert acme.counts()["properties"] == 5


def test_values_of_the_plan_may_refer_to_the_environment() -> None:
    with opened(REST % PLAN.replace("path: /leases\n", "path: ${LIST}\n")) as (source, sync, _):
        assert len(read(source, sync, "leases")) == 5


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            PLAN.replace("lower: from", "lowr: from"),
            r"acme.yaml:19:49, source.streams.leases.filter.lowr: unknown field",
        ),
        (PLAN.replace("kind: offsets", "kind: offset"), r"source\.paging"),
        (PLAN.replace("parent: leases", "parent: lease"), "parent 'lease', which is no stream"),
        (PLAN.replace("{api_key}", "{apikey}"), "names that nothing stands for: .*{apikey}"),
        (PLAN.replace("rent:money", "rent:dollars"), "'dollars' is not a field type"),
    ],
)
def test_a_plan_that_does_not_hold_together_is_told_with_its_place(wrong: str, told: str) -> None:
    with pytest.raises((InvalidConnection, ConfigurationError), match=told):
        parsed(REST % wrong)


def test_secrets_of_the_plan_show_nowhere() -> None:
    with opened(REST % PLAN.replace('token: "{api_key}"', 'token: "{api_key}x"')) as (source, sync, _):
        with pytest.raises(Exception, match="answered 401") as caught:
            read(source, sync, "leases")
        said = everything_said(caught.value) + repr(source) + "".join(sync.lines)
    assert CANARY not in said


SOAP = """
source:
  connector: soap
  url: ${ACME_URL}
  allow_private_addresses: true
  secrets: {password: "${ACME_KEY}"}
  streams:
    units:
      path: /units.asmx
      key: Code
      records: "**.Unit"
      headers: {SOAPAction: "http://tempuri.org/GetUnits"}
      xml: "<Envelope><Body><GetUnits><Password>{password}</Password></GetUnits></Body></Envelope>"
destination: {kind: duckdb, path: w.duckdb}
streams: "*"
"""


class Soap(Acme):
    """One operation; what it was sent is kept."""

    reply = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><R>'
        b'<Unit Code="2B"><Rent>12.50</Rent><Phone>1</Phone><Phone>2</Phone></Unit></R></s:Body></s:Envelope>'
    )

    def special(self, request: Asked) -> Answer | None:  # noqa: ARG002 - one answer to all
        return Answer(200, self.reply, (("Content-Type", "text/xml"),))


def soap(reply: bytes) -> tuple[list[Any], Asked]:
    connection = parsed(SOAP)
    with Soap(population(), clock=ManualClock()) as vendor:
        vendor.reply = reply
        config = resolve_secrets(connection.source_config, {"ACME_URL": vendor.url, "ACME_KEY": "a<b&c"})
        sync = Sync(ManualClock())
        with connection.connector.open(config, sync.clock) as source:
            return read(source, sync, "units"), vendor.requests[-1]


def test_soap_is_asked_with_escaped_credentials_and_read_into_records() -> None:
    records, request = soap(Soap.reply)
    assert records == [{"Code": "2B", "Rent": "12.50", "Phone": ["1", "2"]}]
    assert b"<Password>a&lt;b&amp;c</Password>" in request.body
    assert (request.header("SOAPAction"), request.method) == ("http://tempuri.org/GetUnits", "POST")


@pytest.mark.parametrize(
    "reply",
    [
        b"<Envelope><Body><Fault><faultstring>no</faultstring></Fault></Body></Envelope>",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><R><Unit>&e;</Unit></R>',
        b"<R/>",
        b"{}",
        b"",
    ],
)
def test_a_fault_entities_and_what_is_no_xml_are_failures(reply: bytes) -> None:
    with pytest.raises(VendorFault):
        soap(reply)


def test_a_graphql_stream_needs_a_query() -> None:
    text = SOAP.replace("connector: soap", "connector: graphql").replace("      xml:", "      description:")
    with pytest.raises((InvalidConnection, ConfigurationError), match="has no `query`"):
        parsed(text)


def test_the_guides_example_is_a_connection() -> None:
    page = (Path(__file__).parents[2] / "docs" / "adding-a-connector.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert [plan.stream.name for plan in parsed(example).plans] == ["properties", "leases", "charges"]
