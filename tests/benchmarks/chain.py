"""What a step costs beside its units."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.command_units import MOCK
from tests.benchmarks.readings import Reading, in_turn
from tests.benchmarks.site import Site


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """Ten steps after one another, each of one null unit under the command contract."""
    task = site.task(site.collect(str(MOCK)), "Act on Item").task.ref

    def run() -> float:
        return site.drive(site.submit([task] * 10, 1)).seconds

    [timed] = in_turn(1 if quick else 5, (1, run))
    yield Reading(
        "a chain of 10 null steps, one unit each, once the cluster is up",
        "",
        timed.seconds_per_unit,
        "s",
        "at most",
        2,
        {"treadle": timed.as_json()},
    )
