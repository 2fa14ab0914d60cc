"""Names of steps as they stand in the names of log files."""

from __future__ import annotations

import re


def step_label(position: int, name: str) -> str:
    """Return a name for a step's files that no other step of its run has."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "step"
    return f"{position:03d}-{slug}"
