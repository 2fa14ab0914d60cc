"""Functions that workers can import, for runs of function units."""

from __future__ import annotations


def nothing(zarr_url: str) -> None:
    """Do nothing with an item."""
    del zarr_url
