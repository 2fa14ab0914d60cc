"""The plain cache: a storage of values beside one of calls."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from treadle.cache.caches.base import BaseCache, Prepared
from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys.digest import Digest
from treadle.cache.records import (
    ATOM_BYTES,
    Argument,
    CallRecord,
    Inline,
    Kept,
    Outcome,
    Reference,
    SealedCall,
    Stored,
)
from treadle.cache.storages.ports import CallStorage, Lease, Leases, SavesMany, Template, ValueStorage
from treadle.errors import NotCached, Unstorable

if TYPE_CHECKING:
    from pydantic import JsonValue

_ATOMS = (type(None), bool, int, float)


class Cache(BaseCache):
    """A storage of values beside one of calls.

    Attributes:
        values: Where values are.
        calls: Where records are.
    """

    def __init__(self, values: ValueStorage, calls: CallStorage) -> None:
        self.values = values
        self.calls = calls

    def lookup(self, key: Digest) -> Cached | None:
        """Return what is kept of a call; this counts as a use."""
        try:
            record = self.calls.load(key)
        except NotCached:
            return None
        self.calls.touch((key,))
        return Cached(record, self)

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Return what is kept of these calls, in few reads."""
        found = self.calls.load_many(keys)
        self.calls.touch(found)
        return {key: Cached(record, self) for key, record in found.items()}

    def contains(self, key: Digest) -> bool:
        """Whether something is kept of a call."""
        return self.calls.contains(key)

    def prepare(self, call: SealedCall) -> Prepared:
        """Keep the arguments that can be kept."""
        kept = {name: self._keep_if_possible(value) for name, value in call.arguments.items()}
        arguments = tuple(Argument(name, part, kept[name]) for name, part in call.parts.items())
        return _UnderWay(self, call, arguments)

    def adopt(self, cached: Cached) -> None:
        """Keep a record of another cache, with its values."""
        self.calls.save(self._adopted(cached))

    def adopt_many(self, cached: Collection[Cached]) -> None:
        """Keep records of another cache, at once where the storage can do that."""
        records = [self._adopted(one) for one in cached]
        if isinstance(self.calls, SavesMany):
            self.calls.save_many(records)
        else:
            for record in records:
                self.calls.save(record)

    def _adopted(self, cached: Cached) -> CallRecord:
        """Return a record of another cache as it is here, once its values are."""
        record = cached.record
        if isinstance(record.result, Inline) and not any(
            isinstance(argument.value, Stored) for argument in record.arguments
        ):
            return record
        kept = {name: self._keep_if_possible(value) for name, value in cached.arguments().items()}
        arguments = tuple(replace(argument, value=kept.get(argument.name)) for argument in record.arguments)
        return replace(record, arguments=arguments, result=self.keep(cached.result()))

    def load_value(self, digest: Digest) -> object:
        """Return a value."""
        return self.values.load(digest)

    def evict(self, key: Digest) -> int:
        """Remove a record; its values stay until garbage is collected."""
        return self.calls.evict(key)

    def find(self, template: Template) -> Iterator[Cached]:
        """Yield what is kept of matching calls, the latest first."""
        return (Cached(record, self) for record in self.calls.find(template))

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return keys that begin so."""
        return self.calls.starting_with(prefix)

    @property
    def leases(self) -> Leases | None:
        """The leases of those who share the call storage."""
        return self.calls.leases

    def keep(self, value: object) -> Kept:
        """Keep a value: small ones are for the record itself.

        Raises:
            Unstorable: The storage cannot keep it.
            CacheUnavailable: It cannot be written.
        """
        kind = type(value)
        if isinstance(value, Reference):
            return value.value
        if kind in _ATOMS or (kind in {str, bytes} and len(value) <= ATOM_BYTES):  # type: ignore[arg-type]
            return Inline(value)  # type: ignore[arg-type]
        return Stored(self.values.save(value))

    def _keep_if_possible(self, value: object) -> Kept | None:
        try:
            return self.keep(value)
        except Unstorable:
            return None


class _UnderWay(Prepared):
    """A call whose arguments are in a cache."""

    def __init__(self, cache: Cache, call: SealedCall, arguments: tuple[Argument, ...]) -> None:
        self._cache = cache
        self._call = call
        self._arguments = arguments

    @property
    def kept(self) -> Collection[Digest]:
        return [argument.value.digest for argument in self._arguments if isinstance(argument.value, Stored)]

    def commit(
        self,
        result: object,
        *,
        result_key: Digest | None,
        outcome: Outcome = Outcome.RETURNED,
        metadata: Mapping[str, JsonValue] | None = None,
        lease: Lease | None = None,
    ) -> CallRecord:
        record = CallRecord(
            key=self._call.key,
            name=self._call.name,
            module=self._call.module,
            version=self._call.version,
            code=self._call.code,
            arguments=self._arguments,
            result=self._cache.keep(result),
            result_key=result_key,
            outcome=outcome,
            created=time.time(),
            metadata=metadata or {},
        )
        self._cache.calls.save(record, lease=lease)
        return record

    def abandon(self) -> None:
        """Leave the arguments to garbage collection."""
