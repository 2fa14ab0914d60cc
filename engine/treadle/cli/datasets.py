"""`treadle dataset`: lists of items in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.model.dataset import Dataset

app = typer.Typer(help="Datasets.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    folder: Annotated[
        str | None, typer.Option("--dir", help="Folder (or s3://bucket/key) that holds its items.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--from", help="JSON file with zarr_dir and images to take over.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a dataset: an empty one in a folder, or one from a JSON file."""
    from treadle.cli.output import print_json, print_line
    from treadle.cli.session import open_session
    from treadle.ledger import datasets

    dataset = _read(name, folder, file)
    with open_session() as session, session.ledger.writing() as tx:
        number = datasets.create_dataset(tx, dataset)
    if as_json:
        print_json({"id": number, **_document(dataset)})
    else:
        print_line(f"Created dataset {name!r} with {len(dataset.items)} items in {dataset.zarr_dir}.")


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List the datasets."""
    from treadle.cli.output import print_json, print_table
    from treadle.cli.session import open_session
    from treadle.ledger import datasets

    with open_session() as session, session.ledger.reading() as tx:
        found = datasets.list_datasets(tx)
    if as_json:
        print_json({"datasets": found})
        return
    rows = [(entry.name, entry.items, entry.zarr_dir, entry.created_at) for entry in found]
    print_table(
        ["dataset", "items", "folder", "created"],
        rows,
        empty="No dataset yet: create one with `treadle dataset create`.",
    )


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of the dataset.")], as_json: AsJson = False) -> None:
    """Show a dataset and its items."""
    from treadle.cli.output import print_json, print_line, print_table
    from treadle.cli.packages import flags_text
    from treadle.cli.session import open_session
    from treadle.ledger import datasets

    with open_session() as session, session.ledger.reading() as tx:
        number, dataset = datasets.load_dataset(tx, name)
    if as_json:
        print_json({"id": number, **_document(dataset)})
        return
    print_line(f"{dataset.name}: {len(dataset.items)} items in {dataset.zarr_dir}")
    rows = [
        (
            item.zarr_url.removeprefix(dataset.zarr_dir).lstrip("/"),
            ", ".join(f"{key}={value}" for key, value in item.attributes.items()),
            flags_text(item.types),
            (item.origin or "").removeprefix(dataset.zarr_dir).lstrip("/"),
        )
        for item in dataset.items
    ]
    print_table(["item", "attributes", "types", "made from"], rows, empty="It is empty.")


def _document(dataset: Dataset) -> dict[str, object]:
    return {"name": dataset.name, "zarr_dir": dataset.zarr_dir, "items": dataset.items}


def _read(name: str, folder: str | None, file: Path | None) -> Dataset:
    from treadle.cli.documents import read_json
    from treadle.errors import DatasetInvalid, UsageError
    from treadle.model.dataset import dataset_from_json

    if folder is not None and file is None:
        place = folder if folder.startswith("s3://") else os.path.abspath(Path(folder).expanduser())  # noqa: PTH100 - resolve() would follow links
        return dataset_from_json({"name": name, "zarr_dir": place})
    if file is not None and folder is None:
        data = read_json(file, DatasetInvalid)
        return dataset_from_json({**data, "name": name} if isinstance(data, dict) else data)
    raise UsageError(
        "A dataset needs either --dir or --from.",
        remedy="Give --dir FOLDER for an empty one, or --from FILE to take over its items.",
    )
