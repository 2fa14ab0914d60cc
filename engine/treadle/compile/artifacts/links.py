"""Where the server shows a run's logs, timeline and pictures: paths on its own origin, through any proxy."""

from __future__ import annotations

from urllib.parse import urlencode

PAGES = "/treadle/runs"


def log_path(run_id: int, *, step: str | None = None, failed: bool = False) -> str:
    """Return the path of what units printed: all units of a run, or those of a step, or its failed ones."""
    asked = {"step": step, "failed": "true" if failed else None}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return f"{PAGES}/{run_id}/log" + (f"?{query}" if query else "")


def timeline_path(run_id: int) -> str:
    """Return the path of a run's timeline."""
    return f"{PAGES}/{run_id}/timeline.svg"


def picture_path(run_id: int, position: int, unit: int, number: int) -> str:
    """Return the path of a picture: run, place of the step, unit, place in the unit's output."""
    return f"{PAGES}/{run_id}/pictures/{position}/{unit}/{number}"
