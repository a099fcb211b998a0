"""What answers mean and how records are written, through the engine."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.api.described import described
from propexo_connect.connectors.base import Access
from propexo_connect.http.plan import Api, ApiStream, Budget, Fault, Hides, Offsets, Rate
from propexo_connect.model.errors import (
    ConnectError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    TerminalError,
    UnknownName,
    VendorFault,
)
from propexo_connect.model.field import Kind
from propexo_connect_tests.connectors.api.bench import Config, answered, bench, query, rows
from propexo_connect_tests.http.doubles import NOON, ManualClock

OK = answered(rows(1))


def once(first: httpx.Response, then: httpx.Response = OK) -> Any:
    """Answers with the first once, then with the other."""
    waiting = [first]

    def handler(_: httpx.Request) -> httpx.Response:
        return waiting.pop() if waiting else then

    return handler


# errors


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408, 425])
def test_what_passes_by_itself_is_repeated(status: int) -> None:
    with bench(once(answered({}, status))) as vendor:
        assert vendor.ids() == [1]


def test_a_vendors_own_status_passes_by_itself_where_the_plan_says_so() -> None:
    with bench(once(answered({}, 533)), retry=(533,)) as vendor:
        assert vendor.ids() == [1]
    with bench(once(answered({}, 470))) as vendor, pytest.raises(TerminalError):
        vendor.ids()


def test_a_retry_after_is_waited_out() -> None:
    with bench(once(answered({}, 429, {"Retry-After": "7"}))) as vendor:
        assert vendor.ids() == [1]
        assert vendor.sync.waited_s >= 7


@pytest.mark.parametrize(
    ("fault", "answer", "error"),
    [
        (Fault("credentials", status=(701,)), answered({}, 701), CredentialsRefused),
        (
            Fault("credentials", at="response.error.code", among=("301", "302")),
            answered({"response": {"error": {"code": 301, "message": "bad key"}}}),
            CredentialsRefused,
        ),
        (
            Fault("permission", at="response.error.code", among=("502",)),
            answered({"response": {"error": {"code": 502, "message": "method not granted"}}}),
            PermissionRefused,
        ),
        (
            Fault("stop", at="response.error"),
            answered({"response": {"error": {"code": 1, "message": "odd"}}}, 400),
            TerminalError,
        ),
        (
            Fault("credentials", status=(500,), text="AuthenticationForcePasswordReset"),
            answered({"Exception": "AuthenticationForcePasswordResetException"}, 500),
            CredentialsRefused,
        ),
        (
            Fault("gone", at="error", among=("Property 99 not found",)),
            answered({"error": "Property 99 not found"}, 400),
            UnknownName,
        ),
        (Fault("limit", at="code", among=("20429",)), answered({"code": 20429}), RateLimited),
    ],
)
def test_faults_of_the_vendors_own_kind(
    fault: Fault, answer: httpx.Response, error: type[ConnectError]
) -> None:
    """Also inside HTTP 200, and also where the status says otherwise."""
    with bench(lambda _: answer, faults=(fault,)) as vendor, pytest.raises(error):
        vendor.ids()


def test_a_fault_inside_200_may_pass_by_itself() -> None:
    fault = Fault("retry", at="response.error")
    with bench(once(answered({"response": {"error": {"message": "busy"}}})), faults=(fault,)) as vendor:
        assert vendor.ids() == [1]
        assert any('"busy"' in line for line in vendor.sync.lines)


def test_a_streams_own_faults_come_before_those_of_the_api() -> None:
    stream = ApiStream("things", "/things", "id", faults=(Fault("empty", status=(400,)),))
    with bench(lambda _: answered({}, 400), stream, faults=(Fault("stop", status=(400,)),)) as vendor:
        assert vendor.ids() == []


def test_no_content_means_no_records() -> None:
    """Rent Manager answers 204 where a filter matches nothing."""
    with bench(lambda _: httpx.Response(204), paging=Offsets(10)) as vendor:
        assert vendor.ids() == []
        assert len(vendor.vendor.requests) == 1


def test_not_found_means_no_records_only_where_the_plan_says_so() -> None:
    with bench(lambda _: httpx.Response(404)) as vendor, pytest.raises(UnknownName):
        vendor.ids()
    with bench(lambda _: httpx.Response(404), no_records=(204, 404)) as vendor:
        assert vendor.ids() == []


def test_partial_content_is_taken_like_any_success() -> None:
    with bench(lambda _: answered(rows(1), 206)) as vendor:
        assert vendor.ids() == [1]


def test_errors_of_graphql_inside_200() -> None:
    stream = ApiStream("things", "", "id", query="query { x }", records="x")
    answer = answered({"data": None, "errors": [{"message": "Forbidden"}]})
    with bench(lambda _: answer, stream) as vendor, pytest.raises(PermissionRefused):
        vendor.ids()


def test_access_is_told_stream_by_stream() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answered({"message": "no"}, 403) if request.url.path.endswith("/b") else OK

    streams = (
        ApiStream("a", "/a", "id"),
        ApiStream("b", "/b", "id"),
        ApiStream("c", "/a/{parent.id}/c", "id", parent="a"),
    )
    with bench(handler, *streams) as vendor:
        a, b, c = vendor.source.check(vendor.source.discover())
    assert (a, c) == (Access("a"), Access("c"))
    assert "answered 403" in str(b.problem)


# limits


def test_several_windows_are_kept_at_once() -> None:
    """8 a second and 20 a minute: 30 requests need more than a minute."""
    clock = ManualClock()
    moments: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        moments.append(clock.monotonic())
        return answered(rows(int(query(request)["offset"])) if int(query(request)["offset"]) < 29 else [])

    budget = Budget((Rate(8, 1), Rate(20, 60)))
    with bench(handler, clock=clock, paging=Offsets(1), budget=budget) as vendor:
        assert len(vendor.ids()) == 29
    for first, ninth in zip(moments, moments[8:], strict=False):
        assert ninth - first >= 1
    for first, later in zip(moments, moments[20:], strict=False):
        assert later - first >= 60


def test_a_stricter_limit_for_single_paths() -> None:
    clock = ManualClock()
    streams = (ApiStream("things", "/things", "id"), ApiStream("slow", "/jobs", "id"))
    with bench(lambda _: OK, *streams, clock=clock, budget=Budget((Rate(1, 15, only=("/jobs",)),))) as vendor:
        for _ in range(3):
            vendor.ids("things")
        assert vendor.sync.waited_s == 0
        for _ in range(3):
            vendor.ids("slow")
        assert 29 <= vendor.sync.waited_s <= 31


def test_a_limit_is_kept_across_connections_of_one_credential() -> None:
    clock = ManualClock()
    budget = Budget((Rate(2, 60),))
    with (
        bench(lambda _: OK, clock=clock, budget=budget) as one,
        bench(lambda _: OK, clock=clock, budget=budget) as other,
        bench(lambda _: OK, clock=clock, budget=budget, settings={"api_key": "another"}) as stranger,
    ):
        one.ids()
        other.ids()
        stranger.ids()
        assert stranger.sync.waited_s == 0
        one.ids()
        assert one.sync.waited_s >= 59


def test_a_limit_may_be_a_setting() -> None:
    clock = ManualClock()
    with bench(
        lambda _: OK, clock=clock, budget=Budget((Rate("{page_size}", 60),)), settings={"page_size": 1}
    ) as vendor:
        vendor.ids()
        vendor.ids()
        assert vendor.sync.waited_s >= 59


def test_a_header_that_says_nothing_is_left_is_heeded() -> None:
    reset = str(int(NOON.timestamp()) + 45)
    spent = answered(rows(1), headers={"X-Left": "0", "X-Reset": reset})
    budget = Budget(remaining="X-Left", reset="X-Reset", reset_is="epoch")
    with bench(lambda _: spent, budget=budget) as vendor:
        vendor.ids()
        assert vendor.sync.waited_s == 0
        vendor.ids()
        assert 44 <= vendor.sync.waited_s <= 46


def test_after_a_429_requests_are_spread_and_come_closer_again() -> None:
    budget = Budget((Rate(1000, 1),))
    clock = ManualClock()
    moments: list[float] = []
    first = [answered({}, 429)]

    def handler(request: httpx.Request) -> httpx.Response:
        moments.append(clock.monotonic())
        return (
            first.pop()
            if first
            else answered(rows(int(query(request)["offset"])) if int(query(request)["offset"]) < 20 else [])
        )

    with bench(handler, clock=clock, paging=Offsets(1), budget=budget) as vendor:
        vendor.ids()
    gaps = [later - earlier for earlier, later in pairwise(moments[1:])]
    assert gaps[0] > 0.1
    assert gaps[-1] == 0


# records


def test_instants_of_every_kind_become_iso() -> None:
    fields = (
        "id:int a:timestamp@dotnet b:timestamp@rfc2822 c:timestamp@epoch d:timestamp@epoch_ms "
        "e:timestamp@naive f:date@us_date g:timestamp@spaced h:date@%d.%m.%Y "
        "battery.updated:timestamp@epoch_ms list.at:timestamp@epoch"
    )
    record = {
        "id": 1,
        "a": "/Date(1772366400000)/",
        "b": "Sun, 01 Mar 2026 12:00:00 +0000",
        "c": 1772366400,
        "d": "1772366400000",
        "e": "2026-03-01T05:00:00",
        "f": "03/01/2026",
        "g": "2026-03-01 05:00:00",
        "h": "01.03.2026",
        "battery": {"updated": 1772366400000},
        "list": [{"at": 1772366400}, {"at": None}, "odd"],
    }
    stream = ApiStream("things", "/things", "id", fields=fields)
    with bench(lambda _: answered([record]), stream, zone="{zone}") as vendor:
        (found,) = vendor.records()
    noon = "2026-03-01T12:00:00Z"
    assert [found[name] for name in "abcdeg"] == [noon] * 6
    assert (found["f"], found["h"]) == ("2026-03-01", "2026-03-01")
    assert found["battery"] == {"updated": noon}
    assert found["list"] == [{"at": noon}, {"at": None}, "odd"]


def test_what_is_written_otherwise_stays_and_a_blank_is_nothing() -> None:
    stream = ApiStream("things", "/things", "id", fields="id:int a:timestamp@epoch b:timestamp@naive")
    with bench(lambda _: answered([{"id": 1, "a": "soon", "b": ""}]), stream) as vendor:
        assert vendor.records() == [{"id": 1, "a": "soon", "b": None}]


def test_repairs_keep_every_digit_of_a_number() -> None:
    body = b'[{"id":1,"at":0,"rent":1234567890123456789.123456789}]'
    stream = ApiStream("things", "/things", "id", fields="id:int at:timestamp@epoch")
    with bench(lambda _: httpx.Response(200, content=body), stream) as vendor:
        (page,) = vendor.pages()
        assert b"1234567890123456789.123456789" in page.records


def test_rows_in_an_envelope_of_their_own_wrapped_and_bare() -> None:
    """Rentvine wraps rows in some lists and not in others."""
    stream = ApiStream("things", "/things", "id", unwrap="property")
    with bench(lambda _: answered([{"property": {"id": 1}}, {"id": 2}]), stream) as vendor:
        assert vendor.ids() == [1, 2]


def test_pins_and_codes_are_left_out_at_any_depth_unless_revealed() -> None:
    record = {
        "id": 1,
        "pin_code": "4711",
        "doors": [{"uuid": "d", "doorcode": "0815"}],
        "user": {"pin": "1", "name": "Jo"},
    }
    sensitive = ("pin_code", "doors.doorcode", "user.pin")
    stream = ApiStream("things", "/things", "id", fields="id:int pin_code doors:json", sensitive=sensitive)
    with bench(lambda _: answered([record]), stream) as vendor:
        assert vendor.records() == [{"id": 1, "doors": [{"uuid": "d"}], "user": {"name": "Jo"}}]
        assert [field.name for field in vendor.source.discover()[0].fields] == ["id", "doors"]
    with bench(
        lambda _: answered([record]), stream, settings={"reveal": ("things.doors.doorcode",)}
    ) as vendor:
        assert vendor.records()[0]["doors"] == [{"uuid": "d", "doorcode": "0815"}]
        assert "pin_code" not in vendor.records()[0]


def test_json_lines() -> None:
    body = b'{"id":1}\n{"id":2}\n\n'
    with bench(lambda _: httpx.Response(200, content=body), format="jsonl") as vendor:
        assert vendor.ids() == [1, 2]
    for odd in (b"<html>", b'[{"id":1}]'):
        with (
            bench(lambda _, odd=odd: httpx.Response(200, content=odd), format="jsonl") as vendor,
            pytest.raises(VendorFault),
        ):
            vendor.ids()


def test_csv() -> None:
    body = '\ufeffid,name,rent\n1,"Elm, Court",01.50\n2,,\n'.encode()
    with bench(lambda _: httpx.Response(200, content=body), format="csv") as vendor:
        assert vendor.records() == [{"id": "1", "name": "Elm, Court", "rent": "01.50"}, {"id": "2"}]
    ragged = b"id,name\n1,a,b\n"
    with (
        bench(lambda _: httpx.Response(200, content=ragged), format="csv") as vendor,
        pytest.raises(VendorFault),
    ):
        vendor.ids()


def test_xml_with_a_list_of_one() -> None:
    body = b"<r><units><unit><id>1</id><tag>a</tag></unit></units></r>"
    with bench(lambda _: httpx.Response(200, content=body), format="xml", records="units.unit") as vendor:
        assert vendor.records() == [{"id": "1", "tag": "a"}]


def test_types_hides_and_zones_reach_the_engine() -> None:
    stream = ApiStream(
        "things", "/things", "id", fields="id:int rent:money",
        hides=(Hides("only the last 30 days", rolling=timedelta(days=30)),),
        unconfirmed=("the key",), fixed=True,
    )  # fmt: skip
    with bench(lambda _: OK, stream) as vendor:
        (found,) = vendor.source.discover()
    assert [field.type.kind for field in found.fields] == [Kind.INTEGER, Kind.DECIMAL]
    assert found.hides[0].rolling == timedelta(days=30)
    assert (found.open_ended, found.unconfirmed) == (False, ("the key",))


@pytest.mark.parametrize(("zone", "today"), [("UTC", "2026-03-02"), ("Pacific/Kiritimati", "2026-03-03")])
def test_reports_as_of_today_take_the_day_in_the_api_s_zone(zone: str, today: str) -> None:
    """At noon in UTC it is tomorrow already at the other end of the world."""
    stream = ApiStream("things", "/things", "id", params={"as_of": "{today}"}, add={"as_of": "{today}"})
    with bench(lambda _: answered(rows(1)), stream, zone=zone) as vendor:
        assert vendor.records() == [{"as_of": today, "id": 1}]
        assert vendor.vendor.queries == [{"as_of": today}]


def test_a_stream_without_a_key_says_that_it_has_none() -> None:
    assert described(Api((ApiStream("things", "/things"),)), Config())[0].is_keyless
    assert not described(Api((ApiStream("things", "/things", "id"),)), Config())[0].is_keyless
