"""What a cache is: a storage of values and one of calls, or a layer over such.

A layer's author writes the abstract methods; what people call besides is made of them here.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, overload

from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys import DIGEST_LENGTH, Digest, digest_of
from treadle.cache.queries import Query, Wanted, template_for
from treadle.cache.records import CallRecord, Outcome, SealedCall
from treadle.cache.storages.ports import Lease, Leases, Template
from treadle.errors import AmbiguousKey, Indigestible, NotCached

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd
    from pydantic import JsonValue


SHORTEST_PREFIX = 4
"""Characters of a key that people have to give at least."""


class Prepared(ABC):
    """A call under way: its arguments are kept already, its record is not."""

    @property
    @abstractmethod
    def kept(self) -> Collection[Digest]:
        """The values that garbage collection must leave until the record is there."""

    @abstractmethod
    def commit(
        self,
        result: object,
        *,
        result_key: Digest | None,
        outcome: Outcome = Outcome.RETURNED,
        metadata: Mapping[str, JsonValue] | None = None,
        lease: Lease | None = None,
    ) -> CallRecord:
        """Keep result and record.

        Args:
            result: What it returned, or the exception that it raised.
            result_key: What it adds to the key of a call that takes it; None if it has no key.
            outcome: Which of both.
            metadata: What collectors say of it.
            lease: The lease under which the call ran.

        Raises:
            Unstorable: The result cannot be kept.
            CacheRefused: The lease was lost meanwhile.
            CacheUnavailable: The storage cannot be written.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Keep nothing of it; never raises."""


class BaseCache(ABC):
    """Records of calls and their values."""

    @abstractmethod
    def lookup(self, key: Digest) -> Cached | None:
        """Return what is kept of a call, or None; this counts as a use.

        Raises:
            CacheUnavailable: It cannot be read now.
        """

    def lookup_call(self, call: SealedCall) -> Cached | None:
        """Return what is kept of a call under a key of another scheme, as a record under its own, or None.

        This is asked after a miss, before the body runs; errors are those of `lookup`.
        """
        del call
        return None

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Return what is kept of these calls; errors are those of `lookup`."""
        found = ((key, self.lookup(key)) for key in keys)
        return {key: cached for key, cached in found if cached is not None}

    @abstractmethod
    def prepare(self, call: SealedCall) -> Prepared:
        """Keep a call's arguments, as far as they can be kept, before its body runs.

        Raises:
            CacheRefused: This cache takes no records.
            CacheUnavailable: It cannot be written.
        """

    @abstractmethod
    def adopt(self, cached: Cached) -> None:
        """Keep a record of another cache, with all its values; errors are those of `prepare` and `commit`."""

    def adopt_many(self, cached: Collection[Cached]) -> None:
        """Keep records of another cache; errors are those of `adopt`."""
        for one in cached:
            self.adopt(one)

    @abstractmethod
    def load_value(self, digest: Digest) -> object:
        """Return a value; raises NotCached or CacheUnavailable."""

    @abstractmethod
    def evict(self, key: Digest) -> int:
        """Remove a record where it may be removed; return the bytes freed.

        Raises:
            CacheRefused: Nothing may be removed here.
        """

    @abstractmethod
    def find(self, template: Template) -> Iterator[Cached]:
        """Yield what is kept of matching calls, the latest first."""

    @abstractmethod
    def starting_with(self, prefix: str) -> list[Digest]:
        """Return keys that begin so, at most 16, in order."""

    @property
    def layers(self) -> tuple[BaseCache, ...]:
        """The caches that this one is put over, in the order they are asked; none for a plain one."""
        return ()

    @property
    def leases(self) -> Leases | None:
        """The leases of those who share it; None where calls are not to wait for each other."""
        return None

    def contains(self, key: Digest) -> bool:
        """Whether something is kept of a call."""
        return self.lookup(key) is not None

    def load(self, key: Digest) -> Cached:
        """Return what is kept of a call.

        Raises:
            NotCached: Nothing is.
            CacheUnavailable: It cannot be read now.
        """
        found = self.lookup(key)
        if found is None:
            raise NotCached(f"There is no record of the call {key}.")
        return found

    def save(
        self, call: SealedCall, result: object, *, metadata: Mapping[str, JsonValue] | None = None
    ) -> Digest:
        """Keep a call that was made, and return its key; errors are those of `prepare` and `commit`."""
        try:
            result_key: Digest | None = digest_of(result)
        except Indigestible:
            result_key = None
        return self.prepare(call).commit(result, result_key=result_key, metadata=metadata).key

    def query(self, template: Template | None = None, **wanted: Unpack[Wanted]) -> Query:
        """Return the calls that match, the latest first; nothing is read yet.

        Args:
            template: What they are asked for, by what arguments add to the key.
            wanted: The same by values.

        Raises:
            Indigestible: A value has no key.
            TypeError: Both are given.
        """
        if template is None:
            template = template_for(**wanted)
        elif wanted:
            raise TypeError("a query takes a template or values, not both")
        asked = template
        return Query(lambda: self.find(asked), self)

    def table(
        self,
        arguments: Iterable[str] | str | Literal[True] = (),
        results: bool = False,
        shrink_keys: bool = True,
    ) -> pd.DataFrame:
        """Return a row for each call; see `Query.table`."""
        return self.query().table(arguments, results, shrink_keys)

    def transfer(self, other: BaseCache, pop: bool = False, overwrite: bool = False) -> int:
        """Copy all calls into another cache, and return how many were; see `Query.transfer`."""
        return self.query().transfer(other, pop, overwrite)

    def filter(self, predicate: Callable[[Cached], bool] | Template) -> BaseCache:
        """Return this cache as far as its calls match, to be read only."""
        from treadle.cache.caches.filtered import Filtered
        from treadle.cache.storages.matching import matches

        if not isinstance(predicate, Template):
            return Filtered(self, predicate)
        template = predicate
        return Filtered(self, lambda cached: matches(cached.record, template))

    def readonly(self) -> BaseCache:
        """Return this cache, to be read only."""
        from treadle.cache.caches.read_only import ReadOnly

        return ReadOnly(self)

    def push(self, cache: BaseCache) -> BaseCache:
        """Return a stack of another cache, which takes what is new, and this one below."""
        from treadle.cache.caches.stack import Stack

        return Stack((cache, *self.layers) if isinstance(self, Stack) else (cache, self))

    def expand(self, prefix: str) -> Digest:
        """Return the key that begins so.

        Args:
            prefix: At least 4 characters.

        Raises:
            NotCached: No key does.
            AmbiguousKey: Several do, or it is too short.
        """
        if len(prefix) < SHORTEST_PREFIX:
            raise AmbiguousKey(
                f"{prefix!r} is too short for a key.",
                remedy=f"Give at least {SHORTEST_PREFIX} characters of it.",
            )
        found = self.starting_with(prefix)
        if not found:
            raise NotCached(f"No call has a key that begins with {prefix}.")
        if len(found) > 1:
            needed = max(_common(one, other) for one, other in itertools.pairwise(found)) + 1
            raise AmbiguousKey(
                f"{len(found)} calls or more have keys that begin with {prefix}.",
                remedy=f"Give {needed} characters to tell them apart.",
            )
        return found[0]

    @overload
    def shrink(self, key: str, /) -> str: ...
    @overload
    def shrink(self, key: str, /, *keys: str) -> tuple[str, ...]: ...
    def shrink(self, key: str, /, *keys: str) -> str | tuple[str, ...]:
        """Return the shortest beginnings of keys that `expand` takes today; raises NotCached."""
        return tuple(_shortest(self, one) for one in (key, *keys)) if keys else _shortest(self, key)


def _shortest(cache: BaseCache, key: str) -> str:
    """Return the shortest beginning of a key that no other has."""
    length = SHORTEST_PREFIX
    while length <= DIGEST_LENGTH:
        found = cache.starting_with(key[:length])
        if found in ([key], []):
            break
        length = max(_common(key, other) for other in found if other != key) + 1
    if not found:
        raise NotCached(f"There is no record of the call {key}.")
    return key[:length]


def _common(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
