"""HappyCo's simulator keeps to what is publicly known of HappyCo's API."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.simulators.faults import Fault, Mutation, Reply, too_many_requests
from propexo_connect.simulators.happyco import HappyCo
from propexo_connect.simulators.happyco_records import (
    ACCOUNT_ID,
    Reference,
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
from propexo_connect_tests.simulators.acme import NOON, HandClock, client, once

MINUTE = timedelta(minutes=1)

LOGIN = "mutation ($i: LoginInput!) { login(input: $i) { token expiresAt accessibleBusinessIds } }"
PLUGIN_LOGIN = "mutation PluginLogin($i: PluginLoginInput!) { pluginLogin(input: $i) { token expiresAt } }"
INSPECTIONS = """
query ($account: ID!, $first: Int, $after: String, $filter: AccountInspectionFilter) {
  account(accountId: $account) {
    inspections(first: $first, after: $after, filter: $filter, orderBy: [CREATED_AT_DESC]) {
      count pageInfo { hasNextPage endCursor } edges { cursor node { id name } }
    }
  }
}"""
UNITS = """
query ($account: ID!, $filter: AccountPropertiesFilter, $first: Int, $after: String) {
  account(accountId: $account) {
    properties(filter: $filter) { edges { node {
      units(first: $first, after: $after) {
        count pageInfo { hasNextPage endCursor } edges { cursor node { id name } }
      }
    } } }
  }
}"""
MEMBERS = """
query ($account: ID!, $filter: AccountMembershipFilter) {
  account(accountId: $account) { memberships(filter: $filter) {
    edges { node { isActive user { id email } roles(first: 1) { nodes { name } } } }
  } }
}"""
WORK_ORDERS = """
query ($account: ID!, $filter: AccountWorkOrderFilter) {
  account(accountId: $account) { workOrders(filter: $filter) { edges { node {
    id assignedTo {
      ... on WorkOrderAssigneeUser { __typename id email }
      ... on WorkOrderAssigneeVendor { __typename name }
    }
  } } } }
}"""


class Reader:
    """A client that logs in and asks; `errors` are the messages of the last answer."""

    def __init__(self, server: HappyCo) -> None:
        self._server = server
        self._client = client(server.url)
        self.errors: list[str] = []

    def close(self) -> None:
        self._client.close()

    def post(self, query: str, **variables: object) -> httpx.Response:
        return self._client.post("/", json={"query": query, "variables": variables})

    def ask(self, query: str, **variables: object) -> Any:
        answer = self.post(query, account=ACCOUNT_ID, **variables)
        assert answer.status_code == 200
        body = answer.json()
        self.errors = [error["message"] for error in body.get("errors", ())]
        return (body["data"] or {}).get("account")

    def log_in(self) -> None:
        known = self._server.credentials
        answer = self.post(LOGIN, i={"email": known.email, "password": known.password})
        self.hold(answer.json()["data"]["login"]["token"])

    def hold(self, token: str) -> None:
        self._client.headers["Authorization"] = f"Bearer {token}"

    def ids(self, **filters: object) -> list[str]:
        found = self.ask(INSPECTIONS, filter=filters)["inspections"]
        return [edge["node"]["id"] for edge in found["edges"]]

    def walk(self, first: int) -> list[str]:
        """The ids of every page, page after page."""
        ids: list[str] = []
        after = ""
        while True:
            page = self.ask(INSPECTIONS, first=first, after=after)["inspections"]
            ids.extend(edge["node"]["id"] for edge in page["edges"])
            if not page["pageInfo"]["hasNextPage"]:
                return ids
            after = page["pageInfo"]["endCursor"]


def small_town(inspections: int = 5) -> Population:
    """Two properties with two units each, an inspection a minute until noon, and two work orders."""
    population = Population()
    own = account()
    population.insert("account", own)
    elm = building("120", "Elm Court", created_at=NOON)
    population.insert("properties", elm)
    population.insert("properties", building("121", "Birch Row", created_at=NOON))
    units = [
        unit(f"550{number}", f"Unit {number}", property_id=str(120 + number // 2)) for number in range(4)
    ]
    for one in units:
        population.insert("units", one)
    for number in range(inspections):
        population.insert(
            "inspections",
            inspection(
                str(7301 + number),
                created_at=NOON - (inspections - 1 - number) * MINUTE,
                status="COMPLETE" if number % 2 else "SCHEDULED",
                at=location(units[number % 2], elm),
            ),
        )
    vendor = {
        "__typename": "WorkOrderAssigneeVendor",
        "id": "901",
        "name": "Summit Roofing",
        "email": None,
        "type": "VENDOR",
    }
    population.insert("work_orders", {**work_order("w1", created_at=NOON), "assignedTo": vendor})
    population.insert("work_orders", work_order("w2", created_at=NOON - MINUTE, status="COMPLETED"))
    roles: tuple[Reference, ...] = (
        {"id": "1", "name": "Administrator"},
        {"id": "2", "name": "Agent"},
    )
    for who in (
        member("80", "Pat Rivers", of=own, created_at=NOON, roles=roles),
        member("81", "Sam Stone", of=own, created_at=NOON, inactivated_at=NOON),
    ):
        population.insert("members", who, key=member_key(who))
    return population


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def happyco(clock: HandClock) -> Iterator[HappyCo]:
    with HappyCo(small_town(), clock=clock) as running:
        yield running


@pytest.fixture
def reader(happyco: HappyCo) -> Iterator[Reader]:
    reading = Reader(happyco)
    reading.log_in()
    yield reading
    reading.close()


# log-in


def test_log_in_tells_token_expiry_in_ms_as_text_and_accounts(happyco: HappyCo, reader: Reader) -> None:
    known = happyco.credentials
    answer = reader.post(LOGIN, i={"email": known.email, "password": known.password})
    assert answer.json()["data"]["login"] == {
        "token": "happyco-token-0002",
        "expiresAt": str(int((NOON + timedelta(hours=1)).timestamp()) * 1000),
        "accessibleBusinessIds": [ACCOUNT_ID],
    }


def test_a_plugin_logs_in_with_its_own_credentials(happyco: HappyCo, reader: Reader) -> None:
    known = happyco.credentials
    answer = reader.post(PLUGIN_LOGIN, i={"clientID": known.client_id, "clientSecret": known.client_secret})
    reader.hold(answer.json()["data"]["pluginLogin"]["token"])
    assert reader.ask("query ($account: ID!) { account(accountId: $account) { id } }") == {"id": ACCOUNT_ID}


def test_wrong_credentials_are_refused_with_two_errors_in_a_200(reader: Reader) -> None:
    answer = reader.post(LOGIN, i={"email": "sync@example.com", "password": "wrong"})
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert len(answer.json()["errors"]) == 2


def test_without_a_token_nothing_is_told(happyco: HappyCo) -> None:
    answer = once("POST", happyco.url, "/", json={"query": INSPECTIONS, "variables": {"account": ACCOUNT_ID}})
    assert answer.status_code == 401
    assert answer.json()["data"] is None
    assert happyco.served("inspections") == {}


@pytest.mark.parametrize(("form", "status"), [("401", 401), ("403", 403), ("errors", 200)])
def test_a_dead_token_is_told_in_any_of_the_three_forms(clock: HandClock, form: Any, status: int) -> None:
    with HappyCo(small_town(), clock=clock, refuses_tokens_by=form) as happyco:
        reader = Reader(happyco)
        reader.log_in()
        clock.advance(timedelta(hours=1))
        answer = reader.post(INSPECTIONS, account=ACCOUNT_ID)
        reader.close()
    assert answer.status_code == status
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["UNAUTHENTICATED"] * 2


def test_a_token_may_die_in_the_middle_of_a_walk(clock: HandClock) -> None:
    with HappyCo(small_town(), clock=clock, token_uses=2) as happyco:
        reader = Reader(happyco)
        reader.log_in()
        statuses = [reader.post(INSPECTIONS, account=ACCOUNT_ID).status_code for _ in range(3)]
        reader.log_in()
        statuses.append(reader.post(INSPECTIONS, account=ACCOUNT_ID).status_code)
        reader.close()
    assert statuses == [200, 200, 401, 200]


def test_an_account_that_is_not_accessible_is_refused(reader: Reader) -> None:
    answer = reader.post('{ account(accountId: "1") { id } }')
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# pages


def test_pages_hold_at_most_100(clock: HandClock) -> None:
    with HappyCo(small_town(inspections=130), clock=clock) as happyco:
        reader = Reader(happyco)
        reader.log_in()
        page = reader.ask(INSPECTIONS, first=500)["inspections"]
        reader.close()
    assert (len(page["edges"]), page["count"], page["pageInfo"]["hasNextPage"]) == (100, 130, True)


@pytest.mark.parametrize("first", [1, 2, 5, 6])
def test_a_walk_meets_every_record_once_newest_first(reader: Reader, first: int) -> None:
    assert reader.walk(first) == ["7305", "7304", "7303", "7302", "7301"]


def test_a_walk_over_units_meets_each_once(reader: Reader) -> None:
    met: list[tuple[str, bool]] = []
    after = ""
    for _ in range(2):
        properties = reader.ask(UNITS, filter={"propertyId": ["120"]}, first=1, after=after)["properties"]
        page = properties["edges"][0]["node"]["units"]
        met.append((page["edges"][0]["node"]["id"], page["pageInfo"]["hasNextPage"]))
        after = page["pageInfo"]["endCursor"]
    assert met == [("5500", True), ("5501", False)]


def test_records_created_in_one_second_are_all_met(happyco: HappyCo, reader: Reader) -> None:
    for number in range(7):
        happyco.population.insert("inspections", inspection(f"t{number}", created_at=NOON))
    assert len(set(reader.walk(2))) == 12


def test_the_end_cursor_is_that_of_the_last_edge(reader: Reader) -> None:
    page = reader.ask(INSPECTIONS, first=2)["inspections"]
    assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]


def test_an_empty_list_has_an_empty_end_cursor(reader: Reader) -> None:
    page = reader.ask(INSPECTIONS, filter={"status": ["EXPIRED"]})["inspections"]
    assert page == {"count": 0, "pageInfo": {"hasNextPage": False, "endCursor": ""}, "edges": []}


def test_records_that_come_and_go_between_pages_shift_nothing(happyco: HappyCo, reader: Reader) -> None:
    population = happyco.population

    def turmoil() -> None:
        population.vanish("inspections", "7304")
        population.insert("inspections", inspection("7399", created_at=NOON + MINUTE))

    happyco.script(Fault(Mutation(turmoil), operation="inspections", first=2))
    assert reader.walk(2) == ["7305", "7304", "7303", "7302", "7301"]


@pytest.mark.parametrize("asked", [{"first": 0}, {"after": "not a cursor"}, {"after": "MQ=="}])
def test_impossible_pages_are_refused(reader: Reader, asked: dict[str, object]) -> None:
    reader.ask(INSPECTIONS, **asked)
    assert len(reader.errors) == 1


# filters


def test_creation_bounds_are_included(reader: Reader) -> None:
    assert reader.ids(createdAfter="2026-03-02T11:57:00Z", createdBefore="2026-03-02T11:59:00Z") == [
        "7304",
        "7303",
        "7302",
    ]


def test_creation_bounds_can_be_excluded(clock: HandClock) -> None:
    with HappyCo(small_town(), clock=clock, includes_bounds=False) as happyco:
        reader = Reader(happyco)
        reader.log_in()
        ids = reader.ids(createdAfter="2026-03-02T11:57:00Z", createdBefore="2026-03-02T11:59:00Z")
        reader.close()
    assert ids == ["7303"]


def test_bounds_may_be_written_in_any_zone_and_are_cut_to_seconds(reader: Reader) -> None:
    assert reader.ids(createdAfter="2026-03-02T06:59:00.900-05:00") == ["7305", "7304"]


def test_bounds_the_wrong_way_round_hold_nothing(reader: Reader) -> None:
    assert reader.ids(createdAfter="2026-03-02T12:00:00Z", createdBefore="2026-03-02T11:00:00Z") == []


@pytest.mark.parametrize("written", ["yesterday", "2026-03-02", "2026-03-02T12:00:00"])
def test_a_bound_that_is_no_instant_is_refused(reader: Reader, written: str) -> None:
    reader.ask(INSPECTIONS, filter={"createdAfter": written})
    assert reader.errors == ["createdAfter must be an RFC 3339 time with a zone"]


def test_lists_can_be_filtered_by_status_and_location(reader: Reader) -> None:
    assert reader.ids(status=["COMPLETE"]) == ["7304", "7302"]
    assert reader.ids(locationId=["5501"]) == ["7304", "7302"]
    assert len(reader.ids(locationId=["120"])) == 5


@pytest.mark.parametrize("key", ["updatedAfter", "createdafter", "propertyId"])
def test_an_unknown_filter_is_refused_in_a_200(reader: Reader, key: str) -> None:
    assert reader.ask(INSPECTIONS, filter={key: "2026-03-02T12:00:00Z"}) is None
    assert f"Field '{key}' is not defined by type 'AccountInspectionFilter'" in reader.errors[0]


# what each list shows


def test_units_are_listed_through_their_one_property(happyco: HappyCo, reader: Reader) -> None:
    nodes = reader.ask(UNITS, filter={"propertyId": ["121"]})["properties"]["edges"]
    assert [edge["node"]["id"] for edge in nodes[0]["node"]["units"]["edges"]] == ["5502", "5503"]
    assert list(happyco.served("units")) == ["5502", "5503"]
    assert happyco.served("properties") == {}


@pytest.mark.parametrize("asked", [{}, {"propertyId": ["120", "121"]}, {"search": "elm"}])
def test_units_of_several_properties_at_once_are_refused(reader: Reader, asked: dict[str, object]) -> None:
    reader.ask(UNITS, filter=asked)
    assert "one property at a time" in reader.errors[0]


def test_properties_come_by_name(happyco: HappyCo, reader: Reader) -> None:
    asked = (
        "query ($account: ID!) { account(accountId: $account) { properties { edges { node { name } } } } }"
    )
    edges = reader.ask(asked)["properties"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == ["Birch Row", "Elm Court"]
    assert happyco.served("account") == {}


def test_inactive_members_are_shown_on_request_only(reader: Reader) -> None:
    def people(**asked: object) -> list[str]:
        edges = reader.ask(MEMBERS, filter=asked)["memberships"]["edges"]
        return [edge["node"]["user"]["id"] for edge in edges]

    assert people() == ["80"]
    assert people(includeInactive=True) == ["80", "81"]
    assert people(includeInactive=True, search="SAM.STONE@") == ["81"]


def test_roles_of_a_member_are_cut_as_asked(reader: Reader) -> None:
    node = reader.ask(MEMBERS, filter={})["memberships"]["edges"][0]["node"]
    assert node["roles"] == {"nodes": [{"name": "Administrator"}]}


def test_assignees_answer_to_the_fragment_of_their_kind(reader: Reader) -> None:
    nodes = [edge["node"] for edge in reader.ask(WORK_ORDERS)["workOrders"]["edges"]]
    vendor = {"__typename": "WorkOrderAssigneeVendor", "name": "Summit Roofing"}
    assert nodes == [{"id": "w1", "assignedTo": vendor}, {"id": "w2", "assignedTo": None}]


@pytest.mark.parametrize(
    "asked",
    [
        "inspections { edges { node { createdAt } } }",
        "inspections { edges { node { completedAt } } }",
        "inspections { edges { node { templateV2 } } }",
        "inspections { edges { node { template { id } } } }",
        "workOrders { edges { node { assignedTo { email } } } }",
        "units { edges { node { id } } }",
    ],
)
def test_fields_that_the_vendor_does_not_have_are_refused(reader: Reader, asked: str) -> None:
    """Among them the tempting ones: inspections have no `createdAt`, an account has no units."""
    assert reader.ask(f"query ($account: ID!) {{ account(accountId: $account) {{ {asked} }} }}") is None
    assert reader.errors


def test_records_count_as_served_with_the_version_that_was_sent(happyco: HappyCo, reader: Reader) -> None:
    reader.walk(2)
    happyco.population.update("inspections", "7301", {"status": "COMPLETE"})
    assert happyco.served("inspections")["7301"]["status"] == "SCHEDULED"
    assert happyco.truth("inspections")["7301"]["status"] == "COMPLETE"
    assert len(happyco.served("inspections")) == 5


def test_a_count_alone_serves_no_record(happyco: HappyCo, reader: Reader) -> None:
    asked = "query ($account: ID!) { account(accountId: $account) { inspections { count } } }"
    assert reader.ask(asked) == {"inspections": {"count": 5}}
    assert happyco.served("inspections") == {}


# the route


def test_requests_are_named_after_what_they_read(happyco: HappyCo, reader: Reader) -> None:
    reader.ask(INSPECTIONS)
    reader.ask(UNITS, filter={"propertyId": ["120"]})
    reader.ask(WORK_ORDERS)
    reader.ask(MEMBERS)
    reader.ask("{ nonsense }")
    assert happyco.counts() == {
        "login": 1,
        "inspections": 1,
        "units": 1,
        "workOrders": 1,
        "memberships": 1,
        "refused": 1,
    }


def test_a_fault_hits_one_list_alone(happyco: HappyCo, reader: Reader) -> None:
    happyco.script(Fault(too_many_requests(1), operation="workOrders"), Fault(Reply(401), operation="units"))
    assert reader.ids() != []
    assert reader.post(WORK_ORDERS, account=ACCOUNT_ID).status_code == 429
    assert reader.post(UNITS, account=ACCOUNT_ID).status_code == 401


def test_there_is_one_route_and_one_method(happyco: HappyCo) -> None:
    assert once("GET", happyco.url, "/").status_code == 405
    assert once("POST", happyco.url, "/graphql").status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"query": 1}', b'{"query": "{ a }", "variables": 3}']
)
def test_a_body_that_is_no_query_is_refused(happyco: HappyCo, body: bytes) -> None:
    answer = once("POST", happyco.url, "/", content=body)
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_the_schema_can_be_read_with_a_token(reader: Reader) -> None:
    answer = reader.post('{ __type(name: "AccountWorkOrderFilter") { inputFields { name } } }')
    names = [one["name"] for one in answer.json()["data"]["__type"]["inputFields"]]
    assert names == ["createdAfter", "createdBefore", "status", "locationId"]


def test_a_simulated_happyco_holds_one_account() -> None:
    with pytest.raises(ValueError, match="exactly one account"):
        HappyCo(Population())
