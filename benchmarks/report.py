"""What a campaign found: the table on the terminal, results.json, and docs/benchmarks.md.

results.json keeps one entry a workload; running one workload again replaces its entry only. Runs at another
scale than 1 go to `.bench/` instead, so that they never mix with full-size figures.
"""

import json
import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import CONTESTANTS
from benchmarks.venvs import HOME, ROOT, requirements
from benchmarks.workloads import WORKLOADS

FIGURES = (
    "wall_s",
    "cpu_s",
    "peak_bytes",
    "server_cpu_s",
    "wal_bytes",
    "rows_updated",
    "rows_deleted",
    "seconds",
)

INTRODUCTION = """# Benchmarks

Propexo Connect beside its peers and beside what a person would write by hand for just that job, in one run on
one machine. Each measurement is a whole process, from its start to its end; the contestants of a workload
alternate within a round, and a table shows the median of the rounds. After each measurement the destination
is read: rows, distinct keys and the sum of versions must be the source's, otherwise the measurement is void
and says why.

```
python -m benchmarks                                   # everything, three rounds
python -m benchmarks --only rest_duckdb --rounds 5
python -m benchmarks --contestants limit,ours,dlt --scale 0.1
```

The REST API is a process of its own on the loopback interface that serves rendered pages of 500 records of 22
fields, two of them nested, 380 kB a page. PostgreSQL is a throw-away server on the same machine, as source
and as destination: its CPU time competes with the contestant's and is shown in a column of its own. CPU is
user and system time of the contestant's processes; peak memory is that of its whole process tree. `write` is
the time inside the destination's transactions, where a contestant tells it. A contestant's first load may
only append; which one merges is said below.
"""


