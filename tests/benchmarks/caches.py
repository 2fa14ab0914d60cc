"""The caches that are measured side by side: how each is opened, and a function whose calls it keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diskcache
import fleche
import joblib
from fleche.caches import Cache as FlecheCache
from fleche.storage.memory import CallMemory, ValueMemory
from fleche.storage.pickle_file import CallPickleFile, ValuePickleFile
from fleche.storage.sql import Sql

from treadle.cache import BaseCache, Cache, Runtime, cache, cached, meta
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.cache.storages.memory import MemoryCalls, MemoryValues
from treadle.cache.storages.sql.calls import SqlCalls

Function = Callable[..., Any]
Opened = AbstractContextManager[Any]


@dataclass(frozen=True)
class Way:
    """One way to keep calls.

    Attributes:
        name: As the table calls it.
        wrap: Makes of a function one whose calls are kept.
        use: Puts its cache to use.
    """

    name: str
    wrap: Callable[[Function], Function]
    use: Callable[[], Opened]

    def seconds(self, function: Function, arguments: list[Any]) -> float:
        """How long it takes to call a function that it keeps with each of these."""
        with self.use():
            begin = time.perf_counter()
            for argument in arguments:
                function(argument)
            return time.perf_counter() - begin


def ours(name: str, opened: BaseCache) -> Way:
    """Treadle's, with the times of each call noted."""

    @contextmanager
    def use() -> Iterator[None]:
        with cache(opened), meta(Runtime()):
            yield

    return Way(name, cached, use)


def theirs(name: str, opened: FlecheCache) -> Way:
    """fleche's, which notes the times of each call by itself."""
    return Way(name, fleche.fleche, lambda: fleche.cache(opened))


def treadle_caches(folder: Path) -> dict[str, Way]:
    """Treadle's caches by where calls are kept; files and SQLite keep values in files."""
    values = FileValues(folder / "treadle")
    return {
        "memory": ours("treadle in memory", Cache(MemoryValues(), MemoryCalls())),
        "files": ours("treadle in files", Cache(values, FileCalls(folder / "treadle"))),
        "SQLite": ours("treadle in SQLite", Cache(values, SqlCalls(str(folder / "treadle.sqlite")))),
    }


def fleche_caches(folder: Path) -> dict[str, Way]:
    """Fleche's caches of the same kinds."""
    values = ValuePickleFile.with_cloudpickle(folder / "fleche" / "values")
    return {
        "memory": theirs("fleche in memory", FlecheCache(ValueMemory(storage={}), CallMemory(storage={}))),
        "files": theirs(
            "fleche in files",
            FlecheCache(values, CallPickleFile.with_cloudpickle(folder / "fleche" / "calls")),
        ),
        "SQLite": theirs("fleche in SQLite", FlecheCache(values, Sql(str(folder / "fleche.sqlite")))),
    }


def others(folder: Path) -> dict[str, Way]:
    """Caches that have one kind of storage."""
    memory = joblib.Memory(folder / "joblib", verbose=0)
    disk = diskcache.Cache(str(folder / "diskcache"))
    return {
        "joblib": Way("joblib.Memory", memory.cache, ExitStack),
        "diskcache": Way("diskcache's memoize", disk.memoize(), ExitStack),
    }
