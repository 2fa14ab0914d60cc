"""Queries: calls that a cache keeps, read as they are needed, each time anew.

The result of a query is not a list: every loop over it asks the cache again.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict

from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys import digest_of
from treadle.cache.keys.digest import Digest
from treadle.cache.storages.ports import Template
from treadle.errors import NotCached

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import JsonValue

_logger = logging.getLogger("treadle.cache")
_TIMES = ("timestart", "timestop")


class Wanted(TypedDict, total=False):
    """What calls are asked for, by values; whatever is None or missing matches all. See `template_for`."""

    name: str | None
    module: str | None
    version: int | str | None
    code_digest: Digest | None
    arguments: Mapping[str, object] | None
    result: object
    metadata: Mapping[str, JsonValue] | None


def template_for(
    *,
    name: str | None = None,
    module: str | None = None,
    version: int | str | None = None,
    code_digest: Digest | None = None,
    arguments: Mapping[str, object] | None = None,
    result: object = None,
    metadata: Mapping[str, JsonValue] | None = None,
) -> Template:
    """Write a template for values; None stands for any.

    Args:
        name: The function's qualified name.
        module: The function's module.
        version: The function's version.
        code_digest: Digest of the function's source.
        arguments: Values of arguments by name; a Digest is what the argument adds to the key.
        result: What was returned; a Digest is what it adds to the key of a call that takes it.
        metadata: Values that collected metadata have, as nested objects.

    Raises:
        Indigestible: A value has no key.
    """
    wanted = {name: _part(value) for name, value in (arguments or {}).items() if value is not None}
    return Template(
        name=name,
        module=module,
        version=version,
        code=code_digest,
        arguments=wanted,
        result=None if result is None else _part(result),
        metadata=metadata or {},
    )


class Asked(Protocol):
    """The cache that a query is put to."""

    def evict(self, key: Digest, /) -> int:
        """Remove a record; return the bytes freed, or raise CacheRefused."""
        ...

    def shrink(self, key: str, /) -> str:
        """Return the shortest beginning of a key that tells it from others."""
        ...


class Target(Protocol):
    """The cache that calls are copied into."""

    def contains(self, key: Digest, /) -> bool:
        """Whether something is kept of a call."""
        ...

    def adopt(self, cached: Cached, /) -> None:
        """Keep a record of another cache; raises CacheRefused or CacheUnavailable."""
        ...


class Query:
    """Calls that a cache keeps.

    Args:
        calls: Begins to read them.
        cache: The cache that keeps them.
        latest_first: Whether they come so.
    """

    def __init__(
        self, calls: Callable[[], Iterable[Cached]], cache: Asked, *, latest_first: bool = True
    ) -> None:
        self._calls = calls
        self._cache = cache
        self._latest_first = latest_first

    def __iter__(self) -> Iterator[Cached]:
        return iter(self._calls())

    def only(self) -> Cached:
        """Return the one call that there is.

        Raises:
            IndexError: There is none.
            ValueError: There are several.
        """
        first_two = list(itertools.islice(self, 2))
        if not first_two:
            raise IndexError("no call matches")
        if len(first_two) > 1:
            raise ValueError("several calls match")
        return first_two[0]

    def count(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)

    def any(self) -> Cached | None:
        """Return the first one; None if there is none."""
        return next(iter(self), None)

    def empty(self) -> bool:
        """Whether there is none."""
        return self.any() is None

    def take(self, number: int) -> Query:
        """Leave all out after the first ones."""
        return self._like(lambda: itertools.islice(self, number))

    def skip(self, number: int) -> Query:
        """Leave the first ones out."""
        return self._like(lambda: itertools.islice(self, number, None))

    def filter(self, predicate: Callable[[Cached], object]) -> Query:
        """Leave those out for which this is false."""
        return self._like(lambda: (call for call in self if predicate(call)))

    def sorted(self, key: str | Callable[[Cached], Hashable] | None = None, reverse: bool = False) -> Query:
        """Put them into order.

        Args:
            key: What to compare, or the name of the argument whose values are compared; None: their times.
            reverse: The greatest first.
        """
        compared: Callable[[Cached], object] = _created if key is None else _value(key)
        return Query(
            lambda: sorted(self, key=compared, reverse=reverse),  # type: ignore[arg-type]  # may be incomparable
            self._cache,
            latest_first=key is None and reverse,
        )

    def unique(self, key: str | Callable[[Cached], Hashable]) -> Query:
        """Leave those out that are equal to one before.

        Args:
            key: What to compare, or the name of the argument that is compared.
        """
        return self._like(lambda: _unique(self, _part_of(key) if isinstance(key, str) else key))

    def groupby(self, key: str | Callable[[Cached], Hashable]) -> dict[object, Query]:
        """Return what belongs together, by what it has in common; all is read now.

        Args:
            key: What to compare, or the name of the argument whose values are compared.
        """
        groups: dict[object, list[Cached]] = {}
        value = _value(key)
        for call in self:
            groups.setdefault(value(call), []).append(call)
        return {common: self._like(group.copy) for common, group in groups.items()}

    def latest(self) -> Cached:
        """Return the one that was recorded last; raises IndexError if there is none."""
        last = self.any() if self._latest_first else max(self, key=_created, default=None)
        if last is None:
            raise IndexError("no call matches")
        return last

    def oldest(self) -> Cached:
        """Return the one that was recorded first; raises IndexError if there is none."""
        first = min(self, key=_created, default=None)
        if first is None:
            raise IndexError("no call matches")
        return first

    def results(self) -> Iterator[object]:
        """Yield what they returned, or the exceptions that were kept."""
        return (call.result() for call in self)

    def evict(self) -> int:
        """Remove them from the cache; return the bytes freed.

        Raises:
            CacheRefused: Nothing may be removed there.
        """
        keys = [call.record.key for call in self]
        return sum(self._cache.evict(key) for key in keys)

    def transfer(self, target: Target, pop: bool = False, overwrite: bool = False) -> int:
        """Copy them into another cache; return how many were.

        Args:
            target: The other cache.
            pop: Remove here what was copied.
            overwrite: Copy also what the other cache has already; else that is left out, with a warning.

        Raises:
            CacheRefused: One of the caches takes no such change.
            CacheUnavailable: One of them cannot be read or written.
        """
        copied = 0
        for call in list(self) if pop else self:
            key = call.record.key
            if not overwrite and target.contains(key):
                _logger.warning("Call %s is not copied: the other cache has it already.", key)
                continue
            try:
                target.adopt(call)
            except NotCached as gone:
                _logger.warning("Call %s is not copied: %s", key, gone)
                continue
            copied += 1
            if pop:
                self._cache.evict(key)
        return copied

    def table(
        self,
        arguments: Iterable[str] | str | Literal[True] = (),
        results: bool = False,
        shrink_keys: bool = True,
    ) -> pd.DataFrame:
        """Return a row for each call, under its key: name, module, metadata, and what is asked for.

        Args:
            arguments: Names of arguments whose values become columns; True for all. A name that is taken
                gets the prefix `a_`.
            results: Make a column of the results.
            shrink_keys: Shorten keys as far as they remain unambiguous.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        names = (arguments,) if isinstance(arguments, str) else arguments
        calls = list(self)
        keys: list[str] = [call.record.key for call in calls]
        if shrink_keys:
            keys = [self._cache.shrink(key) for key in keys]
        rows = [_row(call, names if names is True else tuple(names), results=results) for call in calls]
        table = pd.DataFrame.from_records(rows, index=pd.Index(keys, dtype=object))
        here = datetime.now(UTC).astimezone().tzinfo
        for column in _TIMES:
            if column in table.columns:
                table[column] = pd.to_datetime(table[column], unit="s", utc=True).dt.tz_convert(here)
        return table

    def _like(self, calls: Callable[[], Iterable[Cached]]) -> Query:
        return Query(calls, self._cache, latest_first=self._latest_first)


