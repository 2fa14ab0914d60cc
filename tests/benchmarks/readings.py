"""What a benchmark finds: one value a row, beside what it was measured against and what is to be reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal


class Skipped(Exception):
    """This machine has not what a benchmark needs; the text says what."""


@dataclass(frozen=True)
class Reading:
    """One row of the table.

    Attributes:
        what: What was measured.
        beside: What it was compared with; empty where it stands alone.
        value: The figure.
        unit: What follows the figure in a sentence, such as `times the rate`.
        bound: Whether the target is a least or a largest value.
        target: What is to be reached; None where nothing was asked for.
        details: The measurements behind it, by name.
    """

    what: str
    beside: str
    value: float
    unit: str
    bound: Literal["at least", "at most"]
    target: float | None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.bound == "at least" else self.value <= self.target

    def as_json(self) -> dict[str, Any]:
        """The row as it is stored."""
        return {
            "what": self.what,
            "beside": self.beside,
            "value": significant(self.value),
            "unit": self.unit,
            "bound": self.bound,
            "target": self.target,
            "reached": self.reached,
            "details": self.details,
        }


@dataclass(frozen=True)
class Timed:
    """Repeated measurements of one way to run units: seconds a unit."""

    units: int
    seconds: tuple[float, ...]

    @property
    def seconds_per_unit(self) -> float:
        """The median over the repeats."""
        return statistics.median(self.seconds) / self.units

    def as_json(self) -> dict[str, Any]:
        """Number of units, and the seconds of each repeat."""
        return {"units": self.units, "seconds": [round(seconds, 3) for seconds in self.seconds]}


def in_turn(repeats: int, *sides: tuple[int, Callable[[], float]]) -> list[Timed]:
    """Measure all sides once, then all once more, so that what disturbs the machine disturbs all alike.

    Args:
        repeats: How often.
        sides: Number of units of each side, and what runs them and returns its seconds.
    """
    rounds = [[measure() for _, measure in sides] for _ in range(repeats)]
    return [
        Timed(units, tuple(seconds))
        for (units, _), seconds in zip(sides, zip(*rounds, strict=True), strict=True)
    ]


def significant(value: float) -> float:
    """Three significant digits: more would say nothing about another machine."""
    return float(f"{value:.3g}")
