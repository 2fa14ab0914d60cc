"""Units under the full command contract beside one subprocess a unit."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.beside_processes import one_process_per_unit
from tests.benchmarks.readings import Reading, Timed, in_turn
from tests.benchmarks.site import ROOT, MakeItems, Site, item_urls

from treadle.model.task import InstalledTask

MOCK = ROOT / "tasks" / "treadle-tasks-mock"
IMPORTING = ROOT / "tests" / "benchmarks" / "packages" / "treadle-benchmark-imports"
BESIDE = "one subprocess a unit, as many at once"


def measure_null(site: Site, *, quick: bool) -> Iterator[Reading]:
    """A task on the standard library alone."""
    task = site.task(site.collect(str(MOCK)), "Act on Item")
    count = 20 if quick else 1000
    run, processes = compare(site, task, item_urls, (count, min(count, 200)), quick=quick)
    what = f"{count:,} null units of the mock package (standard library only)"
    details = {"treadle": run.as_json(), "beside": processes.as_json()}
    yield Reading(what, BESIDE, ratio(run, processes), "times its rate", "at least", 8, details)
    milliseconds = run.seconds_per_unit * 1000
    yield Reading(
        what, "", milliseconds, f"ms of wall time a unit on {site.slots} cores", "at most", 6, details
    )


def measure_importing(site: Site, *, quick: bool) -> Iterator[Reading]:
    """A task that imports numpy and pydantic and does nothing with them."""
    task = site.task(site.collect(str(IMPORTING)), "Null")
    count = 20 if quick else 1000
    run, processes = compare(site, task, item_urls, (count, min(count, 60)), quick=quick)
    yield Reading(
        f"{count:,} null units of a task that imports numpy and pydantic",
        BESIDE,
        ratio(run, processes),
        "times its rate",
        "at least",
        30,
        {"treadle": run.as_json(), "beside": processes.as_json()},
    )


def compare(
    site: Site,
    task: InstalledTask,
    make_items: MakeItems,
    counts: tuple[int, int],
    *,
    quick: bool,
) -> list[Timed]:
    """Measure a run of a task, and the same task in a process a unit, in turn.

    Args:
        site: Where the run is.
        task: The task.
        make_items: Makes so many items in a folder; each measurement has items of its own.
        counts: Units of the run, and of the processes, which take longer.
        quick: Measure once.
    """
    many, few = counts

    def ours() -> float:
        return site.drive(site.submit([task.task.ref], many, make_items, task.task.input_types)).seconds

    def theirs() -> float:
        return one_process_per_unit(task, make_items(site.new_folder(), few), site.slots)

    return in_turn(1 if quick else 3, (many, ours), (few, theirs))


def ratio(run: Timed, processes: Timed) -> float:
    """How many times the rate of the processes the run has."""
    return processes.seconds_per_unit / run.seconds_per_unit
