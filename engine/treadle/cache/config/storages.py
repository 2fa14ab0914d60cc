"""Which storages a table can name, and the keys of each (fleche's contract, 2.5)."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Literal

from treadle.cache.config.fields import Fields, unknown
from treadle.cache.config.model import StorageTable
from treadle.cache.registry import CALL_STORAGES, VALUE_STORAGES

Role = Literal["values", "calls"]
Reader = Callable[[Fields, str], object]

_SPLIT: Mapping[str, Reader] = {"remaining_depth": Fields.count}
_SIGNED: Mapping[str, Reader] = {"secret_key": Fields.texts}
_PICKLES: Mapping[str, Reader] = {
    "compress": Fields.switch,
    "allow": Fields.texts,
    "trusted": Fields.flag,
    **_SPLIT,
    **_SIGNED,
}
_HDF: Mapping[str, Reader] = {
    "root": Fields.required,
    "version_validator": Fields.text,
    "prefix_length": Fields.count,
    **_SIGNED,
}
_FILES: Mapping[str, Reader] = {"root": Fields.required, **_PICKLES}
_RECORDS: Mapping[str, Reader] = {"root": Fields.required, "compress": Fields.switch, **_SIGNED}
_OBJECTS: Mapping[str, Reader] = {"url": Fields.required, "options": Fields.table}

KEYS: Mapping[Role, Mapping[str, Mapping[str, Reader]]] = {
    "values": {
        "memory": _SPLIT,
        "void": {},
        "pickle": _FILES,
        "cloudpickle": _FILES,
        "dill": _FILES,
        "bagofholding_hdf": {**_HDF, **_SPLIT, "trusted": Fields.flag},
        "objects": {**_OBJECTS, "codec": Fields.text, **_PICKLES},
    },
    "calls": {
        "memory": {},
        "void": {},
        "pickle": _RECORDS,
        "cloudpickle": _RECORDS,
        "dill": _RECORDS,
        "bagofholding_hdf": _HDF,
        "objects": {**_OBJECTS, **_SIGNED},
        "sql": {"url": Fields.text, "echo": Fields.flag, **_SIGNED},
    },
}
"""Keys of Treadle's own storages, by role and type."""

OF_NO_EFFECT: Mapping[str, str] = {
    "lock_timeout": "files are written without locks",
    "echo": "statements are not logged",
}
"""Keys that fleche had and that are still accepted, with one warning."""

_TIMED = ("pickle", "cloudpickle", "dill", "bagofholding_hdf")
_warned: set[str] = set()


def read_storage(table: object, role: Role, place: str) -> StorageTable:
    """Read the table of a storage.

    Raises:
        SettingsInvalid: Its type is unknown, a key is wrong or missing.
    """
    fields = Fields(table, place)
    kind = fields.required("type")
    keys = KEYS[role].get(kind) or _keys_of_extension(kind, role, place)
    given = {name: read(fields, name) for name, read in keys.items() if _is_asked_for(read, fields, name)}
    for name in OF_NO_EFFECT:
        if name in given or (name in fields and kind in _TIMED):
            _warn_once(f"{place}: {name} has no effect: {OF_NO_EFFECT[name]}. Remove the key.")
            given.pop(name, None)
            fields.take(name)
    fields.only(keys)
    return StorageTable(kind, given)


def _keys_of_extension(kind: str, role: Role, place: str) -> Mapping[str, Reader]:
    """The arguments of its constructor, of whatever type they are."""
    registry = VALUE_STORAGES if role == "values" else CALL_STORAGES
    if kind in KEYS[role]:
        return {}
    if kind not in registry.names():
        raise unknown(kind, sorted({*KEYS[role], *registry.names()}), place=place, kind=f"storage of {role}")
    return dict.fromkeys(inspect.signature(registry.get(kind)).parameters, Fields.take)


def _is_asked_for(read: Reader, fields: Fields, name: str) -> bool:
    return name in fields or read is Fields.required


def _warn_once(what: str) -> None:
    if what not in _warned:
        _warned.add(what)
        warnings.warn(what, FutureWarning, stacklevel=2)
