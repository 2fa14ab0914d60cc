"""Units in SLURM jobs beside the local cluster, on a SLURM of this machine with four nodes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.benchmarks.command_units import MOCK
from tests.benchmarks.readings import Reading, Skipped, Timed, in_turn
from tests.benchmarks.site import LOCALLY, ROOT, Driven, Place, Site

from treadle.errors import ClusterError
from treadle.ledger import jobs, runs, units
from treadle.ledger.units import UnitEntry
from treadle.model.profile import ClusterProfile
from treadle.testing.slurm import DevelopmentSlurm

NODES = 4
STEPS = 10
CALLS = "calls"

PROFILE: dict[str, object] = {
    "host": "127.0.0.1",
    "max_jobs": NODES,
    "job_time": "00:10:00",
    "defaults": {"partition": "short,long", "directives": ["--exclusive"]},
}
"""Each job has one unit at once and a node for itself: as many slots as the local cluster beside it."""


@dataclass(frozen=True)
class Aftermath:
    """What is left of a run that has ended.

    Attributes:
        noticed_seconds: From the end of the last unit to the end of its step.
        calls: Calls of sbatch, refused ones included.
        workers: Workers that ran units: a short run is over before the last of them is up.
        files: Files that it left.
    """

    noticed_seconds: float
    calls: int
    workers: int
    files: int


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """The targets that a cluster has beside those of the engine."""
    with open_slurm(site) as place:
        yield from _null_units(site, place, quick=quick)
        yield from _chain(site, place, quick=quick)


@contextmanager
def open_slurm(site: Site) -> Iterator[Place]:
    """Start SLURM; drivers of runs at that place know it.

    Raises:
        Skipped: There can be none on this machine; where CI wants to know, that is the error it is.
    """
    script = ROOT / "deployments" / "slurm" / "cluster"
    slurm = DevelopmentSlurm(script, site.settings.home / "slurm", nodes=NODES)
    try:
        slurm.install()
    except ClusterError as error:
        if os.environ.get("CI") == "true":
            raise
        raise Skipped(f"{error} {error.detail}") from error
    variables = {
        "PATH": f"{count_calls(site)}:{os.environ['PATH']}",
        "TREADLE_CLUSTERS": json.dumps({"slurm": PROFILE}),
    }
    with slurm:
        yield Place("slurm", ClusterProfile.model_validate(PROFILE), {**slurm.environment, **variables})


def count_calls(site: Site) -> Path:
    """Make a folder for the front of PATH, with an sbatch that writes down that it was called."""
    folder = site.settings.home / "counting"
    folder.mkdir()
    (folder / CALLS).touch()
    program = folder / "sbatch"
    program.write_text(f'#!/bin/sh\necho >>"{folder / CALLS}"\nexec {shutil.which("sbatch")} "$@"\n')
    program.chmod(0o700)
    return folder


def calls_so_far(site: Site) -> int:
    """How often sbatch was called."""
    return (site.settings.home / "counting" / CALLS).read_text().count("\n")


def _null_units(site: Site, place: Place, *, quick: bool) -> Iterator[Reading]:
    task = site.task(site.collect(str(MOCK)), "Act on Item").task.ref
    count = 40 if quick else 1000
    beside = LOCALLY.with_workers(NODES)
    ended: list[Aftermath] = []

    def local() -> float:
        return site.drive(site.submit([task], count), beside).seconds

    def remote() -> float:
        before = calls_so_far(site)
        driven = site.drive(site.submit([task], count, place=place), place)
        ended.append(aftermath(site, driven, calls_so_far(site) - before))
        return driven.seconds

    def start() -> float:
        return float(site.answer(["tests.benchmarks.starting", str(NODES)], place)["seconds"])

    ours, theirs, starting = in_turn(1 if quick else 3, (count, remote), (count, local), (1, start))
    what = f"{count:,} null units of the mock package in {NODES} SLURM jobs, each on a node of its own"
    details = {
        "treadle": ours.as_json(),
        "beside": theirs.as_json(),
        "starting": starting.as_json(),
        "workers": [one.workers for one in ended],
    }
    yield Reading(
        f"{what}, without the time in which SLURM starts {NODES} workers",
        f"the local cluster with {NODES} slots",
        (median(ours) - median(starting)) / median(theirs),
        "times its time",
        "at most",
        1.3,
        details,
    )
    noticed = max(one.noticed_seconds for one in ended)
    yield Reading(
        f"{what}: the step's end after that of its last unit", "", noticed, "s", "at most", 1, details
    )
    calls = max(one.calls for one in ended)
    yield Reading(f"{what}: calls of sbatch", "", calls, "calls", "at most", NODES, details)
    files = max(one.files for one in ended)
    yield Reading(f"{what}: files left", "", files, "files", "at most", 29, details)


def _chain(site: Site, place: Place, *, quick: bool) -> Iterator[Reading]:
    """The first step brings a worker up; the end of its unit begins the clock, and the run's end stops it."""
    task = site.task(site.collect(str(MOCK)), "Act on Item").task.ref
    steps = 3 if quick else STEPS

    def run() -> float:
        driven = site.drive(site.submit([task] * (1 + steps), 1, place=place), place)
        with site.ledger.reading() as tx:
            ended_at = runs.load_run(tx, driven.run_id).ended_at
            entries = units.list_units(tx, driven.run_id, 0)
        assert ended_at is not None
        return (ended_at - last_end(entries)).total_seconds()

    [timed] = in_turn(1 if quick else 5, (steps, run))
    yield Reading(
        f"a chain of {steps} null steps on SLURM, one unit each, once a worker is up",
        "",
        timed.seconds_per_unit,
        "s a step",
        "at most",
        1,
        {"treadle": timed.as_json()},
    )


def aftermath(site: Site, driven: Driven, calls: int) -> Aftermath:
    """Look at a run of one step that has ended, for which sbatch was called so often."""
    with site.ledger.reading() as tx:
        [step] = runs.load_run(tx, driven.run_id).steps
        entries = units.list_units(tx, driven.run_id, step.position)
        submitted = len(jobs.list_jobs(tx, driven.run_id))
    assert step.ended_at is not None
    assert calls >= submitted > 0, calls
    of_jobs = [path for path in (site.settings.home / "clusters").rglob("*") if path.is_file()]
    return Aftermath(
        noticed_seconds=(step.ended_at - last_end(entries)).total_seconds(),
        calls=calls,
        workers=len({entry.worker for entry in entries}),
        files=len(of_jobs) + len(site.files_of(driven.run_id)),
    )


def last_end(entries: Sequence[UnitEntry]) -> datetime:
    """Return when the last of units ended, by its worker's clock."""
    return max(
        entry.started_at + timedelta(seconds=entry.seconds)
        for entry in entries
        if entry.started_at is not None and entry.seconds is not None
    )


def median(timed: Timed) -> float:
    """Seconds of one whole measurement."""
    return timed.seconds_per_unit * timed.units
