"""Looks after runs whose driver died."""

from __future__ import annotations

from treadle.settings import Settings


def look(settings: Settings) -> None:
    """Look once."""
    del settings
