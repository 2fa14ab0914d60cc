"""Items as small folders on disk, and what is said about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle_tasks_mock.arguments import ATTRIBUTES, COUNT, TYPES, Argument
from treadle_tasks_mock.command import NULL

if TYPE_CHECKING:
    from types import SimpleNamespace

NUMBERING = (
    Argument("count", COUNT, 3, "How many items to create."),
    Argument(
        "prefix",
        {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"},
        "item",
        "What their names start with; _0000, _0001, ... follow.",
    ),
)
DESCRIBING = (
    Argument("attributes", ATTRIBUTES, {}, "Attributes to set; null removes one."),
    Argument("types", TYPES, {}, "Types to set."),
)
ANSWERING = (
    *DESCRIBING,
    Argument(
        "output",
        {"type": "string", "enum": ["nothing", "null", "empty", "updates"]},
        "nothing",
        "Write no out file, null, an empty object, or an update of each item.",
    ),
)


def item_urls(asked: SimpleNamespace) -> list[str]:
    """URLs of the items to create, in the dataset's folder."""
    return [f"{asked.zarr_dir.rstrip('/')}/{asked.prefix}_{number:04d}" for number in range(asked.count)]


def create_item(url: str, content: dict[str, Any]) -> None:
    """Make an item: a folder with one file, `data.json`."""
    folder = Path(url)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.json").write_text(json.dumps(content), encoding="utf-8")


def answer(asked: SimpleNamespace, urls: list[str]) -> object:
    """The output that `ANSWERING` describes."""
    if asked.output == "nothing":
        return None
    if asked.output == "null":
        return NULL
    if asked.output == "empty":
        return {}
    return {"image_list_updates": [update(asked, url) for url in urls]}


def update(asked: SimpleNamespace, url: str, **more: Any) -> dict[str, Any]:
    """An update of one item with the attributes and types that were asked for."""
    attributes = {**more.pop("attributes", {}), **asked.attributes}
    return {"zarr_url": url, **more, "attributes": attributes, "types": asked.types}
