"""From a cache's name to the cache."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from treadle.cache.caches.base import BaseCache
from treadle.cache.config.building import build_cache, environment_keyring
from treadle.cache.config.fields import unknown
from treadle.cache.config.files import DEFAULT_TABLE, Configuration, is_strangers, read_configuration
from treadle.cache.config.model import (
    RESERVED,
    CacheTable,
    DefaultTable,
    PlainTable,
    PoolTable,
    SshTable,
    StackTable,
    StorageTable,
)
from treadle.cache.config.parsing import read_cache, read_default, write_cache
from treadle.cache.metadata import COLLECTORS, Collector
from treadle.errors import SettingsInvalid, UsageError

_TRANSIENT = ("memory", "void")

_live: dict[tuple[str, ...], BaseCache] = {}
_lock = threading.Lock()


def load(name: str | None = None, start: Path | None = None) -> BaseCache:
    """Return a cache by its name; the same object whenever its name and tables are the same.

    Args:
        name: Its name; the default cache if None or `default`. `memory` and `void` are always there.
        start: Folder where the search for the configuration begins; the working folder if None.

    Raises:
        SettingsInvalid: A file is broken, there is no such cache, or its table is wrong.
    """
    configuration = Configuration({}, {}, (), Path())
    if transient := _transient_or_none(name):
        found, table = transient
    else:
        configuration = read_configuration(start)
        found, table = find_table(configuration, name)
    written = json.dumps(write_cache(table), sort_keys=True, default=str)
    key = (found, written, *environment_keyring().texts())
    with _lock:
        if key not in _live:
            try:
                _live[key] = build_cache(table)
            except UsageError as error:
                what = f"{place_of(configuration, found)}: {error.what}"
                raise SettingsInvalid(what, remedy=error.remedy, detail=error.detail) from None
        return _live[key]


def load_collectors(start: Path | None = None) -> tuple[Collector, ...]:
    """Return what the configuration wants to be noted of every call.

    Raises:
        SettingsInvalid: A file is broken, or a name is unknown.
    """
    return tuple(COLLECTORS[name] for name in _default(read_configuration(start)).metadata)


def find_table(configuration: Configuration, name: str | None = None) -> tuple[str, CacheTable]:
    """Return a cache's name and what describes it; errors are those of `load`.

    Args:
        configuration: All tables.
        name: As for `load`.
    """
    if name is None or name == DEFAULT_TABLE:
        named = _default(configuration).cache
        if named is None:
            return DEFAULT_TABLE, _at_home(configuration)
        if not isinstance(named, str):
            return DEFAULT_TABLE, _own_programs_only(named, configuration.places[DEFAULT_TABLE])
        if named == DEFAULT_TABLE:
            raise SettingsInvalid(
                f"{place_of(configuration, DEFAULT_TABLE)}: cache cannot be the name of the table itself.",
                remedy="Name a cache that is described, or memory or void.",
            )
        name = named
    if transient := _transient_or_none(name):
        return transient
    if name not in configuration.tables:
        raise unknown(
            name,
            [*(table for table in configuration.tables if table not in RESERVED), *_TRANSIENT],
            place=f"In {configuration.described_files()}",
            kind="cache",
        )
    table = read_cache(configuration.tables[name], place_of(configuration, name))
    return name, _own_programs_only(table, configuration.places[name])


def place_of(configuration: Configuration, name: str) -> str:
    """Return where a table stands, as errors name it."""
    file = configuration.places.get(name)
    return f"The cache {name!r}" if file is None else f"{file} [{name}]"


def _own_programs_only(table: CacheTable, path: Path) -> CacheTable:
    """Refuse to start `ssh` with another user's options: one of them runs any command here."""
    if _needs_ssh(table) and is_strangers(path):
        raise SettingsInvalid(
            f"{path} belongs to another user, whose configuration starts no program here.",
            remedy="Copy the table of type ssh to a file of your own.",
        )
    return table


def _needs_ssh(table: CacheTable) -> bool:
    match table:
        case StackTable(within) | PoolTable(within):
            return any(map(_needs_ssh, within))
        case SshTable():
            return True
        case PlainTable():
            return False


def _default(configuration: Configuration) -> DefaultTable:
    if DEFAULT_TABLE not in configuration.tables:
        return DefaultTable()
    return read_default(configuration.tables[DEFAULT_TABLE], place_of(configuration, DEFAULT_TABLE))


def _transient_or_none(name: str | None) -> tuple[str, CacheTable] | None:
    """The caches that are always there, whatever files say."""
    if name is None or name not in _TRANSIENT:
        return None
    return name, PlainTable(StorageTable(name), StorageTable(name))


def _at_home(configuration: Configuration) -> PlainTable:
    root = configuration.home / "cache"
    return PlainTable(
        StorageTable("cloudpickle", {"root": str(root / "values")}),
        StorageTable("sql", {"url": f"sqlite:///{root / 'calls.db'}"}),
    )
