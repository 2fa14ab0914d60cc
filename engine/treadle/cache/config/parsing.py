"""Tables of files as the model of a cache, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from treadle.cache.config.fields import Fields, unknown
from treadle.cache.config.model import (
    METADATA,
    CacheTable,
    DefaultTable,
    PlainTable,
    PoolTable,
    SshTable,
    StackTable,
    StorageTable,
)
from treadle.cache.config.storages import read_storage
from treadle.cache.metadata import COLLECTORS
from treadle.cache.remote.command import PYTHON
from treadle.errors import SettingsInvalid

_IN_MEMORY = "memory"
_IN_FILES = ("pickle", "cloudpickle", "dill", "bagofholding_hdf")
_SQL = "sql"
_TEMPLATES = (_IN_MEMORY, *_IN_FILES, _SQL)
_TRUSTED = ("recorded",)
_MODIFIERS = ("max_size", "max_bytes", "max_age", "read_only", "trust")
_KEYS = ("values", "calls", "template", "type", "pool", *_MODIFIERS)


def read_cache(table: object, place: str) -> CacheTable:
    """Read the table, or the array of tables, of a cache.

    Args:
        table: As TOML has it.
        place: Where it stands, as errors name it.

    Raises:
        SettingsInvalid: It describes no cache.
    """
    if isinstance(table, list):
        if not table:
            raise SettingsInvalid(f"{place}: a stack needs a layer.", remedy="Describe one.")
        return StackTable(tuple(_read_layer(layer, f"{place}[{at}]") for at, layer in enumerate(table)))
    return _read_one(table, place)


def read_default(table: object, place: str) -> DefaultTable:
    """Read the table `[default]`.

    Raises:
        SettingsInvalid: A key or a value of it is wrong.
    """
    fields = Fields(table, place)
    cache = fields.take("cache")
    metadata = fields.texts("metadata") if "metadata" in fields else METADATA
    fields.flag("root")
    fields.end(also=("cache", "metadata", "root"))
    for name in metadata:
        if name not in COLLECTORS:
            raise unknown(name, COLLECTORS, place=f"{place}.metadata", kind="collector")
    named = cache if cache is None or isinstance(cache, str) else read_cache(cache, f"{place}.cache")
    return DefaultTable(named, metadata)


def write_cache(table: CacheTable) -> dict[str, object] | list[object]:
    """Write a cache as the tables that `read_cache` reads."""
    match table:
        case StackTable(layers):
            return [write_cache(layer) for layer in layers]
        case PoolTable(members):
            return {"pool": [write_cache(member) for member in members]}
        case SshTable():
            given = {"host": table.host, "cache_name": table.cache_name, "workdir": table.workdir}
            lists = {"ssh_options": list(table.ssh_options), "setup_commands": list(table.setup_commands)}
            python = {} if table.python == PYTHON else {"python": table.python}
            words = {name: value for name, value in (given | lists).items() if value}
            return {"type": "ssh", **words, **python}
        case PlainTable():
            limits = {"max_size": table.max_size, "max_bytes": table.max_bytes, "max_age": table.max_age}
            return {
                "values": {"type": table.values.type, **table.values.options},
                "calls": {"type": table.calls.type, **table.calls.options},
                **{name: limit for name, limit in limits.items() if limit is not None},
                **({"read_only": True} if table.read_only else {}),
                **({"trust": table.trust} if table.trust else {}),
            }


def _read_layer(table: object, place: str) -> CacheTable:
    if isinstance(table, list):
        raise SettingsInvalid(
            f"{place}: a stack cannot be a layer of a stack.",
            remedy="Write the layers of the inner one in its place.",
        )
    return _read_one(table, place)


def _read_one(table: object, place: str) -> CacheTable:
    fields = Fields(table, place)
    if "pool" in fields:
        return _read_pool(fields)
    if "type" in fields:
        return _read_ssh(fields)
    return _read_plain(fields)


def _read_pool(fields: Fields) -> PoolTable:
    members = fields.take("pool")
    fields.end()
    if not isinstance(members, list) or not members:
        raise fields.wrong("pool", members, "an array of tables, [[NAME.pool]]")
    return PoolTable(
        tuple(_read_one(member, f"{fields.place}.pool[{at}]") for at, member in enumerate(members))
    )


def _read_ssh(fields: Fields) -> SshTable:
    kind = fields.text("type")
    if kind != "ssh":
        raise unknown(str(kind), ("ssh",), place=f"{fields.place}.type", kind="type of cache")
    table = SshTable(
        host=fields.required("host"),
        cache_name=fields.text("cache_name"),
        python=fields.text("python") or PYTHON,
        ssh_options=fields.texts("ssh_options"),
        setup_commands=fields.texts("setup_commands"),
        workdir=fields.text("workdir"),
    )
    fields.end()
    if table.host.startswith("-"):
        raise fields.wrong("host", table.host, "a host's name, or user@host")
    return table


def _read_plain(fields: Fields) -> PlainTable:
    values, calls = _read_template(fields) if "template" in fields else _read_storages(fields)
    table = PlainTable(
        values,
        calls,
        max_size=fields.count("max_size"),
        max_bytes=fields.count("max_bytes"),
        max_age=fields.seconds("max_age"),
        read_only=fields.flag("read_only"),
        trust=fields.text("trust"),
    )
    fields.end()
    if table.trust is not None and table.trust not in _TRUSTED:
        raise unknown(table.trust, _TRUSTED, place=f"{fields.place}.trust", kind="trust")
    return table


def _read_storages(fields: Fields) -> tuple[StorageTable, StorageTable]:
    fields.only(_KEYS)
    for name in ("values", "calls"):
        if name not in fields:
            what = f"{fields.place}: {name}.type is missing."
            remedy = (
                f'Describe a storage of {name}, or write template = "cloudpickle" and root = "…" instead.'
            )
            raise SettingsInvalid(what, remedy=remedy)
    return (
        read_storage(fields.take("values"), "values", f"{fields.place}.values"),
        read_storage(fields.take("calls"), "calls", f"{fields.place}.calls"),
    )


def _read_template(fields: Fields) -> tuple[StorageTable, StorageTable]:
    template = fields.text("template")
    if template == _IN_MEMORY:
        return StorageTable(_IN_MEMORY), StorageTable(_IN_MEMORY)
    if template not in _TEMPLATES:
        raise unknown(str(template), _TEMPLATES, place=f"{fields.place}.template", kind="template")
    root = fields.required("root")
    values, calls = ({"root": str(PurePath(root) / part)} for part in ("values", "calls"))
    if template != _SQL:
        return _checked(fields, str(template), values), StorageTable(str(template), calls)
    style = fields.text("values") or "bagofholding_hdf"
    if style not in _IN_FILES:
        raise unknown(style, _IN_FILES, place=f"{fields.place}.values", kind="style of values")
    url = fields.text("url") or f"sqlite:///{PurePath(root) / 'calls.db'}"
    return _checked(fields, style, values), StorageTable(_SQL, {"url": url})


def _checked(fields: Fields, kind: str, options: Mapping[str, object]) -> StorageTable:
    return read_storage({"type": kind, **options}, "values", f"{fields.place}.values")
