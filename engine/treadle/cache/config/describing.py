"""Caches as tables, and tables as caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cache import Cache
from treadle.cache.caches.limited import Limited
from treadle.cache.caches.pool import Pool
from treadle.cache.caches.read_only import ReadOnly
from treadle.cache.caches.stack import Stack
from treadle.cache.config.building import build_cache, environment_keyring
from treadle.cache.config.parsing import read_cache
from treadle.cache.fleche.below import FlecheBelow
from treadle.cache.storages.ports import CallStorage, Configured, ValueStorage
from treadle.errors import SettingsInvalid

Table = dict[str, object] | list[object]


def from_config(tables: Mapping[str, object] | Sequence[object]) -> BaseCache:
    """Return the cache that a table describes, or an array of tables; relative paths are as they stand.

    Raises:
        SettingsInvalid: It describes no cache.
    """
    return build_cache(read_cache(list(tables) if isinstance(tables, Sequence) else tables, "cache"))


def to_config(cache: BaseCache) -> Table:
    """Return the tables that describe a cache; `from_config` makes an equal one of them.

    Secrets are in them, but for those that are in the environment.

    Raises:
        SettingsInvalid: It can be made in code only, as filters are.
    """
    if isinstance(cache, Stack):
        return [to_config(layer) for layer in cache.layers]
    if isinstance(cache, Pool):
        return {"pool": [to_config(member) for member in cache.layers]}
    return _one(cache)


def _one(cache: BaseCache) -> dict[str, object]:
    from treadle.cache.caches.ssh import Ssh

    if isinstance(cache, Ssh):
        return cache.to_config()
    if isinstance(cache, FlecheBelow):
        return _one(cache.inner) | ({"trust": cache.trust} if cache.trust else {})
    if isinstance(cache, ReadOnly) and isinstance(cache.inner, Cache | Limited):
        return {**_one(cache.inner), "read_only": True}
    if isinstance(cache, Limited):
        limits = {"max_size": cache.max_size, "max_bytes": cache.max_bytes, "max_age": cache.max_age}
        return _one(cache.inner) | {name: limit for name, limit in limits.items() if limit is not None}
    if isinstance(cache, Cache):
        return {"values": _storage(cache.values), "calls": _storage(cache.calls)}
    raise SettingsInvalid(f"A cache of type {type(cache).__name__} can be made in code only.")


def _storage(storage: ValueStorage | CallStorage) -> dict[str, object]:
    if not isinstance(storage, Configured):
        raise SettingsInvalid(f"A storage of type {type(storage).__name__} can be made in code only.")
    table = storage.to_config()
    if table.get("secret_key") == environment_keyring().texts():
        del table["secret_key"]
    return table
