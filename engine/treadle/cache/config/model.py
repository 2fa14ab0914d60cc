"""A cache as its tables describe it: the same model whichever file it is spelled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle.cache.remote.command import PYTHON

RESERVED = ("memory", "void", "default")
"""Names of caches that no table can have: two that are always there, and what `[default]` names."""

METADATA = ("Runtime",)
"""What is noted of every call, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class StorageTable:
    """A storage: its type and its own keys.

    Attributes:
        type: Name of the type.
        options: Its keys, but for the type.
    """

    type: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A cache of two storages, perhaps with limits, perhaps only to be read.

    Attributes:
        values: Where values are.
        calls: Where records are.
        max_size: Records.
        max_bytes: Bytes of records and values.
        max_age: Seconds since a call was recorded.
        read_only: Nothing is recorded.
        trust: `recorded`: every record of fleche's is served, not only those whose digests are certain.
    """

    values: StorageTable
    calls: StorageTable
    max_size: int | None = None
    max_bytes: int | None = None
    max_age: float | None = None
    read_only: bool = False
    trust: str | None = None

    @property
    def is_limited(self) -> bool:
        """Whether it has any limit."""
        return (self.max_size, self.max_bytes, self.max_age) != (None, None, None)


@dataclass(frozen=True, slots=True)
class SshTable:
    """A cache on another machine.

    Attributes:
        host: As `ssh` takes it.
        cache_name: Name of the cache there; its default one if None.
        python: Interpreter there.
        ssh_options: Words for `ssh` before the host.
        setup_commands: Lines that the shell there runs first.
        workdir: Folder there in which the configuration is looked for.
    """

    host: str
    cache_name: str | None = None
    python: str = PYTHON
    ssh_options: tuple[str, ...] = ()
    setup_commands: tuple[str, ...] = ()
    workdir: str | None = None


@dataclass(frozen=True, slots=True)
class PoolTable:
    """Caches read as one."""

    members: tuple[CacheTable, ...]


@dataclass(frozen=True, slots=True)
class StackTable:
    """Caches one over the other; the first takes what is new."""

    layers: tuple[CacheTable, ...]


CacheTable = PlainTable | SshTable | PoolTable | StackTable


@dataclass(frozen=True, slots=True)
class DefaultTable:
    """What holds where nothing is named.

    Attributes:
        cache: Name of a cache, or its table; None for the one in the home folder of Treadle.
        metadata: Collectors for every call.
    """

    cache: str | CacheTable | None = None
    metadata: tuple[str, ...] = METADATA
