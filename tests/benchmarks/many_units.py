"""A run of very many units: what it costs by the unit, in memory, in files and in Prefect, and its resume."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks.functions import nothing
from tests.benchmarks.readings import Reading, in_turn
from tests.benchmarks.site import Driven, Site

MEGABYTE = 1_000_000


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """No-op function units, ten times as many beside a tenth of them."""
    task = site.add_function(nothing)
    many = 1_000 if quick else 100_000
    few = many // 10
    driven: dict[int, Driven] = {}

    def run(count: int) -> float:
        driven[count] = site.drive(site.submit([task], count))
        return driven[count].seconds

    repeats = 1 if quick else 3
    large, small = in_turn(repeats, (many, lambda: run(many)), (few, lambda: run(few)))
    last = driven[many]
    rows = site.task_runs_in_prefect(last.run_id)
    files = site.files_of(last.run_id)
    assert rows == 1, f"{rows} task runs in Prefect for one step"
    assert len(files) <= 2 * site.slots, files
    what = f"{many:,} no-op function units in one run"
    details = {"treadle": large.as_json(), "beside": small.as_json(), "files": len(files), "rows": rows}
    yield Reading(
        what,
        f"{few:,} in one run",
        large.seconds_per_unit / small.seconds_per_unit,
        "times its time a unit",
        "at most",
        1.15,
        details,
    )
    peaks = {str(count): round(one.peak_memory_bytes / MEGABYTE) for count, one in driven.items()}
    yield Reading(
        what,
        "",
        last.peak_memory_bytes / MEGABYTE,
        "MB at the driver's peak",
        "at most",
        1000,
        {"peak_mb": peaks},
    )
    yield _resume(site, last.run_id, many, repeats)


def _resume(site: Site, run_id: int, many: int, repeats: int) -> Reading:
    """The whole command, from its start to its end."""

    def resume() -> float:
        begin = time.perf_counter()
        answer = site.command("resume", str(run_id))
        seconds = time.perf_counter() - begin
        assert answer["state"] == "done"
        return seconds

    [timed] = in_turn(repeats, (1, resume))
    return Reading(
        f"`treadle resume` of a finished run of {many:,} units",
        "",
        timed.seconds_per_unit,
        "s",
        "at most",
        5,
        {"treadle": timed.as_json()},
    )
