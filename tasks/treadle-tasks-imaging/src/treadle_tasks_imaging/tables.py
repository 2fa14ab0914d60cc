"""Tables inside an OME-Zarr image: CSV files in the group `tables`.

Follows version 1 of the feature table of the Fractal table specification, with the CSV backend: ngio reads
it.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING

import zarr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def table_file(folder: Path, name: str) -> Path:
    """File of the table `name` of the image in `folder`."""
    return folder / "tables" / name / "table.csv"


def write_feature_table(
    folder: Path,
    name: str,
    rows: Iterable[Sequence[int | float | None]],
    *,
    labels: str,
    units: Mapping[str, str],
    meanings: Mapping[str, str],
) -> None:
    """Write one row per region of a label image, replacing a table of the same name.

    Args:
        folder: The image.
        name: Name of the table.
        rows: Values in the order of `units`; the first column is `label`.
        labels: Name of the label image that the rows describe.
        units: Unit of each column, in order.
        meanings: One sentence on each column.
    """
    tables = zarr.open_group(folder, mode="r+").require_group("tables")
    group = tables.create_group(name, overwrite=True)
    group.attrs.update(
        {
            "type": "feature_table",
            "table_version": "1",
            "backend": "csv",
            "region": {"path": f"../labels/{labels}"},
            "instance_key": "label",
            "index_key": "label",
            "index_type": "int",
            "columns": {key: {"unit": unit, "meaning": meanings[key]} for key, unit in units.items()},
        }
    )
    target = table_file(folder, name)
    aside = target.with_suffix(f".{os.getpid()}")
    with aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(units)
        writer.writerows(rows)
    aside.replace(target)
    names = tables.attrs.get("tables", [])
    tables.attrs["tables"] = sorted({*names, name})
