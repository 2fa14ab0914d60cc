"""Lengths of time as people say them, and the marks of an axis."""

from __future__ import annotations

_UNITS = (
    (86_400.0, 86_400.0, "d"),
    (3600.0, 3600.0, "h"),
    (60.0, 60.0, "min"),
    (0.1, 1.0, "s"),
    (0.001, 0.001, "ms"),
)
"""From how many seconds on a unit is used, its length, and its name."""
_STEPS = (
    *(factor * power for power in (0.001, 0.01, 0.1, 1.0) for factor in (1.0, 2.0, 5.0)),
    *(10.0, 15.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600.0 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400.0 * days for days in (1, 2, 7, 14, 28, 91, 364)),
)


def duration_text(seconds: float) -> str:
    """Return a time in its largest unit, with three digits: `1.5 h`."""
    for least, size, name in _UNITS:
        if seconds >= least:
            return f"{_short(seconds / size)} {name}"
    return "0 s" if seconds <= 0 else f"{seconds * 1000:.2g} ms"


def ticks(seconds: float, most: int) -> list[float]:
    """Return round times from 0 to a length, so many at most, at equal distances of a usual size."""
    if seconds <= 0:
        return [0.0]
    step = next((step for step in _STEPS if seconds / step < most), seconds / most)
    return [number * step for number in range(int(seconds / step + 1e-9) + 1)]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
