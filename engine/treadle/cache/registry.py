"""What can be named in a configuration or an envelope: storages, serialisers, splitters, by name.

An extension registers its own, or has entry points in the group `treadle.cache`, named after kind and name:

    [project.entry-points."treadle.cache"]
    "values.zarr" = "shop.storages:ZarrValues"
    "codec.msgpack" = "shop.codecs:MSGPACK"
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from treadle.errors import AlreadyExists, CacheError, UnknownName

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from treadle.cache.storages.ports import CallStorage, ValueStorage
    from treadle.cache.values.codecs import Codec
    from treadle.cache.values.splitters import Splitter

GROUP = "treadle.cache"
"""Group of the entry points."""

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of a kind by name; one that is named by a module's path is imported when it is asked for.

    Args:
        kind: What they are, as entry points call them.
        builtin: Those of Treadle, each as `module:name`.

    Attributes:
        registered: How many were registered by hand, for whoever remembers what it found here.
    """

    def __init__(self, kind: str, **builtin: str) -> None:
        self.kind = kind
        self.registered = 0
        self._paths = builtin
        self._items: dict[str, T] = {}
        self._points: dict[str, EntryPoint] | None = None

    def register(self, name: str, item: T) -> None:
        """Make something known under a name.

        Raises:
            AlreadyExists: The name is taken by something else.
        """
        if name in self._paths or self._items.get(name, item) is not item:
            raise AlreadyExists(f"There is a {self.kind} named {name!r} already.")
        self._items[name] = item
        self.registered += 1

    def get(self, name: str) -> T:
        """Return what has a name.

        Raises:
            UnknownName: Nothing has.
            CacheError: It is an extension's, and cannot be imported.
        """
        if name not in self._items:
            self._items[name] = self._import(name)
        return self._items[name]

    def names(self) -> list[str]:
        """Return all names, in order."""
        return sorted({*self._items, *self._paths, *self._extensions()})

    def all(self) -> list[T]:
        """Return everything, Treadle's own first; errors are those of `get`."""
        return [self.get(name) for name in sorted(self.names(), key=lambda name: name not in self._paths)]

    def _import(self, name: str) -> T:
        if name in self._paths:
            module, _, attribute = self._paths[name].partition(":")
            return cast("T", getattr(importlib.import_module(module), attribute))
        point = self._extensions().get(name)
        if point is None:
            near = difflib.get_close_matches(name, self.names(), 1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(self.names())}."
            raise UnknownName(f"There is no {self.kind} named {name!r}.", remedy=remedy)
        try:
            return cast("T", point.load())
        except Exception as error:  # an extension's code runs here, and may raise anything
            what = f"The {self.kind} {name!r} of the extension {point.value} cannot be imported."
            raise CacheError(what, detail=repr(error)) from error

    def _extensions(self) -> dict[str, EntryPoint]:
        if self._points is None:
            from importlib.metadata import entry_points

            begin = f"{self.kind}."
            named = (point for point in entry_points(group=GROUP) if point.name.startswith(begin))
            self._points = {point.name.removeprefix(begin): point for point in named}
        return self._points


_STORAGES = "treadle.cache.storages"
_VALUES = "treadle.cache.values"

CODECS: Registry[Codec] = Registry(
    "codec",
    pickle=f"{_VALUES}.codecs:PICKLE",
    cloudpickle=f"{_VALUES}.codecs:CLOUDPICKLE",
    dill=f"{_VALUES}.codecs:DILL",
    hdf=f"{_STORAGES}.hdf:HDF",
)
"""Serialisers, by the name that stands in envelopes."""

SPLITTERS: Registry[Splitter] = Registry(
    "splitter",
    list=f"{_VALUES}.splitters:LISTS",
    tuple=f"{_VALUES}.splitters:TUPLES",
    dict=f"{_VALUES}.splitters:DICTS",
    fields=f"{_VALUES}.splitters:FIELDS",
)
"""What takes containers apart, by the name that stands in skeletons."""

VALUE_STORAGES: Registry[Callable[..., ValueStorage]] = Registry(
    "values",
    memory=f"{_STORAGES}.memory:MemoryValues",
    void=f"{_STORAGES}.void:VoidValues",
    pickle=f"{_STORAGES}.files:pickle_values",
    cloudpickle=f"{_STORAGES}.files:FileValues",
    dill=f"{_STORAGES}.files:dill_values",
    bagofholding_hdf=f"{_STORAGES}.hdf:HdfValues",
    objects=f"{_STORAGES}.objects:ObjectValues",
)
"""Storages of values, by the `type` of a configuration."""

CALL_STORAGES: Registry[Callable[..., CallStorage]] = Registry(
    "calls",
    memory=f"{_STORAGES}.memory:MemoryCalls",
    void=f"{_STORAGES}.void:VoidCalls",
    pickle=f"{_STORAGES}.files:FileCalls",
    cloudpickle=f"{_STORAGES}.files:FileCalls",
    dill=f"{_STORAGES}.files:FileCalls",
    objects=f"{_STORAGES}.objects:ObjectCalls",
    sql=f"{_STORAGES}.sql.calls:SqlCalls",
)
"""Storages of calls, by the `type` of a configuration; records are JSON in all of them."""
