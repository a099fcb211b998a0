"""Each mistake in a file is one paragraph with place, finding, expectation and remedy."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from propexo_connect.connection.parse import parse_connection
from propexo_connect.connection.problem import InvalidConnection, Problem
from propexo_connect_tests.connection.fakes import CONNECTORS, DESTINATIONS, GOOD

FILE = Path("connections/demo.yaml")


def problems_of(text: str) -> tuple[Problem, ...]:
    """The problems of a text that is no connection."""
    with pytest.raises(InvalidConnection) as caught:
        parse_connection(text, name="demo", file=FILE, connectors=CONNECTORS, destinations=DESTINATIONS)
    assert caught.value.__cause__ is None
    return caught.value.problems


def changed(old: str, new: str) -> str:
    """The good file with one thing in it changed."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


STREAM = "streams:\n  work_orders:\n    "
CASES = {
    "unknown connector": (
        changed("acme", "acmee"),
        2,
        "source.connector",
        "'acmee'",
        "one of acme",
        "'acme'",
    ),
    "unknown kind": (
        changed("warehouse", "warehose"),
        6,
        "destination.kind",
        "'warehose'",
        "warehouse",
        "mean",
    ),
    "unknown stream": (
        changed("work_orders", "workorders"),
        8,
        "streams.workorders",
        "'workorders'",
        "members",
        "'work_orders'",
    ),
    "unknown field of a stream": (
        changed("streams: [work_orders]", STREAM + "fields: [id, amont]"),
        10,
        "streams.work_orders.fields.amont",
        "'amont'",
        "one of id, updatedAt",
        "'amount'",
    ),
    "unknown time zone": (
        GOOD + "schedule: {cron: 0 6 * * *, timezone: America/Chicag}\n",
        9,
        "schedule.timezone",
        "'America/Chicag' is no time zone",
        "IANA",
        "'America/Chicago'",
    ),
    "unknown cron": (
        GOOD + "schedule: {cron: 0 25 * * *}\n",
        9,
        "schedule.cron",
        "'0 25 * * *'",
        "five fields",
        "",
    ),
    "literal secret": (
        changed("${ACME_PASSWORD}", "hunter2"),
        4,
        "source.password",
        "a value where a secret belongs",
        "${NAME}",
        "${PASSWORD}",
    ),
    "tag": (
        changed("a@example.com", "!!str a"),
        3,
        "source.email",
        "the tag !!str",
        "without tags",
        "Remove",
    ),
    "alias": (changed("w.db", "*x"), 7, "destination.path", "the alias *x", "written out", "Repeat"),
    "anchor": (changed("w.db", "&x w.db"), 7, "destination.path", "the anchor &x", "written out", "Repeat"),
    "duplicate key": (
        GOOD + "streams: x\n",
        9,
        "streams",
        "the key 'streams' a second time",
        "each key once",
        "line 8",
    ),
    "number": (
        GOOD + "limits: {max_streams: many}\n",
        9,
        "limits.max_streams",
        "'many'",
        "a whole number",
        "",
    ),
    "number out of range": (
        GOOD + "limits: {max_streams: 0}\n",
        9,
        "limits.max_streams",
        "'0'",
        "greater than or equal to 1",
        "",
    ),
    "boolean": (GOOD + "history: maybe\n", 9, "history", "'maybe'", "true or false", ""),
    "duration": (GOOD + "lag: 5\n", 9, "lag", "'5' is no duration", "90s, 15m", "unit"),
    "no duration at all": (
        GOOD + "initial_window: 0s\n",
        9,
        "initial_window",
        "'0s'",
        "longer than nothing",
        "",
    ),
    "mode": (GOOD + "mode: mrge\n", 9, "mode", "'mrge'", "'merge', 'append', 'overwrite'", "'merge'"),
    "mapping": (GOOD + "retry: often\n", 9, "retry", "'often'", "a mapping", ""),
    "list": (GOOD + "owners: data@example.com\n", 9, "owners", "'data@example.com'", "a list", ""),
    "owner": (GOOD + "owners: [me]\n", 9, "owners.0", "'me'", "team:name", ""),
    "tag of the catalogue": (GOOD + "tags: {a b: c}\n", 9, "tags", "'a b: c'", "letters", ""),
    "name": (GOOD + "name: Acme Demo\n", 9, "name", "'Acme Demo'", "Lower-case", ""),
    "namespace": (GOOD + "namespace: _propexo\n", 9, "namespace", "which is taken", "of your own", ""),
    "missing setting": (
        changed("  email: a@example.com\n", ""),
        1,
        "source.email",
        "`email` is missing",
        "E-mail address",
        "Add `email",
    ),
    "missing section": (
        changed("streams: [work_orders]\n", ""),
        1,
        "streams",
        "`streams` is missing",
        "all streams",
        "Add `streams",
    ),
    "missing connector": (
        changed("  connector: acme\n", ""),
        1,
        "source.connector",
        "`connector` is missing",
        "one of acme",
        "Add",
    ),
    "unknown key": (
        GOOD + "schedul: manual\n",
        9,
        "schedul",
        "unknown field 'schedul'",
        "schedule",
        "mean 'schedule'",
    ),
    "unknown key of a stream": (
        changed("streams: [work_orders]", STREAM + "mod: merge"),
        10,
        "streams.work_orders.mod",
        "'mod'",
        "mode",
        "mean 'mode'",
    ),
    "unknown setting": (
        changed("email:", "emial:"),
        3,
        "source.emial",
        "unknown field 'emial'",
        "email",
        "mean 'email'",
    ),
    "setting out of range": (
        changed("a@example.com", "a\n  port: 99999"),
        4,
        "source.port",
        "'99999'",
        "65535",
        "",
    ),
    "setting not among the choices": (
        changed("a@example.com", "a\n  region: uk"),
        4,
        "source.region",
        "'uk'",
        "'us', 'eu'",
        "",
    ),
    "shared source that is not there": (
        "source: main\ndestination: {kind: warehouse, path: w}\nstreams: [members]\n",
        1,
        "source",
        "no file 'sources/main.yaml'",
        "there are none",
        "",
    ),
    "source that is a list": (
        changed("source:\n", "source: []\nx:\n"),
        1,
        "source",
        "a list",
        "a mapping with `connector`",
        "",
    ),
    "reference that is none": (
        changed("a@example.com", "${my-mail}"),
        3,
        "source.email",
        "begins no reference",
        "${NAME}",
        "Only letters",
    ),
    "reference outside of the systems": (
        GOOD + "prefix: ${PREFIX}\n",
        9,
        "prefix",
        "a reference",
        "the value itself",
        "",
    ),
    "schedule in a word": (GOOD + "schedule: 6h\n", 9, "schedule", "'6h'", "`manual`", "{every: 6h}"),
    "schedule of two kinds": (
        GOOD + "schedule: {every: 6h, cron: 0 6 * * *}\n",
        9,
        "schedule",
        "cron and every",
        "exactly one",
        "",
    ),
    "interval with a zone": (
        GOOD + "schedule: {every: 6h, timezone: UTC}\n",
        9,
        "schedule",
        "`timezone` beside `every`",
        "real time",
        "`cron`",
    ),
    "interval of seconds": (
        GOOD + "schedule: {every: 90s}\n",
        9,
        "schedule.every",
        "'1m30s'",
        "whole minutes",
        "",
    ),
    "slot over midnight": (
        GOOD + "schedule: {weekly: [{days: [mon], start: 22:00, end: 02:00, every: 1h}]}\n",
        9,
        "schedule.weekly.0",
        "ends before it starts",
        "on one day",
        "next day",
    ),
    "slot without a step": (
        GOOD + "schedule: {weekly: [{days: [mon], start: 6:00, end: 9:00}]}\n",
        9,
        "schedule.weekly.0",
        "without `every`",
        "both or neither",
        "",
    ),
    "time of day": (
        GOOD + "schedule: {weekly: [{days: [mon], start: 6 am}]}\n",
        9,
        "schedule.weekly.0.start",
        "'6 am'",
        "24:00",
        "",
    ),
    "day": (
        GOOD + "schedule: {weekly: [{days: [mo], start: 6:00}]}\n",
        9,
        "schedule.weekly.0.days.0",
        "'mo'",
        "'mon'",
        "'mon'",
    ),
    "waits": (GOOD + "retry: {request: {first_wait: 5m}}\n", 9, "retry.request", "5m", "not longer", ""),
    "stream named twice": (
        changed("[work_orders]", "[members, members]"),
        8,
        "streams",
        "'members' twice",
        "once",
        "",
    ),
    "type": (
        changed("streams: [work_orders]", STREAM + "types: {amount: decmal}"),
        10,
        "streams.work_orders.types.amount",
        "'decmal'",
        "decimal(18,2)",
        "",
    ),
    "filter zone": (
        changed("streams: [work_orders]", STREAM + "filter: {zone: Chicago}"),
        10,
        "streams.work_orders.filter.zone",
        "'Chicago'",
        "IANA",
        "",
    ),
    "not YAML": ("a: [\n", 2, "", "not YAML", "a YAML mapping", ""),
    "empty": ("", 1, "", "nothing", "`source`", "Write"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_explained(case: str) -> None:
    text, line, path, found, expected, remedy = CASES[case]
    problem = problems_of(text)[0]
    assert (problem.file, problem.line, problem.path) == (FILE, line, path)
    assert found in problem.found
    assert expected in problem.expected
    assert remedy in problem.remedy
    assert str(problem).startswith(
        f"connections/demo.yaml:{line}:" if problem.column else "connections/demo.yaml:1"
    )
    assert "\n" not in str(problem)
    assert str(problem).endswith((".", "?"))
    assert "Traceback" not in str(problem)
    assert "pydantic" not in str(problem)


def test_one_mistake_is_one_problem() -> None:
    several = {
        case: len(problems_of(given[0])) for case, given in CASES.items() if len(problems_of(given[0])) > 1
    }
    # There the rest of the source stands elsewhere; and a misspelt field is also one that is missing.
    assert set(several) == {"source that is a list", "unknown setting"}


def test_all_mistakes_of_a_file_are_found_at_once() -> None:
    text = (
        changed("acme", "acmee").replace("warehouse", "house").replace("[work_orders]", "[]")
        + "mode: x\nschedul: y\nlimits: {max_streams: 0}\n"
    )
    assert {problem.path for problem in problems_of(text)} == {
        "source.connector",
        "destination.kind",
        "streams",
        "mode",
        "schedul",
        "limits.max_streams",
    }


def test_the_error_of_a_connection_names_it_and_all_of_its_problems() -> None:
    with pytest.raises(InvalidConnection) as caught:
        parse_connection(
            GOOD + "a1: x\nb1: y\n", name="demo", connectors=CONNECTORS, destinations=DESTINATIONS
        )
    assert str(caught.value).startswith("connection 'demo': a1: unknown field 'a1'")
    assert "unknown field 'b1'" in str(caught.value)


def test_a_name_from_a_file_that_is_none_is_explained_with_one_that_is() -> None:
    with pytest.raises(InvalidConnection, match="name: acme_demo_2"):
        parse_connection(GOOD, name="Acme-Demo 2", connectors=CONNECTORS, destinations=DESTINATIONS)


def test_a_long_or_credential_like_value_of_a_setting_is_not_repeated() -> None:
    for value in ("postgresql://u:hunter2@h/db", "hunter2" * 20):
        (problem,) = problems_of(changed("a@example.com", f"a\n  port: '{value}'"))
        assert "hunter2" not in str(problem)
        assert "text of" in problem.found


def test_a_connector_with_a_defect_is_named_without_what_it_said() -> None:
    (problem,) = problems_of(changed("acme", "faulty"))
    assert "'faulty' failed with KeyError" in problem.found
    assert "hunter2" not in str(problem)


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 6), st.text("{}[]:,'\"-*&!|>#$ \n\ta0é")))
)
@settings(max_examples=300, deadline=None)
def test_a_file_damaged_anyhow_is_a_connection_or_explained(damages: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for place, count, inserted in damages:
        text = text[:place] + inserted + text[place + count :]
    found: tuple[Problem, ...] = ()
    try:
        parse_connection(text, name="demo", connectors=CONNECTORS, destinations=DESTINATIONS)
    except InvalidConnection as error:
        found = error.problems or (Problem(""),)
    assert all(problem.found and "\n" not in str(problem) for problem in found)
