from __future__ import annotations

from collections.abc import Callable

import pytest

from treadle.errors import AlreadyExists, UnknownName
from treadle.ledger import Ledger, datasets
from treadle.model.dataset import Dataset, Item

APPEND = """
from treadle.ledger import Ledger, datasets
from treadle.model.dataset import Item

def go(url, dataset_id, number):
    with Ledger(url) as ledger:
        for turn in range(10):
            with ledger.writing() as tx:
                datasets.apply_merge(tx, int(dataset_id), [Item(zarr_url=f"/data/{number}/{turn}")], [])
"""


def create(ledger: Ledger, dataset: Dataset) -> int:
    with ledger.writing() as tx:
        return datasets.create_dataset(tx, dataset)


def load(ledger: Ledger, name: str) -> Dataset:
    with ledger.reading() as tx:
        return datasets.load_dataset(tx, name)[1]


def merge(ledger: Ledger, dataset_id: int, changed: list[Item], removed: list[str]) -> None:
    with ledger.writing() as tx:
        datasets.apply_merge(tx, dataset_id, changed, removed)


def test_a_dataset_comes_back_as_it_was(ledger: Ledger) -> None:
    attributes = {"z": True, "a": 1, "float": 1.0, "text": "é"}
    items = (
        Item(zarr_url="/data/b", origin="/raw/b", attributes=attributes, types={"3d": False}),
        Item(zarr_url="/data/a"),
    )
    dataset = Dataset(name="plate", zarr_dir="/data", items=items)
    dataset_id = create(ledger, dataset)
    with ledger.reading() as tx:
        assert repr(datasets.load_dataset(tx, "plate")) == repr((dataset_id, dataset))


def test_a_name_is_taken_once(ledger: Ledger, dataset: Dataset) -> None:
    create(ledger, dataset)
    with pytest.raises(AlreadyExists, match="'plate 1'"):
        create(ledger, dataset)


def test_an_unknown_name_lists_those_that_exist(ledger: Ledger) -> None:
    with pytest.raises(UnknownName, match="no dataset yet"):
        load(ledger, "nothing")
    for number in range(25):
        create(ledger, Dataset(name=f"d{number:02}", zarr_dir="/data"))
    with pytest.raises(UnknownName, match="no dataset named 'nothing'") as caught:
        load(ledger, "nothing")
    assert "'d00', 'd01'" in caught.value.remedy
    assert "and 5 more" in caught.value.remedy


def test_datasets_are_listed_by_name_with_their_number_of_items(ledger: Ledger, dataset: Dataset) -> None:
    create(ledger, dataset)
    create(ledger, Dataset(name="empty", zarr_dir="/empty"))
    with ledger.reading() as tx:
        listed = datasets.list_datasets(tx)
    assert [(row.name, row.zarr_dir, row.items) for row in listed] == [
        ("empty", "/empty", 0),
        ("plate 1", "/data", 3),
    ]


def test_a_merge_keeps_places_appends_and_removes(ledger: Ledger, dataset: Dataset) -> None:
    dataset_id = create(ledger, dataset)
    changed = [
        Item(zarr_url="/data/new/2"),
        Item(zarr_url="/data/plate/A", types={"labelled": True}),
        Item(zarr_url="/data/new/1", origin="/data/plate/A"),
    ]
    merge(ledger, dataset_id, changed, ["/data/plate/B"])
    c, _, _ = dataset.items
    assert load(ledger, "plate 1").items == (c, changed[1], changed[0], changed[2])


def test_a_merge_touches_no_other_dataset(ledger: Ledger, dataset: Dataset) -> None:
    first = create(ledger, dataset)
    create(ledger, dataset.model_copy(update={"name": "plate 2"}))
    url = dataset.items[0].zarr_url
    merge(ledger, first, [dataset.items[1].model_copy(update={"types": {"x": True}})], [url])
    assert load(ledger, "plate 2").items == dataset.items


def test_a_dataset_can_be_emptied_and_filled_again(ledger: Ledger, dataset: Dataset) -> None:
    dataset_id = create(ledger, dataset)
    merge(ledger, dataset_id, [], [item.zarr_url for item in dataset.items])
    assert load(ledger, "plate 1").items == ()
    merge(ledger, dataset_id, list(dataset.items), [])
    assert load(ledger, "plate 1").items == dataset.items


def test_ids_are_never_used_again(ledger: Ledger, dataset: Dataset, url: str) -> None:
    """Clients keep ids, so that one which vanished must not come back as another thing."""
    first = create(ledger, Dataset(name="empty", zarr_dir="/data"))
    with Ledger(url) as other, other.writing() as tx:
        tx.exec_driver_sql("DELETE FROM datasets")
    assert create(ledger, dataset) == first + 1


def test_processes_that_add_items_at_once_lose_none(
    ledger: Ledger, url: str, race: Callable[..., list[str]]
) -> None:
    dataset_id = create(ledger, Dataset(name="plate 1", zarr_dir="/data"))
    race(APPEND, url, dataset_id, processes=3)
    found = [item.zarr_url for item in load(ledger, "plate 1").items]
    assert sorted(found) == sorted(f"/data/{number}/{turn}" for number in range(3) for turn in range(10))
