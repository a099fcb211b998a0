"""A good file becomes a connection, the same from text, mapping and Python."""

from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import cast

import pytest
from pydantic import SecretStr

from propexo_connect.connection.parse import connection, parse_connection
from propexo_connect.connection.problem import InvalidConnection
from propexo_connect.connection.schedule import Schedule, ScheduleKind
from propexo_connect.model.stream import Mode, RetryPolicy
from propexo_connect_tests.connection.fakes import (
    CONNECTORS,
    DESTINATION,
    DESTINATIONS,
    GOOD,
    SOURCE,
    AcmeConfig,
    parsed,
    parsed_text,
)

FULL = """\
name: acme_demo
description: Work orders of the demo account
owners: [data@example.com, team:operations]
tags: {tier: demo}
source:
  connector: acme
  email: a@example.com
  password: ${ACME_PASSWORD}
  zip_code: 01234
  port: 8443
  lag: 90s
destination:
  kind: warehouse
  path: w.db
namespace: Acme
prefix: raw_
schedule: {cron: "0 6 * * *", timezone: America/Chicago}
history: true
initial_window: 2w
streams:
  work_orders:
    history: false
    lookback: 1d
retry:
  request: {attempts: 3}
  stream: {first_wait: 5s, longest_wait: 1m}
  run: {max_retries: 0}
limits: {max_streams: 2, step_size: 1MB, step_span: 7d, stall_after: 5m}
"""


def test_every_part_of_a_file_arrives() -> None:
    found = parsed_text(FULL)
    assert (found.name, found.description) == ("acme_demo", "Work orders of the demo account")
    assert (found.owners, found.tags) == (("data@example.com", "team:operations"), {"tier": "demo"})
    assert found.connector is CONNECTORS["acme"]
    assert found.destination_kind is DESTINATIONS["warehouse"]
    assert found.schedule == Schedule.cron(("0 6 * * *",), "America/Chicago")
    assert found.settings.request_retry == RetryPolicy(3, timedelta(seconds=1), timedelta(seconds=60))
    assert found.settings.stream_retry == RetryPolicy(3, timedelta(seconds=5), timedelta(minutes=1))
    assert (found.run_retries, found.settings.max_streams, found.settings.step_bytes) == (0, 2, 1_000_000)
    assert (found.settings.step_span, found.settings.stall_after) == (timedelta(days=7), timedelta(minutes=5))
    (plan,) = found.plans
    assert str(plan.table) == "acme.raw_work_orders"
    assert (plan.connection, plan.history, plan.initial_window) == ("acme_demo", False, timedelta(weeks=2))
    assert plan.stream.filter is not None
    assert (plan.stream.filter.lookback, plan.stream.filter.lag) == (timedelta(days=1), timedelta(minutes=1))


def test_values_of_a_configuration_become_what_their_field_is() -> None:
    config = cast(AcmeConfig, parsed_text(FULL).source_config)
    assert (config.zip_code, config.port, config.lag) == ("01234", 8443, timedelta(seconds=90))


def test_what_is_not_said_has_defaults() -> None:
    found = parsed_text(GOOD)
    assert (found.name, found.schedule.kind, found.run_retries) == ("demo", ScheduleKind.MANUAL, 2)
    (plan,) = found.plans
    assert (str(plan.table), plan.mode, plan.selected) == ("demo.work_orders", Mode.MERGE, None)


def test_text_and_mapping_make_the_same_connection() -> None:
    by_mapping = parse_connection(
        {"source": dict(SOURCE), "destination": dict(DESTINATION), "streams": ["work_orders"]},
        name="demo",
        connectors=CONNECTORS,
        destinations=DESTINATIONS,
    )
    assert by_mapping == parsed_text(GOOD)


def test_plain_python_takes_durations_enumerations_and_references() -> None:
    found = connection(
        name="demo",
        source={**SOURCE, "password": SecretStr("${ACME_PASSWORD}")},
        destination=dict(DESTINATION),
        streams={"members": {"mode": Mode.OVERWRITE, "initial_window": timedelta(days=3)}},
        schedule={"every": timedelta(hours=6)},
        connectors=CONNECTORS,
        destinations=DESTINATIONS,
    )
    assert found.plans[0].mode is Mode.OVERWRITE
    assert found.plans[0].initial_window == timedelta(days=3)
    assert found.schedule.period == timedelta(hours=6)


def test_a_connection_cannot_be_changed_and_shows_no_configuration() -> None:
    found = parsed()
    with pytest.raises(FrozenInstanceError):
        found.name = "other"  # type: ignore[misc]
    assert "a@example.com" not in repr(found)


def test_the_fingerprint_ignores_layout_and_sees_every_value() -> None:
    same = parsed_text("# a comment\n" + GOOD.replace("[work_orders]", "\n  - work_orders"))
    assert same.fingerprint == parsed_text(GOOD).fingerprint
    assert parsed_text(GOOD.replace("w.db", "x.db")).fingerprint != same.fingerprint
    assert parsed_text(GOOD.replace("ACME_PASSWORD", "OTHER")).fingerprint != same.fingerprint


def test_the_fingerprint_does_not_depend_on_whether_numbers_are_quoted() -> None:
    by_number = parsed(source={**SOURCE, "port": 8443})
    assert by_number.fingerprint == parsed(source={**SOURCE, "port": "8443"}).fingerprint


def test_a_key_with_nothing_after_it_says_nothing() -> None:
    found = parsed_text(GOOD + "description:\nmode:\nfull_every:\nlimits:\nschedule:\n")
    assert (found.plans, found.schedule) == (parsed_text(GOOD).plans, Schedule.manual())


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("manual", "by hand"),
        ({"every": "6h"}, "every 6h"),
        ({"cron": ["0 6 * * *", "0 18 * * *"]}, "0 6 * * * and 0 18 * * * (UTC)"),
        (
            {"weekly": [{"days": ["Monday"], "start": "06:00", "end": "8:00", "every": "1h"}]},
            "mon 06:00 to 08:00 every 1h (UTC)",
        ),
    ],
)
def test_each_kind_of_schedule_is_read(schedule: object, text: str) -> None:
    assert parsed(schedule=schedule, streams=["members"]).schedule.text == text


def test_a_connection_without_any_content_is_refused_with_all_that_is_missing() -> None:
    with pytest.raises(InvalidConnection) as caught:
        connection(connectors=CONNECTORS, destinations=DESTINATIONS)
    assert [problem.found for problem in caught.value.problems] == [
        "`name` is missing",
        "`source` is missing",
        "`destination` is missing",
        "`streams` is missing",
    ]
