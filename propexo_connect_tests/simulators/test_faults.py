"""A fault hits the requests it names, and no other."""

from datetime import UTC, datetime

import pytest

from propexo_connect.simulators.faults import (
    Delay,
    Fault,
    FaultScript,
    Reply,
    graphql_errors,
    too_many_requests,
)

DOWN = Reply(503)


def hits(script: FaultScript, *operations: str) -> list[bool]:
    return [bool(script.take(operation, f"/{operation}")) for operation in operations]


def test_a_fault_hits_the_nth_request_alone() -> None:
    assert hits(FaultScript([Fault(DOWN, first=2)]), "units", "units", "units") == [False, True, False]


def test_a_fault_hits_the_next_n_requests() -> None:
    assert hits(FaultScript([Fault(DOWN, times=2)]), "units", "leases", "units") == [True, True, False]


def test_an_endless_fault_never_stops() -> None:
    script = FaultScript([Fault(DOWN, first=2, times=None)])
    assert hits(script, "units", "units", "units") == [False, True, True]
    assert len(script.pending()) == 1


def test_only_requests_of_its_operation_are_counted() -> None:
    script = FaultScript([Fault(DOWN, operation="leases", first=2)])
    assert hits(script, "leases", "units", "units", "leases") == [False, False, False, True]


def test_a_fault_can_name_a_path() -> None:
    assert hits(FaultScript([Fault(DOWN, path="/leases")]), "units", "leases") == [False, True]


def test_a_fault_added_later_counts_from_then_on() -> None:
    script = FaultScript()
    hits(script, "units", "units")
    script.add(Fault(DOWN, first=1))
    assert hits(script, "units", "units") == [True, False]


def test_effects_of_several_faults_meet_in_the_order_of_the_script() -> None:
    script = FaultScript([Fault(Delay(1)), Fault(DOWN, operation="units")])
    assert script.take("units", "/units") == (Delay(1), DOWN)


def test_a_script_tells_which_faults_have_not_yet_hit() -> None:
    waiting = Fault(DOWN, first=2)
    script = FaultScript([Fault(DOWN), waiting])
    hits(script, "units")
    assert script.pending() == (waiting,)


def test_a_cleared_script_does_nothing() -> None:
    script = FaultScript([Fault(DOWN, times=None)])
    script.clear()
    assert hits(script, "units") == [False]


def test_a_fault_before_the_first_request_is_refused() -> None:
    with pytest.raises(ValueError, match="counts requests from 1"):
        Fault(DOWN, first=0)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (2, "2"),
        (0, "0"),
        ("soon", "soon"),
        (datetime(2026, 3, 2, 12, 0, tzinfo=UTC), "Mon, 02 Mar 2026 12:00:00 GMT"),
    ],
)
def test_retry_after_takes_every_form(given: int | str | datetime, sent: str) -> None:
    assert too_many_requests(given) == Reply(429, (("Retry-After", sent),))


def test_retry_after_may_be_absent() -> None:
    assert too_many_requests() == Reply(429)


def test_graphql_errors_come_with_status_200() -> None:
    reply = graphql_errors("first", "second", code="INTERNAL")
    assert reply.status == 200
    assert reply.body == (
        b'{"data":null,"errors":[{"message":"first","extensions":{"code":"INTERNAL"}},'
        b'{"message":"second","extensions":{"code":"INTERNAL"}}]}'
    )
