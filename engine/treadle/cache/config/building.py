"""From the model of a cache to the cache."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cache import Cache
from treadle.cache.config.model import CacheTable, PlainTable, PoolTable, SshTable, StackTable, StorageTable
from treadle.cache.config.storages import KEYS, Role
from treadle.cache.registry import CALL_STORAGES, VALUE_STORAGES
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheUnavailable, SettingsInvalid

if TYPE_CHECKING:
    from treadle.cache.storages.ports import CallStorage, ValueStorage

SECRET_KEY = "FLECHE_SECRET_KEY"  # noqa: S105 - the name of a variable
"""Variable of the environment with keys in hexadecimal between colons, for storages without `secret_key`."""

_NAMED = {"remaining_depth": "depth", "secret_key": "keyring"}
_ONLY_FLECHES = ("prefix_length",)
_FLECHE_VALUES = ("pickle", "cloudpickle", "dill", "bagofholding_hdf")
_FLECHE_CALLS = (*_FLECHE_VALUES, "sql")
_IN_MEMORY = ("sqlite://", "sqlite:///", "sqlite:///:memory:", ":memory:")
_ONLY_OF_VALUES = ("compress", "version_validator")


def build_cache(table: CacheTable) -> BaseCache:
    """Return the cache that a table describes; nothing is connected or read before it is used.

    Raises:
        SettingsInvalid: A URL or a secret cannot be read, or a library is missing.
    """
    match table:
        case StackTable(layers):
            from treadle.cache.caches.stack import Stack

            return Stack([build_cache(layer) for layer in layers])
        case PoolTable(members):
            from treadle.cache.caches.pool import Pool

            return Pool([build_cache(member) for member in members])
        case SshTable():
            return _build_ssh(table)
        case PlainTable():
            return _build_plain(table)


def environment_keyring() -> Keyring:
    """Return the keys of `FLECHE_SECRET_KEY`, for storages that have none of their own.

    Raises:
        SettingsInvalid: One is not hexadecimal.
    """
    try:
        return Keyring.parse(filter(None, os.environ.get(SECRET_KEY, "").split(":")))
    except SettingsInvalid as error:
        remedy = "Write keys in hexadecimal there, with colons between them."
        raise SettingsInvalid(f"{SECRET_KEY} in the environment: {error.what}", remedy=remedy) from None


def _build_plain(table: PlainTable) -> BaseCache:
    plain = Cache(_build_values(table.values), _build_calls(table.calls))
    cache: BaseCache = plain
    if table.is_limited:
        from treadle.cache.caches.limited import Limited

        cache = Limited(plain, max_size=table.max_size, max_bytes=table.max_bytes, max_age=table.max_age)
    if table.read_only:
        from treadle.cache.caches.read_only import ReadOnly

        cache = ReadOnly(cache)
    return _with_fleches(cache, table) if _is_shared_with_fleche(table) else cache


def _is_shared_with_fleche(table: PlainTable) -> bool:
    """Whether fleche could have recorded calls in the same places."""
    return table.values.type in _FLECHE_VALUES and table.calls.type in _FLECHE_CALLS


def _with_fleches(cache: BaseCache, table: PlainTable) -> BaseCache:
    from treadle.cache.fleche.below import FlecheBelow

    return FlecheBelow(cache, partial(find_fleches, table), trust=table.trust)


def find_fleches(table: PlainTable) -> BaseCache | None:
    """Return what fleche recorded in the places of a table, to be read only; None if that is nothing.

    Raises:
        CacheUnavailable: It cannot be read now, or others could have written what would be unpickled.
    """
    from treadle.cache.fleche.layer import FlecheCache
    from treadle.cache.fleche.opening import holds_records, old_calls, old_values
    from treadle.cache.values.unpickling import Allowed, writable_by_others

    values, calls = table.values.options, table.calls.options
    root = Path(str(values["root"])).expanduser()
    place = str(calls.get("url") or calls.get("root") or "")
    if not place or place in _IN_MEMORY or not holds_records(table.calls.type, place):
        return None
    keyring = _keyring(table.values)
    allow = values.get("allow")
    writers = writable_by_others(str(root))
    if writers and not (keyring or allow or values.get("trusted")):
        raise CacheUnavailable(
            f"What is in {root} would be unpickled, and can be written by {writers}.",
            remedy="Set a secret key, list in `allow` what values may use, or say `trusted = true`.",
        )
    keys = [bytes.fromhex(text) for text in keyring.texts()]
    return FlecheCache(
        old_values(
            table.values.type,
            root,
            keys=keys,
            versions=str(values.get("version_validator", "none")),
            permitted=Allowed(allow) if isinstance(allow, tuple) else None,
        ),
        old_calls(table.calls.type, place, keys=keys),
        trust="recorded" if table.trust == "recorded" else None,
    )


def _keyring(table: StorageTable) -> Keyring:
    secrets = table.options.get("secret_key")
    return Keyring.parse(secrets) if isinstance(secrets, tuple) else environment_keyring()


def _build_values(table: StorageTable) -> ValueStorage:
    return VALUE_STORAGES.get(table.type)(**_arguments(table, "values"))


def _build_calls(table: StorageTable) -> CallStorage:
    """Return a storage of records; beside values in HDF5 they are JSON files, as they are everywhere."""
    arguments = _arguments(table, "calls")
    kind = "pickle" if table.type == "bagofholding_hdf" else table.type
    return CALL_STORAGES.get(kind)(
        **{name: value for name, value in arguments.items() if name not in _ONLY_OF_VALUES}
    )


def _arguments(table: StorageTable, role: Role) -> dict[str, object]:
    """Keys as the storage's constructor names them."""
    given = {name: value for name, value in table.options.items() if name not in _ONLY_FLECHES}
    if "secret_key" in KEYS[role].get(table.type, ()):
        given["secret_key"] = _keyring(table)
    return {_NAMED.get(name, name): value for name, value in given.items()}


def _build_ssh(table: SshTable) -> BaseCache:
    from treadle.cache.caches.ssh import Ssh

    return Ssh(
        table.host,
        cache_name=table.cache_name,
        python=table.python,
        ssh_options=table.ssh_options,
        setup_commands=table.setup_commands,
        workdir=table.workdir,
        keyring=environment_keyring(),
    )
