"""Why units of a step are not done, in few words."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from treadle.model.records import UnitRecord
from treadle.model.states import Cause

UNITS_SHOWN = 3
LINES_SHOWN = 5


class Ended(Protocol):
    """A unit that has ended, as far as it is told of."""

    @property
    def index(self) -> int:
        """Its place in the step."""

    @property
    def cause(self) -> Cause | None:
        """Why it is not done."""

    @property
    def error(self) -> str | None:
        """What went wrong, for people to read."""


def causes_text(records: Iterable[UnitRecord]) -> str:
    """Return how many units are not done for which cause."""
    causes = Counter(str(record.cause) for record in records)
    return ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))


def tails_text(records: Sequence[Ended]) -> str:
    """Return the last lines of the errors of the first few units."""
    return "\n".join(_tail_text(record) for record in records[:UNITS_SHOWN])


def _tail_text(record: Ended) -> str:
    lines = [line for line in (record.error or "").splitlines() if line.strip()][-LINES_SHOWN:]
    tail = textwrap.indent("\n".join(lines), "    ")
    return f"unit {record.index}: {record.cause}\n{tail}".rstrip()
