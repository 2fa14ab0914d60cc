"""Datasets and their items, in the order in which the items arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from treadle.errors import AlreadyExists
from treadle.ledger.columns import now
from treadle.ledger.database import Transaction
from treadle.ledger.names import unknown_name
from treadle.ledger.people import default_project, local_user
from treadle.ledger.tables import datasets, items
from treadle.model.dataset import Dataset, Item


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """A dataset without its items; `items` is their number."""

    id: int
    name: str
    zarr_dir: str
    items: int
    created_at: datetime


def create_dataset(tx: Transaction, dataset: Dataset, *, transient: bool = False) -> int:
    """Store a new dataset and return its id.

    Args:
        tx: A writing transaction.
        dataset: The dataset.
        transient: It serves a single run; `list_datasets` leaves it out.

    Raises:
        AlreadyExists: The name is taken.
    """
    row = insert(datasets).values(
        owner_id=local_user(tx),
        project_id=default_project(tx),
        name=dataset.name,
        zarr_dir=dataset.zarr_dir,
        created_at=now(),
        transient=transient,
    )
    try:
        dataset_id = tx.scalars(row.returning(datasets.c.id)).one()
    except IntegrityError as error:
        raise AlreadyExists(
            f"There is a dataset named {dataset.name!r} already.", remedy="Choose another name."
        ) from error
    _append(tx, dataset_id, dataset.items, first_position=0)
    return dataset_id


def delete_dataset(tx: Transaction, dataset_id: int) -> None:
    """Take out a dataset that no run has worked on, with its items; `tx` is a writing transaction."""
    tx.execute(delete(items).where(items.c.dataset_id == dataset_id))
    tx.execute(delete(datasets).where(datasets.c.id == dataset_id))


def load_dataset(tx: Transaction, name: str) -> tuple[int, Dataset]:
    """The id of a dataset, and the dataset with all its items.

    Raises:
        UnknownName: No dataset has this name; lists those that exist.
    """
    project = default_project(tx)
    query = select(datasets.c.id, datasets.c.zarr_dir).where(
        datasets.c.project_id == project, datasets.c.name == name
    )
    found = tx.execute(query).one_or_none()
    if found is None:
        known = tx.scalars(select(datasets.c.name).where(datasets.c.project_id == project)).all()
        raise unknown_name("dataset", name, known)
    dataset_id, zarr_dir = found
    return dataset_id, Dataset.model_construct(name=name, zarr_dir=zarr_dir, items=_items(tx, dataset_id))


def list_datasets(tx: Transaction) -> list[DatasetSummary]:
    """All datasets by name that do not serve a single run, with the number of their items."""
    number = (
        select(func.count())
        .select_from(items)
        .where(items.c.dataset_id == datasets.c.id)
        .correlate(datasets)
        .scalar_subquery()
    )
    query = (
        select(datasets.c.id, datasets.c.name, datasets.c.zarr_dir, number, datasets.c.created_at)
        .where(datasets.c.project_id == default_project(tx), ~datasets.c.transient)
        .order_by(datasets.c.name)
    )
    return [DatasetSummary(*row) for row in tx.execute(query)]


def apply_merge(tx: Transaction, dataset_id: int, changed: Sequence[Item], removed: Sequence[str]) -> None:
    """Bring a dataset up to date after a step: replace or append items, and take some out.

    An item that is there keeps its place; new ones follow in the order given. Other writers of the same
    dataset wait until the transaction has ended.

    Args:
        tx: A writing transaction.
        dataset_id: The dataset.
        changed: Items that are new or different, each URL once.
        removed: URLs of items to take out.
    """
    tx.execute(select(datasets.c.id).where(datasets.c.id == dataset_id).with_for_update())
    if removed:
        gone = delete(items).where(items.c.dataset_id == dataset_id, items.c.zarr_url == bindparam("url"))
        tx.execute(gone, [{"url": url} for url in removed])
    if not changed:
        return
    present = set(tx.scalars(select(items.c.zarr_url).where(items.c.dataset_id == dataset_id)))
    last = tx.scalar(select(func.max(items.c.position)).where(items.c.dataset_id == dataset_id))
    _replace(tx, dataset_id, [item for item in changed if item.zarr_url in present])
    new = [item for item in changed if item.zarr_url not in present]
    _append(tx, dataset_id, new, first_position=0 if last is None else last + 1)


def _items(tx: Transaction, dataset_id: int) -> tuple[Item, ...]:
    """Items as they were validated when written; to do it again would double the time of reading."""
    query = (
        select(items.c.zarr_url, items.c.origin, items.c.attributes, items.c.types)
        .where(items.c.dataset_id == dataset_id)
        .order_by(items.c.position)
    )
    return tuple(
        Item.model_construct(zarr_url=url, origin=origin, attributes=attributes, types=types)
        for url, origin, attributes, types in tx.execute(query)
    )


def _append(tx: Transaction, dataset_id: int, new: Iterable[Item], *, first_position: int) -> None:
    rows = [
        {"dataset_id": dataset_id, "position": position, "zarr_url": item.zarr_url, **_content(item)}
        for position, item in enumerate(new, start=first_position)
    ]
    if rows:
        tx.execute(insert(items), rows)


def _replace(tx: Transaction, dataset_id: int, present: Iterable[Item]) -> None:
    rows = [{"url": item.zarr_url, **_content(item)} for item in present]
    if rows:
        there = (items.c.dataset_id == dataset_id, items.c.zarr_url == bindparam("url"))
        tx.execute(update(items).where(*there), rows)


def _content(item: Item) -> dict[str, object]:
    return {"origin": item.origin, "attributes": item.attributes, "types": item.types}
