"""Unpickling runs what the pickle says: what may be run, and from whose folders."""

from __future__ import annotations

import io
import os
import pickle
import stat
from collections.abc import Iterable, Sequence
from enum import EnumType
from pathlib import Path

from treadle.cache.values.compression import Bytes

_PATHS = ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath")
_HARMLESS = frozenset(
    {
        *(("builtins", name) for name in ("bytearray", "complex", "frozenset", "range", "set", "slice")),
        *(("collections", name) for name in ("OrderedDict", "deque", "defaultdict", "Counter")),
        *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(
            ("pathlib", name)
            for name in ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath")
        ),
        *(("numpy", name) for name in ("dtype", "ndarray")),
        *(
            (f"numpy.{core}.multiarray", name)
            for core in ("core", "_core")
            for name in ("_reconstruct", "scalar")
        ),
        *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        ("_codecs", "encode"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
        ("zoneinfo", "ZoneInfo"),
    }
)


class Allowed:
    """Names that pickles may use, besides those of plain values, dates and arrays.

    Args:
        names: Full names of classes and functions, such as `shop.Order`, or `shop.*` for a module's own.
            Whatever a pickle calls is run, so only list modules in which nothing does harm.
    """

    def __init__(self, names: Iterable[str]) -> None:
        listed = tuple(names)
        self._modules = frozenset(name[:-2] for name in listed if name.endswith(".*"))
        self._names = frozenset(name for name in listed if not name.endswith(".*"))

    def permits(self, module: str, name: str) -> bool:
        """Whether a pickle may use a name of a module; never what a module has by way of another one."""
        if (module, name) in _HARMLESS or f"{module}.{name}" in self._names:
            return True
        return module in self._modules and "." not in name


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: Bytes, buffers: Sequence[memoryview], allowed: Allowed) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("builtins", "getattr"):
            return _harmless_attribute
        if not self._allowed.permits(module, name):
            raise pickle.UnpicklingError(f"{module}.{name} is not among the names that may be unpickled")
        return super().find_class(module, name)


def _harmless_attribute(owner: object, name: str) -> object:
    """Return what pickles have to get from a class: a member of an enum, or what makes a time zone."""
    from zoneinfo import ZoneInfo

    if isinstance(owner, EnumType) and name in owner.__members__:
        return owner.__members__[name]
    if owner is ZoneInfo and name == "_unpickle":
        return getattr(owner, name)
    raise pickle.UnpicklingError(
        f"the attribute {name} of {owner!r} is not among the names that may be unpickled"
    )


def unpickle(data: Bytes, buffers: Sequence[memoryview], allowed: Allowed | None) -> object:
    """Unpickle verified bytes.

    Args:
        data: The pickle.
        buffers: Those that stand outside of it.
        allowed: What it may use; anything if None.

    Raises:
        Exception: Whatever what it uses raises; `pickle.UnpicklingError` for names that are not allowed.
    """
    if allowed is None:
        return pickle.loads(data, buffers=buffers)  # noqa: S301 - its bytes are verified, its folder or signature checked
    return _Unpickler(data, buffers, allowed).load()


def writable_by_others(folder: str) -> str | None:
    """Say who besides this user and root can write into a folder; None if nobody, or if it is not there."""
    try:
        status = Path(folder).stat()
    except FileNotFoundError:
        return None
    if status.st_uid not in (os.geteuid(), 0):
        return f"user {status.st_uid}, whose folder it is"
    if status.st_mode & stat.S_IWOTH:
        return "everybody"
    if status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid):
        return f"group {status.st_gid}"
    return None


def _is_own_group(group: int) -> bool:
    """Whether nobody else is in it: many systems give each user a group of their own."""
    import grp
    import pwd

    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}
