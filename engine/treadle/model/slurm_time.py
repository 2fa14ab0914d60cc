"""SLURM's time limits, as `sbatch --time` takes them."""

from __future__ import annotations

import math
import re

_LIMIT = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
_UNLIMITED = frozenset({"infinite", "unlimited", "0"})


def limit_seconds(text: str) -> int | None:
    """Return a limit in seconds; None where the text says that there is none.

    Its forms are minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
    days-hours:minutes:seconds; 0, "infinite" and "unlimited" are no limit.

    Raises:
        ValueError: The text is of no such form.
    """
    word = text.strip().lower()
    if word in _UNLIMITED:
        return None
    match = _LIMIT.fullmatch(word)
    if match is None:
        raise ValueError("must be a time limit as SLURM takes it, such as '30' (minutes) or '02:00:00'")
    days, *rest = match.groups()
    numbers = [int(number) for number in rest if number is not None]
    if days is not None:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:
        hours, (minutes, seconds) = 0, (*numbers, 0)[:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds or None


def limit_text(seconds: float) -> str:
    """Return a limit as days-hours:minutes:seconds, rounded up to a whole second."""
    minutes, second = divmod(math.ceil(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}-{hour:02}:{minute:02}:{second:02}"
