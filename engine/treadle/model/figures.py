"""Figures of a step: how its units ended, how long they took, and what they used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.model.states import Cause, UnitState
from treadle.model.usage import BYTES_PER_MB

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Outcome:
    """Units of a step that ended alike, or have not ended.

    Attributes:
        state: How they ended; `planned` for those that have not.
        cause: Why they are not done.
        count: How many they are.
        p50_seconds: Half of them took no longer; None where none has ended, like the next two.
        p95_seconds: 95 of 100 took no longer.
        peak_memory_bytes: The most that one of them used.
        cpu_seconds: CPU time of all.
        retries: How often they were tried again, all together.
    """

    state: UnitState
    cause: Cause | None
    count: int
    p50_seconds: float | None
    p95_seconds: float | None
    peak_memory_bytes: int | None
    cpu_seconds: float
    retries: int

    @property
    def peak_memory_mb(self) -> float | None:
        """The most that one of them used."""
        return self.peak_memory_bytes / BYTES_PER_MB if self.peak_memory_bytes else None

    @property
    def cpu_hours(self) -> float:
        """CPU time of all."""
        return self.cpu_seconds / SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class StepFigures:
    """What is known of the units of one step.

    Attributes:
        outcomes: Those that ended alike, together.
        cached: How many were done before, in this run or an earlier one, and not run again.
    """

    outcomes: Sequence[Outcome] = ()
    cached: int = 0

    @property
    def done(self) -> Outcome | None:
        """Those that are done; None where there is none."""
        return next((one for one in self.outcomes if one.state is UnitState.DONE), None)

    @property
    def not_done(self) -> list[Outcome]:
        """Those that ended otherwise, by cause."""
        return [one for one in self.outcomes if one.state not in {UnitState.DONE, UnitState.PLANNED}]

    @property
    def open(self) -> int:
        """How many run, or wait to."""
        return sum(one.count for one in self.outcomes if one.state is UnitState.PLANNED)

    @property
    def units(self) -> int:
        """How many there are."""
        return sum(one.count for one in self.outcomes)

    @property
    def peak_memory_mb(self) -> float | None:
        """The most that a unit used."""
        return max((one.peak_memory_mb for one in self.outcomes if one.peak_memory_mb), default=None)

    @property
    def cpu_hours(self) -> float:
        """CPU time of all."""
        return sum(one.cpu_hours for one in self.outcomes)

    @property
    def retries(self) -> int:
        """How often units were tried again."""
        return sum(one.retries for one in self.outcomes)
