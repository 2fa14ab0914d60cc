"""Remove Items: take items out of the dataset."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from treadle_tasks_mock.arguments import FLAG, TEXTS, Argument
from treadle_tasks_mock.behaviour import ends_in
from treadle_tasks_mock.command import Part, run

if TYPE_CHECKING:
    from types import SimpleNamespace

CHOICE = (
    Argument("remove", TEXTS, [], "Remove items whose URL ends in one of these; an empty text fits all."),
    Argument("delete_folders", FLAG, False, "Delete their folders too."),
)


def remove_items(asked: SimpleNamespace) -> dict[str, Any]:
    """Report the chosen items as removed."""
    chosen = [url for url in asked.zarr_urls if ends_in(url, asked.remove)]
    if asked.delete_folders:
        for url in chosen:
            shutil.rmtree(url)
    return {"image_list_removals": chosen}


PART = Part("RemoveItems", ("zarr_dir", "zarr_urls"), CHOICE, remove_items)


if __name__ == "__main__":
    run(PART)
