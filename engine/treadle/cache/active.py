"""Which cache is in use: one for the process, and others within a context.

What is set for the process holds in all its threads; what is set within `with` holds there alone, and in the
tasks of asyncio that start there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from treadle.cache.caches.base import BaseCache
from treadle.cache.in_use import InUse, Put
from treadle.cache.metadata import Collector, Tags
from treadle.errors import UsageError

if TYPE_CHECKING:
    from pydantic import JsonValue

_caches: InUse[BaseCache] = InUse("treadle_cache")
_collectors: InUse[tuple[Collector, ...]] = InUse("treadle_cache_meta")


class _Configured:
    """What the configuration says, once it was asked."""

    cache: BaseCache | None = None
    collectors: tuple[Collector, ...] | None = None


def get_cache() -> BaseCache:
    """Return the cache that is in use; the configured one is opened when it is first needed.

    Raises:
        SettingsInvalid: The configuration is broken.
    """
    chosen = _caches.get()
    if chosen is not None:
        return chosen
    if _Configured.cache is None:
        from treadle.cache.config import load

        _Configured.cache = load()
    return _Configured.cache


class Use(Put[BaseCache]):
    """A cache that has been put to use; see `cache`.

    Attributes:
        cache: The cache.
    """

    def __init__(self, chosen: BaseCache) -> None:
        self.cache = chosen
        super().__init__(_caches, chosen)


@overload
def cache() -> BaseCache: ...
@overload
def cache(chosen: BaseCache | str, *, stack: bool = False) -> Use: ...
def cache(chosen: BaseCache | str | None = None, *, stack: bool = False) -> BaseCache | Use:
    """Return the cache that is in use, or put another to use.

    Args:
        chosen: A cache, or the name of one that is configured. It stays in use, or does so within `with`.
        stack: Put it on top of the one that is in use: new calls go to it alone.

    Raises:
        SettingsInvalid: The configuration is broken, or has no cache of that name; it says where it looked.
        UsageError: It is no cache.
    """
    if chosen is None:
        return get_cache()
    if isinstance(chosen, str):
        from treadle.cache.config import load

        chosen = load(chosen)
    if not isinstance(chosen, BaseCache):
        remedy = "Give a cache, or the name of one that is configured."
        raise UsageError(f"{chosen!r} is no cache.", remedy=remedy)
    return Use(get_cache().push(chosen) if stack else chosen)


def collectors() -> tuple[Collector, ...]:
    """Return what collects metadata of calls now: what was set, else what is configured."""
    chosen = _collectors.get()
    if chosen is not None:
        return chosen
    if _Configured.collectors is None:
        from treadle.cache.config import load_collectors

        _Configured.collectors = load_collectors()
    return _Configured.collectors


def meta(*chosen: Collector, stack: bool = False) -> Put[tuple[Collector, ...]]:
    """Have metadata of calls collected by these from now on, or only within `with`.

    Args:
        chosen: The collectors.
        stack: Have those that are in use collect too.
    """
    return Put(_collectors, (*collectors(), *chosen) if stack else chosen)


def tags(**values: JsonValue) -> Put[tuple[Collector, ...]]:
    """Have these tags noted with calls from now on, or only within `with`."""
    return meta(Tags(values), stack=True)


def project(name: str) -> Put[tuple[Collector, ...]]:
    """Have a project's name noted with calls from now on, or only within `with`."""
    return tags(project=name)


@dataclass(frozen=True)
class Bound:
    """A call with the cache and the collectors it is to use, for threads and processes that know neither.

    It pickles if function, arguments and cache do.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    cache: BaseCache
    collectors: tuple[Collector, ...]

    @classmethod
    def of(cls, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Bound:
        """Bind a function and its first arguments to what is in use now."""
        return cls(function, args, kwargs, get_cache(), collectors())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with these arguments after its own."""
        if inspect.iscoroutinefunction(self.function):
            return self._call_async(args, kwargs)
        with _caches.within(self.cache), _collectors.within(self.collectors):
            return self.function(*self.args, *args, **{**self.kwargs, **kwargs})

    async def _call_async(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with _caches.within(self.cache), _collectors.within(self.collectors):
            return await self.function(*self.args, *args, **{**self.kwargs, **kwargs})
