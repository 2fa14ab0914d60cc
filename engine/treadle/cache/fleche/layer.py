"""fleche's records as a layer of a cache: they are listed, read and hit, and stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from treadle.cache.caches.cached_call import Cached
from treadle.cache.caches.over import Refusing
from treadle.cache.fleche.injective import is_injective
from treadle.cache.fleche.ports import OldCalls, OldValues
from treadle.cache.fleche.records import OldCall
from treadle.cache.fleche.reliance import agree, checked, identify, in_order, is_of, part_of
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.sealing import key_of, plain_module
from treadle.cache.records import Argument, CallRecord, Outcome, SealedCall, Stored
from treadle.cache.storages.ports import Template
from treadle.errors import NotCached

SCHEME = "fleche"
"""Scheme of the keys of records as fleche has them."""


class FlecheCache(Refusing):
    """What fleche has recorded, to be read only.

    A call is hit where fleche's digests tell its arguments and its result apart from all others, and where
    what is stored agrees with them. Records of other calls are listed, and read by fleche's keys.

    Args:
        values: fleche's values.
        calls: fleche's calls.
        trust: `recorded` to have hits of other calls, too: an int can then be taken for an equal float, an
            object for one of another class of that name. The provenance of such a hit says so.
    """

    def __init__(
        self, values: OldValues, calls: OldCalls, *, trust: Literal["recorded"] | None = None
    ) -> None:
        self._values = values
        self._calls = calls
        self._trusted = trust == "recorded"

    def lookup(self, key: Digest) -> Cached | None:
        """Return what is kept under a key of fleche's."""
        try:
            old = self._calls.load(key)
        except NotCached:
            return None
        return None if old.result is None else Cached(self._listed(old), self)

    def lookup_call(self, call: SealedCall) -> Cached | None:
        """Return what is kept of a call, as a record under our key, if that can be relied upon."""
        identity = identify(call, trusted=self._trusted)
        if identity is None:
            return None
        try:
            old = self._calls.load(identity.key)
            if not is_of(old, call, identity):
                return None
            return self._relied(old, call.key, call.arguments, call.parts)
        except NotCached:
            return None

    def converted(self, cached: Cached) -> Cached | None:
        """Return a record of `find` as one under our key; None where it cannot be relied upon.

        Raises:
            CacheUnavailable: It cannot be read now.
        """
        try:
            old = self._calls.load(cached.record.key)
            digests = in_order(old)
            if digests is None:
                return None
            arguments = {name: self.load_value(digest) for name, digest in digests.items()}
        except NotCached:
            return None
        parts = {name: part_of(value) for name, value in arguments.items()}
        known = {name: part for name, part in parts.items() if part is not None}
        if old.code is not None or old.result is None or len(known) != len(parts):
            return None
        if not self._trusted and not all(map(is_injective, arguments.values())):
            return None
        key = key_of(old.module, old.name, old.version, None, known)
        try:
            return self._relied(old, key, arguments, known)
        except NotCached:
            return None

    def _relied(
        self, old: OldCall, key: Digest, arguments: Mapping[str, object], parts: Mapping[str, Digest]
    ) -> Cached | None:
        """A record under our key; None unless fleche's digests vouch for it, or the user does."""
        if old.result is None:
            return None
        result = self.load_value(old.result)
        vouched = all(map(is_injective, (*arguments.values(), result)))
        if vouched:
            vouched = agree(old, arguments, self._values)
        if not vouched and not self._trusted:
            return None
        record = CallRecord(
            key=key,
            name=old.name,
            module=old.module,
            version=old.version,
            code=None,
            arguments=tuple(self._argument(old, name, part) for name, part in parts.items()),
            result=Stored(old.result),
            result_key=part_of(result),
            outcome=Outcome.RETURNED,
            created=old.saved,
            metadata=old.metadata,
            provenance=f"fleche {old.key}" if vouched else f"fleche {old.key}, trusted as recorded",
        )
        return Cached(record, _Loaded(self, old.result, result))

    def _listed(self, old: OldCall) -> CallRecord:
        """A record under fleche's key, with fleche's digests."""
        if old.result is None:
            raise NotCached(f"The call {old.key} has no result.")
        return CallRecord(
            key=old.key,
            name=old.name,
            module=old.module,
            version=old.version,
            code=old.code,
            arguments=tuple(self._argument(old, name, digest) for name, digest in old.arguments.items()),
            result=Stored(old.result),
            result_key=None,
            outcome=Outcome.RETURNED,
            created=old.saved,
            metadata=old.metadata,
            scheme=SCHEME,
            provenance=f"fleche {old.key}",
        )

    def _argument(self, old: OldCall, name: str, part: Digest) -> Argument:
        digest = old.arguments[name]
        return Argument(name, part, Stored(digest) if self._values.contains(digest) else None)

    def load_value(self, digest: Digest) -> object:
        """Return a value by fleche's digest, if that is the value's."""
        return checked(digest, self._values.load(digest))

    def contains(self, key: Digest) -> bool:
        """Whether something is kept under a key of fleche's."""
        return self.lookup(key) is not None

    def find(self, template: Template) -> Iterator[Cached]:
        """Yield what is kept of matching calls, the latest first; values are read to compare them."""
        calls = (
            old
            for old in self._calls.find(name=template.name, module=plain_module(template.module))
            if old.result is not None and template.code is None and template.version in (None, old.version)
        )
        for old in sorted(calls, key=lambda old: old.saved, reverse=True):
            if _has(old.metadata, template.metadata) and self._has_values(old, template):
                yield Cached(self._listed(old), self)

    def _has_values(self, old: OldCall, template: Template) -> bool:
        wanted = [(old.arguments.get(name), part) for name, part in template.arguments.items()]
        if template.result is not None:
            wanted.append((old.result, template.result))
        try:
            return all(
                digest is not None and part_of(self.load_value(digest)) == part for digest, part in wanted
            )
        except NotCached:
            return False

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return keys of fleche's that begin so."""
        return self._calls.starting_with(prefix)

    def _refusal(self) -> str:
        return "what fleche has recorded is only read"


class _Loaded:
    """The values of a record, of which one has been read already; it is given away once."""

    def __init__(self, cache: FlecheCache, digest: Digest, value: object) -> None:
        self._cache = cache
        self._read = {digest: value}

    def load_value(self, digest: Digest) -> object:
        try:
            return self._read.pop(digest)
        except KeyError:
            return self._cache.load_value(digest)


def _has(there: object, wanted: object) -> bool:
    """Whether metadata have what is wanted of them."""
    if wanted is None:
        return True
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            name in there and _has(there[name], value) for name, value in wanted.items()
        )
    return isinstance(there, bool) == isinstance(wanted, bool) and there == wanted
