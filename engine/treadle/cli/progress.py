"""What a person sees while a run goes on: bars on a terminal, a line per step elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from treadle.cli.output import STATE_STYLES, note
from treadle.clusters.notices import heard_by
from treadle.compile.observer import Observer
from treadle.model.states import StepState


@contextmanager
def watching(steps: list[str]) -> Iterator[Observer]:
    """Show the progress of a run on standard error while the context lasts.

    Args:
        steps: Names of the steps in order of execution.
    """
    with heard_by(note), _watching(steps) as observer:
        yield observer


@contextmanager
def _watching(steps: list[str]) -> Iterator[Observer]:
    if not sys.stderr.isatty():
        yield Lines()
        return
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[state]}", style="dim"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with progress:
        bars = Bars(progress, steps)
        try:
            yield bars
        finally:
            bars.close()


@dataclass
class _Counts:
    name: str = ""
    units: int = 0
    done: int = 0
    failed: int = 0
    cached: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        cached = f", {self.cached} cached" if self.cached else ""
        return f"{self.done + self.failed}/{self.units}{failed}{cached}"


class Bars(Observer):
    """A bar per step."""

    def __init__(self, progress: Progress, steps: list[str]) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        width = max((len(name) for name in steps), default=0)
        self._counts = [_Counts(name) for name in steps]
        self._tasks: list[TaskID] = [
            progress.add_task(name.ljust(width), start=False, total=None, count="", state="waits")
            for name in steps
        ]

    def step_started(self, position: int, name: str) -> None:
        """Start the step's clock."""
        del name
        self._progress.start_task(self._tasks[position])
        self._progress.update(self._tasks[position], state="runs")

    def units_planned(self, position: int, count: int) -> None:
        """Lengthen the bar."""
        with self._lock:
            self._counts[position].units += count
        self._draw(position)

    def units_ended(self, position: int, done: int, failed: int) -> None:
        """Fill the bar."""
        with self._lock:
            self._counts[position].done += done
            self._counts[position].failed += failed
        self._draw(position)

    def units_reused(self, position: int, count: int) -> None:
        """Say how many did not run."""
        with self._lock:
            self._counts[position].cached += count
        self._draw(position)

    def step_ended(self, position: int, state: StepState) -> None:
        """Stop the step's clock."""
        text = state.replace("_", " ")
        self._progress.update(self._tasks[position], state=text, style=STATE_STYLES.get(text, ""))
        self._progress.stop_task(self._tasks[position])

    def close(self) -> None:
        """Say of the steps that never started that they did not run."""
        for task in self._progress.tasks:
            if task.start_time is None:
                self._progress.update(task.id, state="not run")

    def _draw(self, position: int) -> None:
        counts = self._counts[position]
        ended = counts.done + counts.failed
        self._progress.update(self._tasks[position], total=counts.units, completed=ended, count=counts.text)


class Lines(Observer):
    """A line when a step starts and when it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[int, _Counts] = {}

    def step_started(self, position: int, name: str) -> None:
        """Say that it runs."""
        with self._lock:
            self._counts[position] = _Counts(name)
        note(f"{name} ...")

    def units_planned(self, position: int, count: int) -> None:
        """Count."""
        with self._lock:
            self._counts[position].units += count

    def units_ended(self, position: int, done: int, failed: int) -> None:
        """Count."""
        with self._lock:
            self._counts[position].done += done
            self._counts[position].failed += failed

    def units_reused(self, position: int, count: int) -> None:
        """Count."""
        with self._lock:
            self._counts[position].cached += count

    def step_ended(self, position: int, state: StepState) -> None:
        """Say how it ended."""
        with self._lock:
            counts = self._counts.get(position)
        if counts is not None:
            seconds = time.monotonic() - counts.started
            note(f"{counts.name}: {state.replace('_', ' ')}, {counts.text} units, {seconds:.1f} s")
