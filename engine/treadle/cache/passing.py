"""What callers pass in the place of a value: its digest, or a reference to what another call returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.cache.caches.base import BaseCache
from treadle.cache.keys.digest import Digest
from treadle.cache.records import Inline, Reference


def with_values(
    cache: BaseCache, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Put values in the place of digests, which name them.

    Raises:
        NotCached: There is no value of such a digest.
    """
    if any(type(value) is Digest for value in (*args, *kwargs.values())):
        args = tuple(cache.load_value(value) if type(value) is Digest else value for value in args)
        kwargs = {
            name: cache.load_value(value) if type(value) is Digest else value
            for name, value in kwargs.items()
        }
    return args, kwargs


def loaded(cache: BaseCache, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put values in the place of references; raises NotCached where one is gone."""
    return tuple(_load(cache, value) if isinstance(value, Reference) else value for value in args)


def loaded_names(cache: BaseCache, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do as `loaded` for what is passed by name."""
    return {
        name: _load(cache, value) if isinstance(value, Reference) else value for name, value in kwargs.items()
    }


def _load(cache: BaseCache, reference: Reference) -> object:
    kept = reference.value
    return kept.value if isinstance(kept, Inline) else cache.load_value(kept.digest)