def _part(value: object) -> Digest:
    """What a value adds to a key."""
    return value if type(value) is Digest else digest_of(value)


def _created(call: Cached) -> float:
    return call.record.created


def _value(key: str | Callable[[Cached], Hashable]) -> Callable[[Cached], Hashable]:
    if not isinstance(key, str):
        return key
    name = key

    def value(call: Cached) -> Hashable:
        found = call.argument(name)
        if not isinstance(found, Hashable):
            raise TypeError(f"the argument {name!r} is not hashable")
        return found

    return value


def _part_of(name: str) -> Callable[[Cached], Hashable]:
    """Tell arguments apart without reading them."""
    return lambda call: next(one.key for one in call.record.arguments if one.name == name)


def _unique(calls: Iterable[Cached], key: Callable[[Cached], Hashable]) -> Iterator[Cached]:
    seen: set[Hashable] = set()
    for call in calls:
        value = key(call)
        if value not in seen:
            seen.add(value)
            yield call


def _row(call: Cached, names: tuple[str, ...] | Literal[True], *, results: bool) -> dict[str, object]:
    record = call.record
    row: dict[str, object] = {"name": record.name, "module": record.module}
    if results:
        row["result"] = call.result()
    for collected in record.metadata.values():
        if isinstance(collected, dict):
            row.update(collected)
    there = {argument.name for argument in record.arguments if argument.value is not None}
    for name in [one.name for one in record.arguments] if names is True else names:
        row[f"a_{name}" if name in row else name] = call.argument(name) if name in there else None
    return row
