"""Taking over what fleche recorded: from a folder of its, or a database of calls beside one of values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.parts import taking_part
from treadle.cache.care.reading import Progress, silent
from treadle.cache.config.building import find_fleches
from treadle.cache.config.model import PlainTable, StorageTable
from treadle.cache.fleche.layer import FlecheCache
from treadle.cache.storages.ports import Template
from treadle.errors import NotCached, Unstorable, UsageError

_HDF = "bagofholding_hdf"


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was taken over of fleche's calls, or would be.

    Attributes:
        calls: Calls that are hits from now on.
        there: Calls that the cache has already.
        unsure: Calls that fleche's digests do not tell apart from all others, or whose values are gone.
        unstorable: Calls whose values the cache cannot keep.
    """

    calls: int
    there: int
    unsure: int
    unstorable: int


def import_fleche(
    cache: BaseCache, folder: Path, *, trust: bool = False, dry_run: bool = False, progress: Progress = silent
) -> TakenOver:
    """Copy fleche's calls into a cache; fleche's files stay as they are.

    Args:
        cache: Takes them.
        folder: Holds `values`, and either `calls` or `calls.db`, as fleche's templates lay them out.
        trust: Take calls that are only known by digests that other values could share.
        dry_run: Change nothing.
        progress: Is told how many calls have been looked at.

    Raises:
        UsageError: There is nothing of fleche's in the folder.
        CacheRefused: The cache takes no records.
        CacheUnavailable: Something cannot be read or written now.
    """
    taking_part(cache)
    found = find_fleches(_table(folder, trust=trust))
    if not isinstance(found, FlecheCache):
        raise UsageError(
            f"fleche has recorded no call in {folder}.",
            remedy="Name the folder that holds `values` and `calls`, or `values` and `calls.db`.",
        )
    listed = list(found.find(Template()))
    calls = there = unsure = unstorable = 0
    for done, cached in enumerate(listed, start=1):
        progress(done, len(listed))
        converted = found.converted(cached)
        if converted is None:
            unsure += 1
        elif cache.contains(converted.record.key):
            there += 1
        else:
            try:
                if not dry_run:
                    cache.adopt(converted)
            except Unstorable:
                unstorable += 1
            except NotCached:
                unsure += 1
            else:
                calls += 1
    return TakenOver(calls, there, unsure, unstorable)


def _table(folder: Path, *, trust: bool) -> PlainTable:
    values, calls, database = folder / "values", folder / "calls", folder / "calls.db"
    if database.is_file():
        records = StorageTable("sql", {"url": f"sqlite:///{database.absolute()}"})
    else:
        records = StorageTable(_kind(calls), {"root": str(calls)})
    kept = StorageTable(_kind(values), {"root": str(values)})
    return PlainTable(kept, records, trust="recorded" if trust else None)


def _kind(folder: Path) -> str:
    return _HDF if any(folder.glob("*.h5")) else "pickle"
