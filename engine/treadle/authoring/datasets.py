"""Datasets as authors name and make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path

from treadle.authoring import held
from treadle.errors import AlreadyExists
from treadle.ledger import datasets
from treadle.model.dataset import Dataset as DatasetValue
from treadle.model.dataset import Item, dataset_from_json


class Dataset:
    """A stored dataset: items in a folder, which workflows read and change.

    Args:
        name: Its name.

    Raises:
        UnknownName: There is no such dataset; names those that there are.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = self._load().zarr_dir

    @classmethod
    def create(
        cls,
        name: str,
        folder: str | PathLike[str],
        items: Iterable[str | Item | Mapping[str, object]] = (),
        *,
        exist_ok: bool = False,
    ) -> Dataset:
        """Store a new dataset.

        Args:
            name: Its name.
            folder: The folder that holds its items, or an `s3://` address.
            items: URLs, or items with attributes and types, all inside the folder.
            exist_ok: One of that name and folder may be there; it is then taken as it is.

        Raises:
            AlreadyExists: The name is taken.
            DatasetInvalid: An item is not valid or not inside the folder; every problem is named.
        """
        text = fspath(folder)
        place = text if text.startswith("s3://") else str(Path(text).expanduser().absolute())
        images = [document_of(item) for item in items]
        dataset = dataset_from_json({"name": name, "zarr_dir": place, "images": images})
        try:
            with held.session().ledger.writing() as tx:
                datasets.create_dataset(tx, dataset)
        except AlreadyExists:
            if not exist_ok or (found := cls(name)).folder != dataset.zarr_dir:
                raise
            return found
        return cls(name)

    @staticmethod
    def names() -> list[str]:
        """Return the names of all stored datasets."""
        with held.session().ledger.reading() as tx:
            return [summary.name for summary in datasets.list_datasets(tx)]

    @property
    def items(self) -> list[Item]:
        """Its items as they now are, in order of arrival."""
        return list(self._load().items)

    def __repr__(self) -> str:
        return f"<dataset {self.name!r} in {self.folder}>"

    def _load(self) -> DatasetValue:
        with held.session().ledger.reading() as tx:
            return datasets.load_dataset(tx, self.name)[1]


def document_of(item: str | Item | Mapping[str, object]) -> dict[str, object]:
    """Return an item as datasets' JSON has it."""
    if isinstance(item, Item):
        return item.model_dump(mode="json")
    return {"zarr_url": item} if isinstance(item, str) else dict(item)
