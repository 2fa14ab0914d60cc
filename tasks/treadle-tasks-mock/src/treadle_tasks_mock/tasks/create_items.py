"""Create Items: make items as small folders in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle_tasks_mock.command import Part, run
from treadle_tasks_mock.items import DESCRIBING, NUMBERING, create_item, item_urls, update

if TYPE_CHECKING:
    from types import SimpleNamespace


def create_items(asked: SimpleNamespace) -> dict[str, Any]:
    """Create the items; each has its number as attribute `index`."""
    urls = item_urls(asked)
    for index, url in enumerate(urls):
        create_item(url, {"index": index})
    updates = [update(asked, url, attributes={"index": index}) for index, url in enumerate(urls)]
    return {"image_list_updates": updates}


PART = Part("CreateItems", ("zarr_dir",), (*NUMBERING, *DESCRIBING), create_items)


if __name__ == "__main__":
    run(PART)
