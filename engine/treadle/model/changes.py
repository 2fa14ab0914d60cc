"""What one step changes in a dataset, and whether two steps that run side by side contradict each other.

The rule of branches: a step sees what the steps that it needs have left, and nothing of the others; what it
changes is put over what the others changed. Two steps that do not need one another may change the same item,
but neither the same attribute or type to different values, nor may one of them remove it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from treadle.model.constrained import Scalar
from treadle.model.dataset import Item
from treadle.model.merging import identical


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What became of an item that was there: attributes it got or, with None, lost, and its new types."""

    attributes: Mapping[str, Scalar | None]
    types: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a step did to the items that it saw.

    Attributes:
        created: New items by URL.
        changed: What is different of items that were there, by URL.
        removed: URLs of items that are gone.
    """

    created: Mapping[str, Item]
    changed: Mapping[str, ItemChange]
    removed: frozenset[str]


def changes_between(before: Sequence[Item], changed: Sequence[Item], removed: Sequence[str]) -> Changes:
    """Return what turned a dataset into what it was after a step.

    Args:
        before: The items that the step saw.
        changed: The items that are new or not as they were, as they are after it.
        removed: URLs of the items that are gone.
    """
    known = {item.zarr_url: item for item in before}
    return Changes(
        created={item.zarr_url: item for item in changed if item.zarr_url not in known},
        changed={
            item.zarr_url: _item_change(known[item.zarr_url], item)
            for item in changed
            if item.zarr_url in known
        },
        removed=frozenset(removed),
    )


def put_over(items: dict[str, Item], changes: Changes) -> None:
    """Change items, by URL, as a step did; what it did not touch stays as others left it."""
    for url in changes.removed:
        items.pop(url, None)
    for url, change in changes.changed.items():
        if (item := items.get(url)) is not None:
            attributes = {**item.attributes, **change.attributes}
            items[url] = Item.model_construct(
                zarr_url=url,
                origin=item.origin,
                attributes={key: value for key, value in attributes.items() if value is not None},
                types={**item.types, **change.types},
            )
    for url, new in changes.created.items():
        items.setdefault(url, new)


def contradictions(one: Changes, other: Changes) -> Iterator[str]:
    """Name what two steps that do not need one another did to the same item and cannot both have done."""
    for url in one.removed:
        if url in other.removed or url in other.changed or url in other.created:
            yield f"one removed {url}, the other removed or changed it"
    for url in other.removed & (one.changed.keys() | one.created.keys()):
        yield f"one removed {url}, the other changed it"
    for url in one.created.keys() & other.created.keys():
        if not identical(one.created[url], other.created[url]):
            yield f"both created {url}, and not alike"
    for url in one.changed.keys() & other.changed.keys():
        yield from _differences(url, one.changed[url], other.changed[url])


def _item_change(before: Item, after: Item) -> ItemChange:
    lost: dict[str, Scalar | None] = dict.fromkeys(before.attributes.keys() - after.attributes.keys())
    new = {
        key: value
        for key, value in after.attributes.items()
        if key not in before.attributes or not _same(before.attributes[key], value)
    }
    types = {name: flag for name, flag in after.types.items() if before.types.get(name) is not flag}
    return ItemChange({**lost, **new}, types)


def _differences(url: str, one: ItemChange, other: ItemChange) -> Iterator[str]:
    for key in sorted(one.attributes.keys() & other.attributes.keys()):
        mine, theirs = one.attributes[key], other.attributes[key]
        if not _same(mine, theirs):
            yield f"attribute {key!r} of {url} became {mine!r} in one and {theirs!r} in the other"
    for name in sorted(one.types.keys() & other.types.keys()):
        mine, theirs = one.types[name], other.types[name]
        if mine is not theirs:
            yield f"type {name!r} of {url} became {mine} in one and {theirs} in the other"


def _same(one: Scalar | None, other: Scalar | None) -> bool:
    """Compare by value and type, as true, 1 and 1.0 are three attributes."""
    return type(one) is type(other) and one == other
