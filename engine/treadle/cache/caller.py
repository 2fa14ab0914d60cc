"""How a cached function is called: looked up, waited for, or made and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from treadle.cache.active import get_cache
from treadle.cache.caches.base import BaseCache, Prepared
from treadle.cache.caches.cached_call import Cached
from treadle.cache.flights import run_once, run_once_async
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.sealing import KeyOptions, ReadCall, Sealer
from treadle.cache.passing import loaded, loaded_names, with_values
from treadle.cache.recording import Ended, KeepOptions, Reasons, Recording
from treadle.cache.records import CallRecord, Outcome, Reference, SealedCall
from treadle.cache.storages.ports import Lease, Template
from treadle.errors import CacheError, Indigestible, NotCached

if TYPE_CHECKING:
    from pydantic import JsonValue


class Caller:
    """Calls of one function through the cache that is in use.

    Attributes:
        sealer: Makes the keys of its calls.
        reasons: Why calls were not cached.
    """

    def __init__(self, function: Callable[..., Any], key: KeyOptions, keep: KeepOptions) -> None:
        self._function = function
        self._keep = keep
        self.sealer = Sealer(function, key)
        self.reasons = Reasons(f"{function.__module__}.{function.__qualname__}", self.sealer.name)

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return what the function returns for these arguments, or raise what it raises."""
        cache = get_cache()
        args, kwargs = with_values(cache, args, kwargs)
        read = self._read(args, kwargs)
        if read is None:
            return self._function(*loaded(cache, args), **loaded_names(cache, kwargs))
        return (self._look_up(cache, read.key) or self._make(cache, read, args, kwargs)).give()

    async def call_async(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Do as `call` for a coroutine function."""
        cache = get_cache()
        args, kwargs = with_values(cache, args, kwargs)
        read = self._read(args, kwargs)
        if read is None:
            return await self._function(*loaded(cache, args), **loaded_names(cache, kwargs))
        ended = self._look_up(cache, read.key) or await self._make_async(cache, read, args, kwargs)
        return ended.give()

    def look(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Ended | None:
        """Return how the call ended, if that is kept; None if it has to be made."""
        cache = get_cache()
        try:
            args, kwargs = with_values(cache, args, kwargs)
        except CacheError:  # whoever makes the call says which value is gone
            return None
        read = self._read(args, kwargs)
        if read is None:
            return None
        return self._look_up(cache, read.key) or self._find(lambda: cache.lookup_call(read.seal()))

    def refer(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Make the call if need be; return a reference to its result, or the result where it is not kept."""
        cache = get_cache()
        args, kwargs = with_values(cache, args, kwargs)
        read = self._read(args, kwargs)
        if read is None:
            return self._function(*loaded(cache, args), **loaded_names(cache, kwargs))
        record = self._record(cache, read.key)
        if record is None:
            ended = self._make(cache, read, args, kwargs)
            return _reference(ended.record) or ended.give()
        return _reference(record) or self.call(args, kwargs)

    async def refer_async(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Do as `refer` for a coroutine function."""
        cache = get_cache()
        args, kwargs = with_values(cache, args, kwargs)
        read = self._read(args, kwargs)
        if read is None:
            return await self._function(*loaded(cache, args), **loaded_names(cache, kwargs))
        record = self._record(cache, read.key)
        if record is None:
            ended = await self._make_async(cache, read, args, kwargs)
            return _reference(ended.record) or ended.give()
        return _reference(record) or await self.call_async(args, kwargs)

    def _record(self, cache: BaseCache, key: Digest) -> CallRecord | None:
        """Return the record of a call; nothing of its result is read."""
        try:
            found = cache.lookup(key)
        except CacheError as error:
            self.reasons.tell(error)
            return None
        return None if found is None else found.record

    def _read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ReadCall | None:
        """Return the call with its key; None if it is to be made without the cache."""
        try:
            arguments = self.sealer.signature.bind(args, kwargs)
        except TypeError:  # the function itself says what is wrong with them
            return None
        missing = self.sealer.signature.missing(args, kwargs)
        if missing:
            self.reasons.tell(f"the argument {missing[0]!r} must be passed for that.")
            return None
        try:
            return self.sealer.read(arguments)
        except Indigestible as error:
            self.reasons.tell(error)
            return None

    def _look_up(self, cache: BaseCache, key: Digest) -> Ended | None:
        return self._find(lambda: cache.lookup(key))

    def _find(self, lookup: Callable[[], Cached | None]) -> Ended | None:
        try:
            found = lookup()
            return None if found is None else _ended(found)
        except NotCached:  # its record outlived its value
            return None
        except CacheError as error:
            self.reasons.tell(error)
            return None

    def _make(
        self, cache: BaseCache, read: ReadCall, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Ended:
        call = read.seal()
        former = self._find(lambda: cache.lookup_call(call))
        if former is not None:
            return former
        prepared = self._prepare(cache, call)
        args, kwargs = loaded(cache, args), loaded_names(cache, kwargs)
        if prepared is None:
            return Ended(self._function(*args, **kwargs))

        def compute(lease: Lease | None) -> Ended:
            with self._recording(cache, read.key, prepared, lease) as recording:
                return recording.returned(self._function(*args, **kwargs))

        return run_once(
            read.key, cache.leases, lambda: self._look_up(cache, read.key), compute, keeping=prepared.kept
        )

    async def _make_async(
        self, cache: BaseCache, read: ReadCall, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Ended:
        call = read.seal()
        former = self._find(lambda: cache.lookup_call(call))
        if former is not None:
            return former
        prepared = self._prepare(cache, call)
        args, kwargs = loaded(cache, args), loaded_names(cache, kwargs)
        if prepared is None:
            return Ended(await self._function(*args, **kwargs))

        async def compute(lease: Lease | None) -> Ended:
            with self._recording(cache, read.key, prepared, lease) as recording:
                return recording.returned(await self._function(*args, **kwargs))

        return await run_once_async(
            read.key, cache.leases, lambda: self._look_up(cache, read.key), compute, keeping=prepared.kept
        )

    def _recording(
        self, cache: BaseCache, key: Digest, call: Prepared, lease: Lease | None
    ) -> AbstractContextManager[Recording]:
        return Recording(call, lease, keep=self._keep, reasons=self.reasons, forget=lambda: cache.evict(key))

    def _prepare(self, cache: BaseCache, call: SealedCall) -> Prepared | None:
        try:
            return cache.prepare(call)
        except CacheError as error:
            self.reasons.tell(error)
            return None

    def template(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], metadata: Mapping[str, JsonValue]
    ) -> Template:
        """Return what matches calls with these arguments; those that are None or missing may be any.

        Raises:
            Indigestible: An argument has no key.
            TypeError: The function has no such parameter.
        """
        given = self.sealer.signature.bind_some(args, kwargs)
        return Template(
            name=self.sealer.name,
            module=self.sealer.module,
            version=self.sealer.version,
            code=self.sealer.code,
            arguments={
                name: Digest(self.sealer.part(name, value).hex())
                for name, value in given.items()
                if value is not None
            },
            metadata=metadata,
        )


def _reference(record: CallRecord | None) -> Reference | None:
    """Return what stands for the result of a call; None where nothing can."""
    if record is None or record.outcome is Outcome.RAISED or record.result_key is None:
        return None
    return Reference(record.result_key, record.result)


def _ended(found: Cached) -> Ended:
    return Ended(found.result(), found.record.outcome, found.record)
