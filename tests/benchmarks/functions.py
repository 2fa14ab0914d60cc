"""What the function units call, and what it is measured beside."""

from __future__ import annotations


def nothing(zarr_url: str) -> None:
    """Do nothing with an item."""
