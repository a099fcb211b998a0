"""The HappyCo connector against an honest stand-in of HappyCo's API."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from propexo_connect.connectors.api.requests import bounds
from propexo_connect.connectors.api.source import ApiSource, selection
from propexo_connect.connectors.base import JsonPage, Source
from propexo_connect.connectors.catalogue import CONNECTORS
from propexo_connect.connectors.happyco import CREATED, HappyCoConfig, connector, plan
from propexo_connect.http.plan import ApiStream
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    Defect,
    PermissionRefused,
    RateLimited,
    UnknownName,
    Unreachable,
    VendorFault,
)
from propexo_connect.model.field import Kind
from propexo_connect.model.stream import Meaning, Stream
from propexo_connect.model.tile import WHOLE, Request, Tile, widen
from propexo_connect.simulators.faults import (
    EMPTY_BODY,
    Cut,
    Effect,
    Fault,
    Framing,
    Mutation,
    Reply,
    TruncatedGzip,
    WrongEncoding,
    WrongLength,
    graphql_errors,
    html_page,
    json_body,
    redirect,
    too_many_requests,
)
from propexo_connect.simulators.happyco import HappyCo, happyco_demo_population
from propexo_connect.simulators.happyco_records import (
    ACCOUNT_ID,
    account,
    building,
    inspection,
    location,
    member,
    member_key,
    unit,
    work_order,
)
from propexo_connect.simulators.population import Population
from propexo_connect_tests.http.doubles import CANARY, NOON, ManualClock, Sync, everything_said

DAY = timedelta(days=1)
LOGIN: Mapping[str, Any] = {"email": "sync@example.com", "password": "happy-demo-password"}


def small_population(inspections: int = 0, units: int = 0) -> Population:
    """One account and property, with inspections a minute apart, newest at noon."""
    population = Population()
    population.insert("account", account())
    elm = building("120", "Elm Court", created_at=NOON)
    population.insert("properties", elm)
    for number in range(units):
        population.insert("units", unit(f"u{number:04d}", f"Unit {number}", property_id="120"))
    for number in range(inspections):
        created_at = NOON - timedelta(minutes=number)
        population.insert(
            "inspections", inspection(f"i{number:04d}", created_at=created_at, at=location(elm, elm))
        )
    return population


class Reader:
    """A source opened on a simulator, with a sync to read in."""

    def __init__(self, source: Source, sync: Sync) -> None:
        self.source = source
        self.sync = sync

    def pages(
        self,
        name: str,
        request: Request = WHOLE,
        fields: frozenset[str] | None = None,
        position: str | None = None,
    ) -> Generator[JsonPage]:
        for page in self.source.read(stream(name), request, fields, position, self.sync.context):
            assert isinstance(page, JsonPage)
            yield page

    def records(self, name: str, request: Request = WHOLE, fields: frozenset[str] | None = None) -> list[Any]:
        return [record for page in self.pages(name, request, fields) for record in unwrapped(page)]


def unwrapped(page: JsonPage) -> list[Any]:
    elements = json.loads(page.records)
    return [element[page.unwrap] for element in elements] if page.unwrap else elements


def stream(name: str) -> Stream:
    found = connector.stream(HappyCoConfig(**LOGIN), name)
    assert found is not None
    return found


def spec(name: str) -> ApiStream:
    return plan(HappyCoConfig(**LOGIN)).stream(name)


def created_between(request: Request) -> dict[str, object]:
    """What a request is asked with, by its own names."""
    added = bounds(CREATED, request, {})
    assert added.at == "variables"
    return {name.removeprefix("filter."): value for name, value in added.values.items()}


@contextmanager
def reading(simulator: HappyCo, **settings: Any) -> Generator[Reader]:
    chosen: dict[str, Any] = {**({} if "client_id" in settings else LOGIN), **settings}
    defaults: dict[str, Any] = {
        "url": simulator.url,
        "allow_private_addresses": True,
        "prove_filters": False,
    }
    config = HappyCoConfig(**defaults | chosen)
    clock = simulator.clock
    assert isinstance(clock, ManualClock)
    with connector.open(config, clock) as source:
        yield Reader(source, Sync(clock))


@contextmanager
def happyco(population: Population | None = None, **settings: Any) -> Generator[HappyCo]:
    with HappyCo(population or small_population(), clock=ManualClock(), **settings) as simulator:
        yield simulator


# configuration


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"email": "pat@example.com"},
        {"password": "x"},
        {"client_id": "x"},
        {"email": "pat@example.com", "client_secret": "x"},
        {**LOGIN, "client_id": "x", "client_secret": "x"},
        {**LOGIN, "client_id": "x"},
    ],
)
def test_exactly_one_whole_login_is_asked_for(settings: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either email and password, or client_id and client_secret"):
        HappyCoConfig(**settings)


def test_secrets_do_not_show_in_the_configuration() -> None:
    config = HappyCoConfig(email="pat@example.com", password=SecretStr(CANARY))
    assert CANARY not in f"{config!r} {config} {config.model_dump_json()}"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in HappyCoConfig.model_fields.values())


@pytest.mark.parametrize("size", [0, 101])
def test_a_page_holds_1_to_100_records(size: int) -> None:
    with pytest.raises(ValidationError):
        HappyCoConfig(**LOGIN, page_size=size)


def test_an_unencrypted_address_needs_leave() -> None:
    config = HappyCoConfig(**LOGIN, url="http://externalgraph.happyco.com")
    with pytest.raises(ConfigurationError, match="not encrypted"), connector.open(config, ManualClock()):
        pass


def test_a_private_address_needs_leave() -> None:
    with (
        happyco() as simulator,
        reading(simulator, url="https://127.0.0.1:1", allow_private_addresses=False) as reader,
    ):
        with pytest.raises(ConfigurationError, match="is private"):
            reader.records("account")
        assert simulator.counts().total() == 0


# streams


def test_the_catalogue_has_the_connector() -> None:
    assert CONNECTORS["happyco"] is connector


def test_the_streams_are_those_of_the_vendor() -> None:
    found = {
        offered.name: (offered.key, offered.cursor) for offered in connector.streams(HappyCoConfig(**LOGIN))
    }
    assert found == {
        "account": (("id",), None),
        "properties": (("id",), None),
        "units": (("id",), None),
        "inspections": (("id",), None),
        "work_orders": (("id",), "updatedAt"),
        "members": (("account.id", "user.id"), "updatedAt"),
    }
    assert stream("units").parent == "properties"


def test_there_is_no_stream_of_another_name() -> None:
    assert connector.stream(HappyCoConfig(**LOGIN), "vendors") is None


def test_key_and_cursor_are_declared_fields() -> None:
    for offered in connector.streams(HappyCoConfig(**LOGIN)):
        types = {field.name: field.type.kind for field in offered.fields}
        assert all(types[name] is Kind.TEXT for name in offered.key)
        assert offered.cursor is None or types[offered.cursor] is Kind.TIMESTAMP


def test_only_creation_can_be_filtered_so_changes_are_looked_back_for() -> None:
    config = HappyCoConfig(**LOGIN, lookback="45d", full_every="never")  # type: ignore[arg-type]
    filters = {offered.name: offered.filter for offered in connector.streams(config) if offered.filter}
    assert set(filters) == {"inspections", "work_orders"}
    for found in filters.values():
        assert (found.field, found.meaning) == ("createdAt", Meaning.CREATED)
        assert (found.lower, found.upper, found.resolution) == (True, True, timedelta(seconds=1))
        assert (found.lookback, found.full_every) == (timedelta(days=45), None)


def test_by_default_a_month_is_looked_back_and_a_week_passes_between_full_reads() -> None:
    found = stream("inspections").filter
    assert found is not None
    assert (found.lookback, found.full_every) == (30 * DAY, 7 * DAY)


# the query


def test_only_what_is_selected_is_asked_for_and_always_key_cursor_and_filter_field() -> None:
    assert selection(spec("work_orders"), frozenset({"summary"})) == "id summary createdAt updatedAt"


def test_a_part_of_a_nested_field_asks_for_the_nested_field() -> None:
    found = selection(spec("inspections"), frozenset({"locationV2.property.id"}))
    assert found == "id locationV2 { id name property { id name } }"


def test_an_assignee_is_asked_for_through_its_concrete_types() -> None:
    found = selection(spec("work_orders"), frozenset({"assignedTo.email"}))
    assert "... on WorkOrderAssigneeUser { __typename id name email type }" in found
    assert "... on WorkOrderAssigneeVendor { __typename id name email type }" in found


def test_members_are_asked_for_by_the_parts_of_their_key() -> None:
    found = selection(spec("members"), frozenset({"isActive"}))
    assert (
        found == "account { id name } user { id email name shortName createdAt updatedAt } isActive updatedAt"
    )


def test_lists_are_asked_for_in_an_order_that_only_grows_at_the_front() -> None:
    assert "orderBy: [CREATED_AT_DESC]" in spec("inspections").query


def test_a_second_more_is_asked_for_at_both_ends() -> None:
    assert created_between(Request(NOON, NOON + DAY)) == {
        "createdAfter": "2026-03-02T11:59:59Z",
        "createdBefore": "2026-03-03T12:00:01Z",
    }
    assert created_between(WHOLE) == {}
    assert created_between(Request(None, NOON)) == {"createdBefore": "2026-03-02T12:00:01Z"}


# reading


def test_every_record_of_every_stream_is_read_once() -> None:
    with happyco(happyco_demo_population(7, NOON)) as simulator, reading(simulator) as reader:
        for offered in connector.streams(HappyCoConfig(**LOGIN)):
            found = [key_of(offered, record) for record in reader.records(offered.name)]
            assert sorted(found) == sorted(simulator.truth(offered.name)), offered.name


def key_of(offered: Stream, record: Any) -> Any:
    parts = tuple(at(record, name) for name in offered.key)
    return parts[0] if len(parts) == 1 else parts


def at(record: Any, name: str) -> Any:
    for step in name.split("."):
        record = None if record is None else record[step]
    return record


def test_every_declared_field_is_found_in_the_records() -> None:
    with happyco(happyco_demo_population(7, NOON)) as simulator, reading(simulator) as reader:
        for offered in connector.streams(HappyCoConfig(**LOGIN)):
            records = reader.records(offered.name)
            for field in offered.fields:
                assert any(at(record, field.name) is not None for record in records), field.name


def test_every_field_of_the_records_is_declared() -> None:
    with happyco(happyco_demo_population(7, NOON)) as simulator, reading(simulator) as reader:
        for offered in connector.streams(HappyCoConfig(**LOGIN)):
            declared = {field.name for field in offered.fields}
            assert {name for record in reader.records(offered.name) for name in record} <= declared


def test_records_are_handed_on_as_the_vendor_wrote_them() -> None:
    population = small_population()
    population.insert(
        "inspections",
        inspection("i1", created_at=NOON, name="Großer Umzug ☂", score=41.5, scheduled_for="2026-03-02"),
    )
    with happyco(population) as simulator, reading(simulator) as reader:
        page = next(reader.pages("inspections"))
        assert page.unwrap == "node"
        assert '"name":"Großer Umzug ☂"'.encode() in page.records
        assert b'"score":41.5' in page.records
        assert page.read_at == NOON


def test_only_selected_fields_come() -> None:
    with happyco(small_population(inspections=1)) as simulator, reading(simulator) as reader:
        assert reader.records("inspections", fields=frozenset({"status"})) == [
            {"id": "i0000", "status": "SCHEDULED"}
        ]


@pytest.mark.parametrize("includes_bounds", [True, False])
def test_a_tile_gets_every_record_created_in_it_whether_bounds_are_included_or_not(
    includes_bounds: bool,
) -> None:
    with (
        happyco(small_population(inspections=60), includes_bounds=includes_bounds) as simulator,
        reading(simulator) as reader,
    ):
        start, end = NOON - timedelta(minutes=20), NOON - timedelta(minutes=10)
        bare = created_between(Request(start, end))
        assert (bare["createdAfter"], bare["createdBefore"]) == (
            "2026-03-02T11:39:59Z",
            "2026-03-02T11:50:01Z",
        )
        found = {record["id"] for record in reader.records("inspections", Request(start, end))}
        assert {f"i{number:04d}" for number in range(10, 21)} <= found
        assert len(found) <= 13


def test_the_look_back_reaches_changed_records_behind_the_tile() -> None:
    found = stream("work_orders").filter
    assert found is not None
    request = widen(Tile(NOON - DAY, NOON), found)
    population = small_population()
    population.insert("work_orders", work_order("w1", created_at=NOON - 29 * DAY, updated_at=NOON))
    with happyco(population) as simulator, reading(simulator) as reader:
        assert [record["id"] for record in reader.records("work_orders", request)] == ["w1"]


def test_pages_are_followed_and_an_empty_list_is_an_end() -> None:
    with happyco(small_population(inspections=205)) as simulator, reading(simulator) as reader:
        sizes = [len(unwrapped(page)) for page in reader.pages("inspections")]
        assert sizes == [100, 100, 5]
        assert reader.records("work_orders") == []
        assert simulator.counts()["workOrders"] == 1


def test_a_read_is_taken_up_behind_the_last_stored_page() -> None:
    """New records only move the front of the list."""
    population = small_population(inspections=25)
    with happyco(population) as simulator, reading(simulator, page_size=10) as reader:
        first = next(reader.pages("inspections"))
        population.insert("inspections", inspection("new", created_at=NOON + timedelta(minutes=1)))
        rest = [
            record["id"]
            for page in reader.pages("inspections", position=first.position)
            for record in unwrapped(page)
        ]
    assert rest == [f"i{number:04d}" for number in range(10, 25)]
    assert stream("inspections").resumable


def test_the_last_page_has_no_position_and_other_streams_have_none_at_all() -> None:
    with happyco(small_population(inspections=15)) as simulator, reading(simulator, page_size=10) as reader:
        assert [page.position is None for page in reader.pages("inspections")] == [False, True]
    with happyco(happyco_demo_population(7, NOON)) as simulator, reading(simulator, page_size=5) as reader:
        assert all(page.position is None for name in ("properties", "members") for page in reader.pages(name))


def test_units_are_read_property_by_property_and_name_their_property() -> None:
    population = small_population(units=205)
    population.insert("properties", building("121", "Harbor Point", created_at=NOON))
    population.insert("properties", building("122", "Empty Lot", created_at=NOON))
    population.insert("units", unit("h1", "Penthouse", property_id="121"))
    with happyco(population) as simulator, reading(simulator) as reader:
        records = reader.records("units")
        assert {record["id"]: record["propertyId"] for record in records} == {
            key: record["propertyId"] for key, record in simulator.truth("units").items()
        }
        assert set(records[0]) == {"id", "name", "propertyId"}
        assert (simulator.counts()["properties"], simulator.counts()["units"]) == (1, 5)


def test_no_more_properties_are_asked_at_once_than_set() -> None:
    with (
        happyco(happyco_demo_population(7, NOON), latency=timedelta(milliseconds=5)) as simulator,
        reading(simulator, in_flight=3) as reader,
    ):
        reader.records("units")
        assert 1 < simulator.most_in_flight <= 3


def test_a_property_that_vanishes_meanwhile_has_no_units() -> None:
    population = small_population(units=3)
    gone = Fault(Mutation(lambda: population.vanish("properties", "120")), operation="units")
    with happyco(population, faults=[gone]) as simulator, reading(simulator) as reader:
        assert reader.records("units") == []


def test_inactive_members_are_read_too() -> None:
    population = small_population()
    gone = member("88", "Pat Rivers", of=account(), created_at=NOON - 9 * DAY, inactivated_at=NOON - DAY)
    population.insert("members", gone, key=member_key(gone))
    with happyco(population) as simulator, reading(simulator) as reader:
        assert [(at(record, "user.id"), record["isActive"]) for record in reader.records("members")] == [
            ("88", False)
        ]


def test_requests_and_bytes_are_counted() -> None:
    with happyco(small_population(inspections=205)) as simulator, reading(simulator) as reader:
        sizes = [page.size_bytes for page in reader.pages("inspections")]
        cost = reader.sync.context.meter.cost
        assert cost.request_count == len(sizes) + 1
        assert cost.bytes_read > sum(sizes)


def test_a_stream_that_does_not_exist_is_refused() -> None:
    with (
        happyco() as simulator,
        reading(simulator) as reader,
        pytest.raises(UnknownName, match="no stream 'vendors'"),
    ):
        next(iter(reader.source.read(Stream("vendors"), WHOLE, None, None, reader.sync.context)))


def test_the_streams_need_no_preparation_and_have_no_integer_axis() -> None:
    with happyco() as simulator, reading(simulator) as reader:
        assert reader.source.prepare(stream("units")) == stream("units")
        assert tuple(reader.source.discover()) == connector.streams(HappyCoConfig(**LOGIN))
        assert simulator.counts().total() == 0
        with pytest.raises(Defect):
            reader.source.upper_bound(stream("units"))


# logging in


def test_all_streams_share_one_login() -> None:
    with happyco(happyco_demo_population(7, NOON)) as simulator, reading(simulator) as reader:
        for offered in connector.streams(HappyCoConfig(**LOGIN)):
            reader.records(offered.name)
        assert simulator.counts()["login"] == 1


def test_the_login_carries_no_authorization() -> None:
    with happyco() as simulator, reading(simulator) as reader:
        reader.records("account")
        assert simulator.requests_for("login")[0].bearer is None


def test_a_plugin_logs_in_with_its_client_id() -> None:
    plugin = {"client_id": "happy-demo-client", "client_secret": "happy-demo-secret"}
    with happyco() as simulator, reading(simulator, **plugin) as reader:
        assert len(reader.records("account")) == 1
        assert simulator.counts()["pluginLogin"] == 1


def test_the_form_of_a_plugins_login_can_be_set() -> None:
    """Its exact form is not public."""
    mutation = (
        "mutation($id: String!, $secret: String!) "
        "{ log: login(input: {email: $id, password: $secret}) { token } }"
    )
    plugin = {"client_id": LOGIN["email"], "client_secret": LOGIN["password"], "plugin_login": mutation}
    with happyco() as simulator, reading(simulator, **plugin, account_id=ACCOUNT_ID) as reader:
        assert len(reader.records("account")) == 1


def test_a_token_is_renewed_before_it_ends() -> None:
    """The expiry is text of epoch milliseconds."""
    with happyco() as simulator, reading(simulator) as reader:
        reader.records("account")
        reader.sync.clock.advance(56 * 60)
        reader.records("account")
        assert simulator.counts()["login"] == 2
        assert all(exchange.status == 200 for exchange in simulator.exchanges)


@pytest.mark.parametrize("refuses_tokens_by", ["401", "403", "errors"])
def test_a_token_that_dies_in_the_middle_is_renewed_and_no_page_is_lost(refuses_tokens_by: str) -> None:
    with (
        happyco(
            small_population(inspections=95), token_uses=3, refuses_tokens_by=refuses_tokens_by
        ) as simulator,
        reading(simulator, page_size=10) as reader,
    ):
        found = [record["id"] for record in reader.records("inspections")]
        assert found == [f"i{number:04d}" for number in range(95)]
        assert simulator.counts()["login"] == 4


def test_wrong_credentials_are_tried_once_for_all_streams() -> None:
    with happyco() as simulator, reading(simulator, password=CANARY) as reader:
        for name in ("account", "properties", "units", "inspections"):
            with pytest.raises(CredentialsRefused, match="Check the credentials") as caught:
                reader.records(name)
            assert CANARY[:8] not in everything_said(caught.value) + "".join(reader.sync.lines)
        assert simulator.counts() == {"login": 1}


@pytest.mark.parametrize("refuses_tokens_by", ["401", "errors"])
def test_a_token_that_is_never_accepted_ends_after_one_renewal(refuses_tokens_by: str) -> None:
    with (
        happyco(token_uses=0, refuses_tokens_by=refuses_tokens_by) as simulator,
        reading(simulator) as reader,
    ):
        with pytest.raises(CredentialsRefused):
            reader.records("account")
        assert simulator.counts() == {"login": 2, "account": 2}


def businesses(*ids: str) -> Reply:
    expires_at = str(int((NOON + DAY).timestamp() * 1000))
    login = {"token": "happyco-token-0000", "expiresAt": expires_at, "accessibleBusinessIds": list(ids)}
    return json_body({"data": {"login": login}})


def test_a_login_that_reaches_several_accounts_needs_a_choice() -> None:
    with (
        happyco(faults=[Fault(businesses("12", "4102"), operation="login")]) as simulator,
        reading(simulator) as reader,
        pytest.raises(ConfigurationError, match=r"can reach 2 accounts \(12, 4102\).*account_id"),
    ):
        reader.records("account")


def test_a_login_that_reaches_no_account_says_so() -> None:
    with (
        happyco(faults=[Fault(businesses(), operation="login")]) as simulator,
        reading(simulator) as reader,
        pytest.raises(ConfigurationError, match="can reach 0 accounts"),
    ):
        reader.records("account")


def test_the_chosen_account_is_the_one_asked_for() -> None:
    with (
        happyco() as simulator,
        reading(simulator, account_id="999") as reader,
        pytest.raises(PermissionRefused),
    ):
        reader.records("properties")


# access


def test_checking_asks_each_stream_for_one_record() -> None:
    with happyco(happyco_demo_population(7, NOON)) as simulator, reading(simulator) as reader:
        offered = reader.source.discover()
        access = reader.source.check(offered)
        assert [(found.stream, found.problem) for found in access] == [(one.name, None) for one in offered]
        assert len(simulator.served("inspections")) == 1
        assert len(simulator.served("properties")) <= 1


def test_checking_tells_the_problem_of_one_stream_and_goes_on() -> None:
    refusal = Fault(graphql_errors("not allowed", code="FORBIDDEN"), operation="memberships", times=None)
    with happyco(faults=[refusal]) as simulator, reading(simulator) as reader:
        access = {found.stream: found for found in reader.source.check(reader.source.discover())}
        assert [name for name, found in access.items() if not found.is_granted] == ["members"]
        assert "administrator" in str(access["members"].problem)


def test_checking_with_wrong_credentials_asks_once() -> None:
    with happyco() as simulator, reading(simulator, password=CANARY) as reader:
        access = reader.source.check(reader.source.discover())
        assert len(access) == 6
        assert all("Check the credentials" in str(found.problem) for found in access)
        assert simulator.counts() == {"login": 1}


# faults

PASSING: dict[str, tuple[Effect, ...]] = {
    "429": (too_many_requests(2),),
    "429 with a date": (too_many_requests(NOON + timedelta(seconds=20)),),
    "429 without a word": (too_many_requests(),),
    "500": (Reply(500),),
    "503": (Reply(503),),
    "408": (Reply(408),),
    "cut": (Cut(30),),
    "reset": (Cut(30, reset=True),),
    "cut head": (Cut(30, of="response"),),
    "cut while chunked": (Framing("chunked"), Cut(30)),
    "cut without a length": (Framing("close"), Cut(30)),
    "length too large": (WrongLength(50),),
    "length too small": (WrongLength(-20),),
    "truncated gzip": (TruncatedGzip(20),),
    "wrong encoding": (WrongEncoding(),),
    "HTML": (html_page(),),
    "empty": (EMPTY_BODY,),
    "error object": (json_body({"error": "down"}),),
    "list": (json_body([]),),
    "null data": (json_body({"data": None}),),
    "null account": (json_body({"data": {"account": None}}),),
    "errors": (graphql_errors("Internal server error", code="INTERNAL_SERVER_ERROR"),),
    "page without its end": (json_body({"data": {"account": {"inspections": {"edges": []}}}}),),
}


@pytest.mark.parametrize("effects", PASSING.values(), ids=PASSING.keys())
def test_a_passing_fault_loses_and_doubles_nothing(effects: tuple[Effect, ...]) -> None:
    fault = Fault(*effects, operation="inspections", first=2, times=2)
    with (
        happyco(small_population(inspections=35), faults=[fault]) as simulator,
        reading(simulator, page_size=10) as reader,
    ):
        found = [record["id"] for record in reader.records("inspections")]
        assert found == [f"i{number:04d}" for number in range(35)]
        assert simulator.faults.pending() == ()
        assert len(reader.sync.lines) == 2


@pytest.mark.parametrize("effects", PASSING.values(), ids=PASSING.keys())
def test_a_fault_that_does_not_pass_is_an_error_and_not_an_end(effects: tuple[Effect, ...]) -> None:
    fault = Fault(*effects, operation="inspections", first=2, times=None)
    with (
        happyco(small_population(inspections=35), faults=[fault]) as simulator,
        reading(simulator, page_size=10) as reader,
    ):
        pages = reader.pages("inspections")
        next(pages)
        with pytest.raises((VendorFault, Unreachable, RateLimited)):
            next(pages)


def test_a_pause_of_a_day_ends_the_read_as_rate_limited() -> None:
    fault = Fault(too_many_requests(86_400), operation="inspections", times=None)
    with happyco(faults=[fault]) as simulator, reading(simulator) as reader, pytest.raises(RateLimited):
        reader.records("inspections")
    assert simulator.counts()["inspections"] == 1


def more_at(cursor: str) -> Reply:
    """A page that names this cursor of the next one."""
    found = {"pageInfo": {"hasNextPage": True, "endCursor": cursor}, "edges": []}
    return json_body({"data": {"account": {"inspections": found}}})


@pytest.mark.parametrize("cursors", [("a", "a"), ("a", "b", "a")])
def test_a_cursor_that_does_not_move_is_an_error(cursors: tuple[str, ...]) -> None:
    faults = [
        Fault(more_at(cursor), operation="inspections", first=number)
        for number, cursor in enumerate(cursors, start=1)
    ]
    with (
        happyco(faults=faults) as simulator,
        reading(simulator) as reader,
        pytest.raises(VendorFault, match="the page cursor does not move"),
    ):
        reader.records("inspections")


def test_more_without_a_cursor_is_an_error() -> None:
    fault = Fault(more_at(""), operation="inspections", times=None)
    with (
        happyco(faults=[fault]) as simulator,
        reading(simulator) as reader,
        pytest.raises(VendorFault, match="more and not where"),
    ):
        reader.records("inspections")


def test_a_redirect_takes_no_token_with_it() -> None:
    with happyco() as other, happyco() as simulator, reading(simulator) as reader:
        simulator.script(Fault(redirect(other.url), operation="inspections"))
        with pytest.raises(ConfigurationError, match="a redirect"):
            reader.records("inspections")
        assert other.counts().total() == 0


def test_two_accounts_in_one_process_share_no_token() -> None:
    with happyco() as one, happyco() as other, reading(one) as first, reading(other) as second:
        other.tokens.issue()
        first.records("account")
        second.records("account")
        first.records("properties")
        bearers = [{request.bearer for request in simulator.requests} for simulator in (one, other)]
        assert bearers == [{None, "happyco-token-0001"}, {None, "happyco-token-0002"}]


def echoing(build: Callable[[str], Reply]) -> Reply:
    return build(f"{CANARY} was refused for sync@example.com")


@pytest.mark.parametrize(
    "effects",
    [
        *PASSING.values(),
        (echoing(graphql_errors),),
        (echoing(lambda text: graphql_errors(text, code="UNAUTHENTICATED")),),
        (echoing(lambda text: graphql_errors(text, code="GRAPHQL_VALIDATION_FAILED")),),
        (echoing(lambda text: json_body({"password": text}, 400)),),
        (echoing(lambda text: json_body({"password": text}, 403)),),
    ],
)
@pytest.mark.parametrize("operation", ["login", "inspections"])
def test_no_fault_tells_password_or_token(effects: tuple[Effect, ...], operation: str) -> None:
    fault = Fault(*effects, operation=operation, times=None)
    with happyco(small_population(inspections=3), faults=[fault]) as simulator:
        object.__setattr__(simulator.credentials, "password", CANARY)
        with reading(simulator, password=CANARY) as reader, pytest.raises(ConnectError) as caught:
            reader.records("inspections")
        said = everything_said(caught.value) + "\n".join(reader.sync.lines)
        said += "".join(str(found.problem) for found in reader.source.check(reader.source.discover()))
    for secret in (CANARY[:8], "happyco-token", "sync@example.com"):
        assert secret not in said


def test_a_source_does_not_show_its_credentials() -> None:
    config = HappyCoConfig(email="pat@example.com", password=SecretStr(CANARY))
    source = ApiSource(plan(config), config, ManualClock())
    assert CANARY not in repr(source)


def test_a_cancelled_sync_stops_between_pages() -> None:
    with happyco(small_population(inspections=50)) as simulator, reading(simulator, page_size=10) as reader:
        pages = reader.pages("inspections")
        next(pages)
        reader.sync.context.stop.set()
        with pytest.raises(ConnectError, match="cancelled"):
            next(pages)
        assert simulator.counts()["inspections"] == 1


def test_the_clock_of_the_sync_is_the_only_one() -> None:
    """`read_at` and the token's age follow the clock that was handed in."""
    with happyco() as simulator, reading(simulator) as reader:
        reader.sync.clock.advance(3600)
        (page,) = reader.pages("account")
        moment: datetime = page.read_at
        assert moment == NOON + timedelta(hours=1)
