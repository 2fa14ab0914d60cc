"""Cached calls beside those of fleche, joblib, diskcache and Prefect, in one run."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.caches import Way, fleche_caches, others, treadle_caches
from tests.benchmarks.functions_cached import add, megabyte, total
from tests.benchmarks.many_calls import ask, fill
from tests.benchmarks.readings import Reading, Timed, in_turn
from tests.benchmarks.site import ROOT, Site

_HIT = "a hit, arguments a number and a default"
_STORE = "a call that is made and kept in files"
_ARRAY = "a hit, argument an array of 1 MB"


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """Each way is warm; ways of a row take turns, many calls each."""
    with tempfile.TemporaryDirectory(prefix="treadle-cached-") as name:
        folder = Path(name)
        ways = (treadle_caches(folder), fleche_caches(folder), others(folder))
        yield from _scalar_hits(*ways, quick=quick)
        yield from _stores(*ways, quick=quick)
        yield from _array_hits(*ways, quick=quick)
        yield from _prefect(site, ways[0]["files"], quick=quick)
        yield _query(folder, quick=quick)
        yield _single_flight(folder)
    yield _import(quick=quick)


def _scalar_hits(
    treadle: dict[str, Way], fleche: dict[str, Way], other: dict[str, Way], *, quick: bool
) -> Iterator[Reading]:
    calls = 50 if quick else 2000
    for kind, targets in (
        ("memory", {"fleche in memory": 0.7, "joblib.Memory": 1.0}),
        ("files", {"fleche in files": 0.7}),
        ("SQLite", {"fleche in SQLite": 0.7}),
    ):
        sides = [treadle[kind], fleche[kind], *other.values()]
        timed = _hits(sides, add, [7] * calls, quick=quick)
        yield from _ratios(f"{_HIT}: {kind}", sides, timed, targets)


def _stores(
    treadle: dict[str, Way], fleche: dict[str, Way], other: dict[str, Way], *, quick: bool
) -> Iterator[Reading]:
    numbers = itertools.count(1000)
    sides = [treadle["files"], fleche["files"], *other.values()]
    calls = 10 if quick else 300

    def run(way: Way) -> Callable[[], float]:
        kept = way.wrap(add)
        return lambda: way.seconds(kept, [next(numbers) for _ in range(calls)])

    timed = in_turn(_rounds(quick=quick), *((calls, run(way)) for way in sides))
    yield from _ratios(_STORE, sides, timed, {"fleche in files": 0.6})


def _array_hits(
    treadle: dict[str, Way], fleche: dict[str, Way], other: dict[str, Way], *, quick: bool
) -> Iterator[Reading]:
    calls = 5 if quick else 100
    sides = [treadle["files"], fleche["files"], other["joblib"]]
    timed = _hits(sides, total, [megabyte()] * calls, quick=quick)
    yield from _ratios(_ARRAY, sides, timed, {"fleche in files": 0.7})


def _hits(sides: list[Way], function: Any, arguments: list[Any], *, quick: bool) -> list[Timed]:
    def run(way: Way) -> Callable[[], float]:
        kept = way.wrap(function)
        way.seconds(kept, arguments[:1])
        return lambda: way.seconds(kept, arguments)

    return in_turn(_rounds(quick=quick), *((len(arguments), run(way)) for way in sides))


def _ratios(what: str, sides: list[Way], timed: list[Timed], targets: dict[str, float]) -> Iterator[Reading]:
    """The first side beside each of the others."""
    own = timed[0]
    for way, beside in zip(sides[1:], timed[1:], strict=True):
        yield Reading(
            what=what,
            beside=way.name,
            value=own.seconds_per_unit / beside.seconds_per_unit,
            unit="times its time",
            bound="at most",
            target=targets.get(way.name),
            details={"treadle": own.as_json(), "beside": beside.as_json()},
        )


def _prefect(site: Site, way: Way, *, quick: bool) -> Iterator[Reading]:
    """A task run that Prefect finds completed before, inside a flow, on this site's server."""
    calls = 3 if quick else 40
    kept = way.wrap(add)
    own, beside = in_turn(
        1 if quick else 3,
        (calls, lambda: way.seconds(kept, [7] * calls)),
        (calls, lambda: float(site.answer(["tests.benchmarks.beside_prefect", str(calls)]))),
    )
    yield Reading(
        what=f"{_HIT}: files",
        beside=f"Prefect's cached task ({calls} calls)",
        value=own.seconds_per_unit / beside.seconds_per_unit,
        unit="times its time",
        bound="at most",
        target=None,
        details={"treadle": own.as_json(), "beside": beside.as_json()},
    )


def _query(folder: Path, *, quick: bool) -> Reading:
    """Calls with one argument's value, among a million in SQLite; every value is asked for once."""
    calls = 2_000 if quick else 1_000_000
    storage = fill(folder / "many.sqlite", calls)
    asked = 20 if quick else 200
    [timed] = in_turn(1 if quick else 5, (asked, lambda: ask(storage, calls, asked)))
    return Reading(
        what=f"a query by the value of an argument over {calls:,} calls in SQLite, 10 found",
        beside="",
        value=timed.seconds_per_unit * 1000,
        unit="ms",
        bound="at most",
        target=20,
        details={"treadle": timed.as_json()},
    )


def _single_flight(folder: Path) -> Reading:
    """Processes whose threads make the same call at once."""
    processes, threads = 8, 8
    made = folder / "made"
    made.mkdir()
    words = [
        sys.executable,
        "-m",
        "tests.benchmarks.same_call",
        str(folder / "shared"),
        str(made),
        str(threads),
    ]
    begin = time.perf_counter()
    running = [subprocess.Popen(words, cwd=ROOT) for _ in range(processes)]
    assert [each.wait() for each in running] == [0] * processes
    seconds = time.perf_counter() - begin
    return Reading(
        what=f"{processes} processes of {threads} threads make the same call at once",
        beside="",
        value=len(list(made.iterdir())),
        unit="times its body runs",
        bound="at most",
        target=1,
        details={"treadle": {"units": processes * threads, "seconds": [round(seconds, 3)]}},
    )


def _import(*, quick: bool) -> Reading:
    """In fresh interpreters, whose own start does not count; compiled files are in place."""
    code = (
        "import time; begin = time.perf_counter(); import treadle.cache; print(time.perf_counter() - begin)"
    )

    def run() -> float:
        command = [sys.executable, "-c", code]
        return float(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))

    run()
    [timed] = in_turn(1 if quick else 15, (1, run))
    return Reading(
        what="the import of `treadle.cache` in a fresh interpreter",
        beside="",
        value=timed.seconds_per_unit,
        unit="s",
        bound="at most",
        target=0.15,
        details={"treadle": timed.as_json()},
    )


def _rounds(*, quick: bool) -> int:
    return 2 if quick else 9
