"""Opens what a configuration says fleche has written."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from treadle.cache.fleche.hdf import HdfFolder
from treadle.cache.fleche.pickles import PickleFolder
from treadle.cache.fleche.ports import OldCalls, OldValues
from treadle.cache.fleche.sqlite import read_sqlite
from treadle.cache.fleche.stored import Filed, FiledCalls, FiledValues
from treadle.cache.fleche.unpickling import CALLS, Permits

HDF = "bagofholding_hdf"
"""What fleche calls its HDF5 storage; its other folders hold pickles."""


def old_values(
    kind: str,
    root: Path,
    *,
    keys: Sequence[bytes] = (),
    versions: str = "none",
    permitted: Permits | None = None,
) -> OldValues:
    """Open a folder of values.

    Args:
        kind: The type that fleche's configuration gives it.
        root: The folder.
        keys: Keys of which one must have signed a pickle; none if that does not count.
        versions: How alike versions must be in HDF5: see `HdfFolder`.
        permitted: What values may use when they are made; anything if None.
    """
    if kind == HDF:
        return FiledValues(HdfFolder(root, versions, permitted))
    return FiledValues(PickleFolder(root, keys, permitted))


def old_calls(kind: str, place: Path | str, *, keys: Sequence[bytes] = ()) -> OldCalls:
    """Open a folder of records, or a database.

    Args:
        kind: The type that fleche's configuration gives it.
        place: The folder; path or URL if it is `sql`.
        keys: Keys of which one must have signed a pickle; none if that does not count.
    """
    if kind == "sql":
        from treadle.cache.fleche.sql import SqlOldCalls

        return SqlOldCalls(str(place))
    return FiledCalls(_folder_of_calls(kind, Path(place), keys))


def holds_records(kind: str, place: Path | str) -> bool:
    """Whether fleche has recorded calls there; nothing is created.

    Raises:
        CacheUnavailable: It cannot be read now.
    """
    if kind == "sql":
        file = _sqlite_file(str(place))
        if file is not None and not _has_table(file):
            return False
        from treadle.cache.fleche.engines import has_tables

        return has_tables(str(place))
    return next(_folder_of_calls(kind, Path(place), ()).digests(), None) is not None


def _folder_of_calls(kind: str, root: Path, keys: Sequence[bytes]) -> Filed:
    return HdfFolder(root, permitted=CALLS) if kind == HDF else PickleFolder(root, keys, CALLS)


def _sqlite_file(place: str) -> Path | None:
    """Return the file of a path or URL that names one."""
    scheme, separator, path = place.partition("://")
    if not separator:
        return Path(place).expanduser()
    return Path(path[1:]) if scheme == "sqlite" and "?" not in path else None


def _has_table(file: Path) -> bool:
    """Whether a database could be fleche's, without the time that SQLAlchemy takes to import."""
    if not file.is_file():
        return False
    try:
        with closing(read_sqlite(file)) as connection:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'calls'")
            return found.fetchone() is not None
    except sqlite3.Error:  # told in full by whoever opens it for good
        return True
