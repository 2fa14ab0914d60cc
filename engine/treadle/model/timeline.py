"""Timelines: when the steps of a run and its workers were at work, in as few bars as a picture can show.

Any number of units is merged into bars on a grid of equal slices of time, in time that grows with the number
of units and not with what they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from treadle.model.states import StepState, UnitState

SLICES = 500
"""Slices of time in the whole picture."""
MOST_WORKERS = 40
"""Workers with a row of their own; the others share one."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one time to another."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True, slots=True)
class StepSpan:
    """A step: its place, name and state, and when it began and ended, as far as it has."""

    position: int
    name: str
    state: StepState
    begin: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class UnitSpan:
    """A unit that has ended: its step, its worker, how it ended, when it began, and how long it took."""

    position: int
    worker: str
    state: UnitState
    begin: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class JobSpan:
    """A job that was a worker: the worker's name, the job's own, when it was submitted, began and ended."""

    worker: str
    label: str
    submitted: datetime
    begin: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that went on for a while.

    Attributes:
        kind: `step` or `job`, the frame of a row; `queued`; or how units ended: `done`, `failed`,
            `cancelled`.
        begin: Seconds from the timeline's begin.
        end: Likewise.
        text: What it was, for people.
    """

    kind: str
    begin: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A step or worker, with its bars from back to front."""

    name: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run over time.

    Attributes:
        title: What ran.
        span: From its submission to its end, or to now.
        steps: Rows of steps, in the order of execution.
        workers: Rows of workers, in the order of their first work.
    """

    title: str
    span: Span
    steps: Sequence[Row]
    workers: Sequence[Row]


def make_timeline(
    title: str, span: Span, steps: Sequence[StepSpan], units: Iterable[UnitSpan], jobs: Sequence[JobSpan] = ()
) -> Timeline:
    """Lay out a run.

    Args:
        title: What ran.
        span: The time that is shown.
        steps: Its steps in the order of execution.
        units: Its ended units, in any order, each seen once.
        jobs: Jobs that were its workers.
    """
    scale = _Scale(span)
    of_steps: dict[int, _Work] = {}
    of_workers: dict[str, _Work] = {}
    for unit in units:
        first, last = scale.slices(unit.begin, unit.begin + timedelta(seconds=unit.seconds))
        of_steps.setdefault(unit.position, _Work()).add(unit.state, first, last)
        of_workers.setdefault(unit.worker, _Work()).add(unit.state, first, last)
    step_rows = [
        Row(step.name, [*_step_frame(step, scale), *_bars(of_steps.get(step.position), scale)])
        for step in steps
    ]
    return Timeline(title, span, step_rows, _worker_rows(of_workers, jobs, scale))


class _Scale:
    """Between times and slices of the picture."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.slice_seconds = max(span.seconds, 1e-6) / SLICES

    def seconds(self, time: datetime | None) -> float:
        """Seconds from the begin, within the span; its end for what has not come."""
        end = self.span.seconds
        return end if time is None else min(max((time - self.span.begin).total_seconds(), 0.0), end)

    def slices(self, begin: datetime, end: datetime) -> tuple[int, int]:
        """The first slice of what went on from one time to another, and the last."""
        first, last = (int(self.seconds(time) / self.slice_seconds) for time in (begin, end))
        return min(first, SLICES - 1), min(last, SLICES - 1)


class _Work:
    """Units of one row: how many ended each way, by where they begin and where they end."""

    def __init__(self) -> None:
        self.changes: dict[UnitState, list[int]] = {}
        self.starts: dict[UnitState, list[int]] = {}
        self.first = SLICES

    def add(self, state: UnitState, first: int, last: int) -> None:
        """Take a unit that was at work from the first slice to the last."""
        if state not in self.changes:
            self.changes[state], self.starts[state] = [0] * (SLICES + 1), [0] * SLICES
        self.changes[state][first] += 1
        self.changes[state][last + 1] -= 1
        self.starts[state][first] += 1
        self.first = min(self.first, first)

    def merge(self, other: _Work) -> None:
        """Take the units of another row."""
        for state in other.changes:
            mine = self.changes.setdefault(state, [0] * (SLICES + 1))
            starts = self.starts.setdefault(state, [0] * SLICES)
            self.changes[state] = [a + b for a, b in zip(mine, other.changes[state], strict=True)]
            self.starts[state] = [a + b for a, b in zip(starts, other.starts[state], strict=True)]
        self.first = min(self.first, other.first)


def _bars(work: _Work | None, scale: _Scale) -> Iterator[Bar]:
    """Yield a bar for each stretch of slices in which units were at work that ended alike."""
    for state in (UnitState.DONE, UnitState.CANCELLED, UnitState.FAILED):
        if work is None or state not in work.changes:
            continue
        begin, started = None, 0
        for place, active in enumerate(accumulate(work.changes[state])):
            if active and begin is None:
                begin, started = place, 0
            if active:
                started += work.starts[state][place]
            elif begin is not None:
                yield _bar(state, begin, place, started, scale)
                begin = None


def _bar(state: UnitState, begin: int, end: int, units: int, scale: _Scale) -> Bar:
    counted = "1 unit" if units == 1 else f"{units} units"
    return Bar(state, begin * scale.slice_seconds, end * scale.slice_seconds, f"{counted} {state}")


def _step_frame(step: StepSpan, scale: _Scale) -> Iterator[Bar]:
    if step.begin is not None:
        text = f"{step.name}: {step.state.replace('_', ' ')}"
        yield Bar("step", scale.seconds(step.begin), scale.seconds(step.end), text)


def _worker_rows(works: dict[str, _Work], jobs: Sequence[JobSpan], scale: _Scale) -> list[Row]:
    by_worker = {job.worker: job for job in jobs}
    names = sorted(
        works.keys() | by_worker.keys(), key=lambda name: _order(works.get(name), by_worker.get(name))
    )
    rows = [
        Row(
            by_worker[name].label if name in by_worker else name,
            [*_job_frame(by_worker.get(name), scale), *_bars(works.get(name), scale)],
        )
        for name in names[:MOST_WORKERS]
    ]
    if others := names[MOST_WORKERS:]:
        together = _Work()
        for name in others:
            together.merge(works.get(name, _Work()))
        rows.append(Row(f"{len(others)} more", list(_bars(together, scale))))
    return rows


def _order(work: _Work | None, job: JobSpan | None) -> tuple[int, str]:
    return (work.first if work else SLICES, job.submitted.isoformat() if job else "")


def _job_frame(job: JobSpan | None, scale: _Scale) -> Iterator[Bar]:
    if job is None:
        return
    waited = scale.seconds(job.begin or job.end)
    yield Bar("queued", scale.seconds(job.submitted), waited, f"{job.label}: waiting in the queue")
    if job.begin is not None:
        yield Bar("job", scale.seconds(job.begin), scale.seconds(job.end), f"{job.label}: running")
