"""What can go wrong, as it is told to the user."""

from __future__ import annotations


class ClusterError(Exception):
    """Something the user must hear of.

    Args:
        what: What happened, and to what.
        detail: What to do, or another program's own words.
    """

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(f"{what}\n{detail}".strip())
