"""What of fleche's records can be relied upon, and as what it is served.

fleche's digests do not tell all values apart, so a record can be that of another call. Where they do, and
what is stored agrees with them, the record is one of this call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

from treadle.cache.fleche.digest import call_key, digest_of
from treadle.cache.fleche.injective import is_injective, is_same, is_steady
from treadle.cache.fleche.ports import OldValues
from treadle.cache.fleche.records import OldCall, OldDigest
from treadle.cache.keys import digest_of as key_part
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.sealing import plain_module
from treadle.cache.records import SealedCall
from treadle.errors import Indigestible, NotCached

_MOST_ORDERED = 6
"""Arguments of which all orders are tried: 720 digests."""


@dataclass(frozen=True, slots=True)
class OldIdentity:
    """What fleche would record a call under.

    Attributes:
        key: The key of its record.
        arguments: Digests of its arguments, in the order of the signature.
    """

    key: Digest
    arguments: Mapping[str, OldDigest]


def identify(call: SealedCall, *, trusted: bool) -> OldIdentity | None:
    """Find out what fleche would record a call under; None where that could be another call, too.

    Args:
        call: The call.
        trusted: Whether records are taken for those of the call that they name, whatever their digests say.
    """
    arguments = {name: call.arguments[name] for name in call.parts if name in call.arguments}
    if call.code is not None or len(arguments) != len(call.parts):
        return None
    if not trusted and not all(map(is_injective, arguments.values())):
        return None
    try:
        digests = {name: digest_of(value) for name, value in arguments.items()}
        return OldIdentity(
            call_key(call.name, digests, module=plain_module(call.module), version=call.version), digests
        )
    except Indigestible:
        return None


def is_of(old: OldCall, call: SealedCall, identity: OldIdentity) -> bool:
    """Whether a record is that of a call by all that it says, and not only by its key."""
    return (
        (old.name, old.module, old.code) == (call.name, plain_module(call.module), None)
        and (type(old.version), old.version) == (type(call.version), call.version)
        and old.arguments == identity.arguments
    )


def in_order(old: OldCall) -> dict[str, OldDigest] | None:
    """Return a record's arguments in the order of the signature; None if no order of them has its key.

    HDF5 knows them by their names only, so their order is the one that the key was made of.
    """
    names = list(old.arguments)
    orders = permutations(names) if len(names) <= _MOST_ORDERED else iter([tuple(names)])
    for order in orders:
        arguments = {name: old.arguments[name] for name in order}
        if call_key(old.name, arguments, module=old.module, version=old.version, code=old.code) == old.key:
            return arguments
    return None


def agree(old: OldCall, arguments: Mapping[str, object], values: OldValues) -> bool:
    """Whether the arguments that were stored with a record are the very values of a call."""
    try:
        return all(is_same(values.load(old.arguments[name]), value) for name, value in arguments.items())
    except NotCached:
        return False


def checked(digest: Digest, value: object) -> object:
    """Return a value that was found under a digest.

    Raises:
        NotCached: It is another one.
    """
    try:
        found = digest_of(value)
    except Indigestible:
        return value
    if found == digest or not is_steady(value):
        return value
    raise NotCached(f"What fleche has filed under {digest} is another value.")


def part_of(value: object) -> Digest | None:
    """Return what a value adds to the key of a call that takes it; None if it has no key."""
    try:
        return key_part(value)
    except Indigestible:
        return None
