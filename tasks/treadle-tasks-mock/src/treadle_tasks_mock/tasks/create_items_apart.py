"""Create Items Apart, second part: make one item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle_tasks_mock.command import Part, run
from treadle_tasks_mock.items import DESCRIBING, create_item, update

if TYPE_CHECKING:
    from types import SimpleNamespace


def create_items_apart(asked: SimpleNamespace) -> dict[str, Any]:
    """Create one item with its number as attribute `index`."""
    create_item(asked.zarr_url, asked.init_args)
    return {"image_list_updates": [update(asked, asked.zarr_url, attributes=asked.init_args)]}


PART = Part("CreateItemsApart", ("zarr_url", "init_args"), DESCRIBING, create_items_apart)


if __name__ == "__main__":
    run(PART)
