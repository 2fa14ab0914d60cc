"""Create Items Apart, first part: list the items to make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle_tasks_mock.command import Part, run
from treadle_tasks_mock.items import NUMBERING, item_urls

if TYPE_CHECKING:
    from types import SimpleNamespace


def create_items_apart_init(asked: SimpleNamespace) -> dict[str, Any]:
    """List the items, one unit each."""
    urls = item_urls(asked)
    units = [{"zarr_url": url, "init_args": {"index": index}} for index, url in enumerate(urls)]
    return {"parallelization_list": units}


PART = Part("CreateItemsApartInit", ("zarr_dir",), NUMBERING, create_items_apart_init)


if __name__ == "__main__":
    run(PART)