def machine() -> dict[str, Any]:
    """What the campaign ran on."""
    text = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def summarise(measurements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Step → medians of the measurements that count, spread and phases; or the reason there are none."""
    found: dict[str, dict[str, Any]] = {}
    for step in dict.fromkeys(measured["step"] for measured in measurements):
        of_step = [measured for measured in measurements if measured["step"] == step]
        counting = [measured for measured in of_step if measured["void"] is None]
        if not counting:
            found[step] = {"void": of_step[-1]["void"]}
            continue
        medians: dict[str, Any] = {
            name: statistics.median(measured[name] for measured in counting)
            for name in FIGURES
            if counting[0][name] is not None
        }
        walls = [measured["wall_s"] for measured in counting]
        medians |= {"rounds": len(counting), "fastest_s": min(walls), "slowest_s": max(walls)}
        medians["void_rounds"] = len(of_step) - len(counting)
        medians["phases"] = {
            name: statistics.median(
                measured["phases"][name] for measured in counting if name in measured["phases"]
            )
            for name in counting[0]["phases"]
        }
        found[step] = medians
    return found


def _rows(entry: dict[str, Any]) -> list[list[str]]:
    """Cells of one workload: a row for each step and contestant."""
    rows: list[list[str]] = []
    steps = list(dict.fromkeys(step for found in entry["summary"].values() for step in found))
    for step in steps:
        ours = entry["summary"].get("ours", {}).get(step, {}).get("wall_s")
        for name in CONTESTANTS:
            figures = entry["summary"].get(name, {}).get(step)
            if figures is None:
                continue
            if "wall_s" not in figures:
                rows.append([step, CONTESTANTS[name].title, f"void: {figures['void']}", *[""] * 7])
                continue
            records = entry["size"] if step != "run" or not entry["arriving"] else entry["arriving"]
            write = figures["phases"].get("write")
            rewritten = figures["rows_updated"] + figures["rows_deleted"]
            rows.append(
                [
                    step,
                    CONTESTANTS[name].title
                    + (f" ({figures['void_rounds']} void)" if figures["void_rounds"] else ""),
                    f"{figures['wall_s']:.2f} ({figures['fastest_s']:.2f}–{figures['slowest_s']:.2f})",
                    f"{figures['wall_s'] / ours:.1f} ×" if ours else "",
                    f"{write:.2f}" if write is not None else "",
                    f"{figures['cpu_s']:.2f}",
                    f"{figures['cpu_s'] / records * 1e6:.1f}",
                    f"{figures['peak_bytes'] / 2**20:.0f}",
                    f"{figures['server_cpu_s']:.2f}",
                    f"{figures['wal_bytes'] / 2**20:.0f} / {rewritten:,.0f}"
                    if entry["destination"] == "postgres"
                    else "",
                ]
            )
    return rows


HEADER = [
    "step", "contestant", "wall s (fastest–slowest)", "÷ ours", "write s", "CPU s", "CPU µs/record",
    "peak MiB", "server CPU s", "WAL MiB / rows rewritten",
]  # fmt: skip


def show(entry: dict[str, Any]) -> None:
    """Print one workload's table."""
    table = Table(
        *HEADER, title=f"{entry['workload']}: {entry['title']} (scale {entry['scale']})", title_justify="left"
    )
    for row in _rows(entry):
        table.add_row(*row)
    console = Console(width=200)
    console.print(table)
    console.print(f"goal: {entry['goal']}", highlight=False)
    for name, reason in entry["absent"].items():
        console.print(f"not entered: {name}: {reason}", highlight=False)


def _paths(scale: float) -> tuple[Path, Path]:
    if scale == 1:
        return ROOT / "benchmarks" / "results.json", ROOT / "docs" / "benchmarks.md"
    return HOME / f"results-{scale:g}.json", HOME / f"benchmarks-{scale:g}.md"


def store(
    entries: list[dict[str, Any]], scale: float, command: str, server_version: str
) -> tuple[Path, Path]:
    """Write results.json and the page; entries of workloads that did not run this time stay."""
    results, page = _paths(scale)
    kept = json.loads(results.read_text())["workloads"] if results.exists() else {}
    stamp = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": machine(),
        "postgresql": server_version,
    }
    merged = kept | {entry["workload"]: entry | stamp for entry in entries}
    ordered = {workload.name: merged[workload.name] for workload in WORKLOADS if workload.name in merged}
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({"peers": requirements(), "workloads": ordered}, indent=1) + "\n")
    page.write_text(markdown(ordered))
    return results, page


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def markdown(entries: dict[str, dict[str, Any]]) -> str:
    """The page: every workload's table, where and how it was run, and each contestant's configuration."""
    parts = [INTRODUCTION, "## Results\n"]
    if not entries:
        parts.append("No full-size run has been recorded yet: `python -m benchmarks` writes them here.\n")
    for entry in entries.values():
        host = entry["machine"]
        parts.append(
            f"### {entry['workload']}\n\n{entry['title']}. Goal: {entry['goal']}.\n\n"
            f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}"
        )
        parts[-1] += "".join(f"\n| {' | '.join(_cell(cell) for cell in row)} |" for row in _rows(entry))
        parts[-1] += "".join(
            f"\n\nNot entered: {name}: {reason}." for name, reason in entry["absent"].items()
        )
        parts.append(
            f"\n{entry['at'][:10]}, {host['cores']} cores ({host['cpu']}), {host['memory_gib']} GiB, Linux "
            f"{host['kernel']}, Python {host['python']}, PostgreSQL {entry['postgresql']}: "
            f"`{entry['command']}`\n"
        )
    parts.append("## Configurations\n\nOne paragraph each: what is set, and why that is its fast way.\n")
    parts += [
        f"**{contestant.title}** (`{name}`). {contestant.configuration}\n"
        for name, contestant in CONTESTANTS.items()
    ]
    parts.append("## Versions of the peers\n\n| environment | packages |\n|---|---|")
    parts[-1] += "".join(f"\n| {name} | {', '.join(lines)} |" for name, lines in requirements().items())
    return "\n".join(parts) + "\n"
