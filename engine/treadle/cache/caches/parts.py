"""The plain caches that a cache is made of, for those who look after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cache import Cache
from treadle.cache.caches.limited import Limited
from treadle.cache.caches.over import Refusing
from treadle.cache.caches.stack import Stack
from treadle.errors import CacheRefused


@dataclass(frozen=True, slots=True)
class Part:
    """A plain cache within another.

    Attributes:
        name: Where it stands: numbers of layers, from 0, between dots; empty for one that is all there is.
        cache: The cache.
        limits: What keeps it to its limits.
        is_changeable: Whether what it keeps may be removed.
        takes_new: Whether calls are recorded there.
    """

    name: str
    cache: Cache
    limits: Limited | None = None
    is_changeable: bool = True
    takes_new: bool = True


def parts_of(cache: BaseCache) -> list[Part]:
    """Return the plain caches within a cache, in the order in which they are asked."""
    return list(_parts(cache, name="", limits=None, changeable=True, new=True))


def taking_part(cache: BaseCache) -> Part:
    """Return the plain cache that takes new calls; raises CacheRefused where none does."""
    for part in parts_of(cache):
        if part.takes_new:
            return part
    raise CacheRefused("This cache can only be read.", remedy="Name another one.")


def _parts(
    cache: BaseCache, *, name: str, limits: Limited | None, changeable: bool, new: bool
) -> Iterator[Part]:
    if isinstance(cache, Cache):
        yield Part(name, cache, limits, changeable, new)
        return
    within = changeable and not isinstance(cache, Refusing)
    for at, layer in enumerate(cache.layers):
        yield from _parts(
            layer,
            name=name if len(cache.layers) == 1 else f"{name}.{at}".lstrip("."),
            limits=cache if isinstance(cache, Limited) else limits,
            changeable=within,
            new=new and within and not (isinstance(cache, Stack) and at > 0),
        )
