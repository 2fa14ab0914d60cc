"""Runs the benchmarks, prints their table, and writes it down for the documentation."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import (
    cached_calls,
    cached_units,
    chain,
    collecting,
    command_units,
    function_units,
    many_units,
    merging,
    on_slurm,
    prefect_database,
    project_image,
)
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.readings import Reading, Skipped
from tests.benchmarks.site import ROOT, Site, open_site

FILE = ROOT / "docs" / "benchmarks.json"

BENCHMARKS: dict[str, Callable[..., Iterator[Reading]]] = {
    "functions": function_units.measure,
    "commands": command_units.measure_null,
    "imports": command_units.measure_importing,
    "images": project_image.measure,
    "chain": chain.measure,
    "many": many_units.measure,
    "merging": merging.measure,
    "prefect": prefect_database.measure,
    "slurm": on_slurm.measure,
    "collecting": collecting.measure,
    "cache": cached_calls.measure,
    "reuse": cached_units.measure,
}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="tests/benchmarks/run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all if none")
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    machine = describe_machine()
    with tempfile.TemporaryDirectory(prefix="treadle-benchmarks-") as folder, open_site(Path(folder)) as site:
        for name in options.names or BENCHMARKS:
            try:
                rows = run(site, name, quick=options.quick)
            except Skipped as reason:
                sys.stdout.write(f"{name:10} SKIPPED: {reason}\n")
                continue
            if not options.quick:
                store(name, rows, machine)


def run(site: Site, name: str, *, quick: bool) -> list[dict[str, Any]]:
    """Run one benchmark and print its rows as they come."""
    rows = []
    for reading in BENCHMARKS[name](site, quick=quick):
        rows.append(reading.as_json())
        sys.stdout.write(f"{name:10} {line(rows[-1])}\n")
        sys.stdout.flush()
    return rows


def line(row: dict[str, Any]) -> str:
    """One row for the terminal."""
    aim = ""
    if row["target"] is not None:
        aim = f"  [{'reached' if row['reached'] else 'NOT REACHED'}: {row['bound']} {row['target']:g}]"
    beside = f" | beside {row['beside']}" if row["beside"] else ""
    return f"{row['what']}{beside}: {row['value']:g} {row['unit']}{aim}"


def store(name: str, rows: list[dict[str, Any]], machine: dict[str, object]) -> None:
    """Put the rows of one benchmark in the place of its last ones, with machine and day."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known[name] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine, "rows": rows}
    ordered = {key: known[key] for key in BENCHMARKS if key in known}
    FILE.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main()
