"""Durations and sizes as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from treadle.errors import UsageError

_AGE = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}


def age_seconds(option: str, text: str) -> float:
    """Read a duration such as `30d`, `12h` or `5m`.

    Raises:
        UsageError: It is none.
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{option} {text!r} is no duration.", remedy="Write weeks, days, hours or minutes: 30d."
        )
    return float(match[1]) * _SECONDS[match[2]]


def size_bytes(option: str, text: str) -> int:
    """Read a size such as `20GB` or `500MiB`, as bytes.

    Raises:
        UsageError: It is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} {text!r} is no size.", remedy="Write it as 20GB, 500MB or 10GiB.")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2]])


def size_text(size: int) -> str:
    """Return a number of bytes as people read it."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def when(seconds: float | None) -> datetime | None:
    """Return a time of a record as tables show it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
