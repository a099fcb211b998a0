"""The docs page of each connector and the directory of all, made from the connectors' own values.

    python -m propexo_connect.cli.pages [docs/connectors]

A page without the mark in its first line was written by hand, and is left as it is.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from propexo_connect.cli.facts import ConnectorFacts, SettingFacts, facts_of
from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.catalogue import CONNECTORS

MARK = "<!-- made by `make docs` from the connector's values -->"
DIRECTORY = "README.md"

_TESTED = {
    "simulator": "a simulator made from the facts above, not from this connector",
    "specification": "the vendor's official specification",
    "recorded": "recorded answers",
    "live": "a live account",
}


def page(facts: ConnectorFacts) -> str:
    """One connector's page."""
    own = [setting for setting in facts.settings if not setting.is_common]
    common = [setting for setting in facts.settings if setting.is_common]
    required = [setting for setting in own if setting.default == "required"]
    parts = [
        MARK,
        f"# {facts.title}",
        f"Category: {facts.category}. Status: **{facts.status}**."
        + (" Facts that nobody could confirm are settings; see below." if facts.status == "preview" else ""),
        f"```text\n{facts.passport}\n```",
        "```yaml\nsource:\n"
        + f"  connector: {facts.name}\n"
        + "".join(_example(facts.name, one) for one in required)
        + "```",
        "## Settings\n\n"
        + _table(
            ("setting", "default", "meaning"),
            ((f"`{one.name}`", _code(one.default), one.meaning) for one in own),
        ),
        "Settings that every HTTP connector has:\n\n"
        + _table(
            ("setting", "default", "meaning"),
            ((f"`{one.name}`", _code(one.default), one.meaning) for one in common),
        ),
        "## Streams\n\nThose that the plan describes; see the [guide to plans](../adding-a-connector.md)."
        if not facts.streams
        else "## Streams\n\n"
        + _table(
            ("stream", "what", "key", "cursor", "asked for by", "read through"),
            (
                (
                    f"`{one.name}`",
                    one.description,
                    _code(one.key),
                    _code(one.cursor),
                    one.asked,
                    _code(one.parent),
                )
                for one in facts.streams
            ),
        ),
        _again(facts),
        _bullets("## What the vendor cannot answer", facts.cannot),
        _bullets(
            "## Left out unless revealed",
            (f"`{one.name}`: {', '.join(one.sensitive)}" for one in facts.streams if one.sensitive),
        ),
        _bullets(
            "## Hidden by the vendor",
            (f"`{one.name}`: {note}" for one in facts.streams for note in one.hides),
        ),
        _bullets("## Not confirmed", facts.unconfirmed),
        "## How it is read\n\n"
        + f"Logs in {'; '.join(facts.log_ins) or 'without credentials'}. Pages: {facts.paging}. "
        + (f"Limits kept: {'; '.join(facts.limits)}." if facts.limits else "The vendor publishes no limits."),
        f"Tested against {'; '.join(_TESTED.get(one, one) for one in facts.tested)}.",
        f"Try it without an account: `propexo-connect simulate {facts.name}`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def directory(all_facts: Iterable[ConnectorFacts]) -> str:
    """The page that lists all connectors."""
    rows = [
        (
            f"[{facts.title}]({facts.name}.md)",
            f"`{facts.name}`",
            facts.category,
            facts.status,
            str(len(facts.streams)) if facts.streams else "as the system has",
            ", ".join(one.name for one in facts.streams),
        )
        for facts in sorted(all_facts, key=lambda facts: (facts.category, facts.title.lower()))
    ]
    head = (
        "Find one: search this page for a system, a category or a stream, "
        "or `propexo-connect connectors --find WORD`."
    )
    table = _table(("system", "connector", "category", "status", "streams", "their names"), rows)
    return f"{MARK}\n\n# Connectors\n\n{head}\n\n{table}\n"


def pages(folder: Path) -> dict[Path, str]:
    """Every page that is made, with its text."""
    all_facts = [facts_of(CONNECTORS[name]) for name in CONNECTORS]
    made = {folder / DIRECTORY: directory(all_facts)}
    for facts in all_facts:
        path = folder / f"{facts.name}.md"
        is_by_hand = path.exists() and not path.read_text(encoding="utf-8").startswith(MARK)
        if isinstance(CONNECTORS[facts.name], ApiConnector) and not is_by_hand:
            made[path] = page(facts)
    return made


def _again(facts: ConnectorFacts) -> str:
    """What is read again because changes do not show."""
    lines = [
        f"`{one.name}`: "
        + "; ".join(
            part
            for part in (
                f"each sync reads {one.lookback} again" if one.lookback else "",
                f"all of it every {one.full_every}" if one.full_every else "",
            )
            if part
        )
        for one in facts.streams
        if one.lookback or one.full_every
    ]
    return _bullets("Read again, because later changes do not show otherwise:", lines)


def _example(connector: str, setting: SettingFacts) -> str:
    variable = f"{connector}_{setting.name}".upper()
    return f"  {setting.name}: {f'${{{variable}}}' if setting.is_secret else '…'}\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _bullets(title: str, lines: Iterable[str]) -> str:
    held = [f"- {line}" for line in lines]
    return f"{title}\n\n" + "\n".join(held) if held else ""


def _code(text: str) -> str:
    return f"`{text}`" if text and text != "required" else text


def main() -> None:
    """Write the pages anew."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/connectors")
    for path, text in pages(folder).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
