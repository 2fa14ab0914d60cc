"""Names as people write them: which of them are equal, and what to say of one that nothing has."""

from __future__ import annotations

import re
from collections.abc import Collection

from treadle.errors import UnknownName

_SHOWN = 20


def normalise_name(name: str) -> str:
    """The one spelling of a package's name: lower case, runs of `-`, `_` and `.` as one `-`.

    Source: the packaging specification "Names and normalization", and Fractal 1.11.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def unknown_name(kind: str, name: str, known: Collection[str]) -> UnknownName:
    """The error for a name that nothing of its kind has; it lists the names that exist."""
    shown = ", ".join(repr(other) for other in sorted(known)[:_SHOWN])
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    exist = f"There are: {shown}{more}." if known else f"There is no {kind} yet."
    return UnknownName(f"There is no {kind} named {name!r}.", remedy=exist)
