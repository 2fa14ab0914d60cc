"""Derive Item: make a new item from each item."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle_tasks_mock.arguments import Argument
from treadle_tasks_mock.command import Part, run
from treadle_tasks_mock.items import DESCRIBING, create_item, update

if TYPE_CHECKING:
    from types import SimpleNamespace

SUFFIX = Argument(
    "suffix",
    {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"},
    "_derived",
    "What the name of the new item ends in.",
)


def derive_item(asked: SimpleNamespace) -> dict[str, Any]:
    """Create an item beside the given one, which is its origin."""
    url = asked.zarr_url + asked.suffix
    create_item(url, {"origin": Path(asked.zarr_url).name})
    return {"image_list_updates": [update(asked, url, origin=asked.zarr_url)]}


PART = Part("DeriveItem", ("zarr_url",), (SUFFIX, *DESCRIBING), derive_item)


if __name__ == "__main__":
    run(PART)
