"""Why units of a step are not done, in few words."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from treadle.model.records import UnitRecord

UNITS_SHOWN = 3
LINES_SHOWN = 5


def causes_text(records: Iterable[UnitRecord]) -> str:
    """Return how many units are not done for which cause."""
    causes = Counter(str(record.cause) for record in records)
    return ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))


def tails_text(records: Sequence[UnitRecord]) -> str:
    """Return the last lines of the errors of the first few units."""
    return "\n".join(_tail_text(record) for record in records[:UNITS_SHOWN])


def _tail_text(record: UnitRecord) -> str:
    lines = [line for line in (record.error or "").splitlines() if line.strip()][-LINES_SHOWN:]
    tail = textwrap.indent("\n".join(lines), "    ")
    return f"unit {record.index}: {record.cause}\n{tail}".rstrip()
