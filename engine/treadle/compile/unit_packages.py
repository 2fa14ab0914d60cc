"""What is installed where Treadle has built nothing: kept once for all units that share it.

A unit's key has its digest; the names stand in a record of their own, so that people can be told what of it
is another.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.encoding import SCHEME
from treadle.cache.records import CallRecord, Inline, Outcome

NAME = "installed packages"
METADATA = "packages"
_SUFFIXES = (".dist-info", ".egg-info")


def packages_record(key: Digest, packages: Sequence[str]) -> CallRecord:
    """Return what is to be kept of packages: folders of metadata, below the name of their Python."""
    return CallRecord(
        key=key,
        name=NAME,
        module="treadle",
        version=None,
        code=None,
        arguments=(),
        result=Inline(None),
        result_key=None,
        outcome=Outcome.RETURNED,
        created=time.time(),
        metadata={METADATA: [*sorted(packages)]},
        scheme=SCHEME,
    )


def package_changes(before: Cached | None, now: Cached | None) -> Iterator[str]:
    """Yield what was installed once and is not so now; nothing where one of the two is not known."""
    were, are = _versions(before), _versions(now)
    if were and are:
        for name in sorted(were.keys() | are.keys()):
            was, is_ = were.get(name), are.get(name)
            if was is None or is_ is None:
                yield f"{name} {is_} is new" if is_ is not None else f"{name} {was} is gone"
            elif was != is_:
                yield f"{name} {was} -> {is_}"


def _versions(cached: Cached | None) -> dict[str, str]:
    """Return the versions of packages by their names, and that of Python."""
    found = cached.record.metadata.get(METADATA) if cached else None
    versions: dict[str, list[str]] = {}
    for entry in map(str, found if isinstance(found, list) else ()):
        python, _, folder = entry.partition("/")
        name, _, version = folder.removesuffix(_SUFFIXES[0]).removesuffix(_SUFFIXES[1]).partition("-")
        versions.setdefault("Python", []).append(python.removeprefix("python"))
        versions.setdefault(name, []).append(version)
    return {name: ", ".join(sorted({*some})) for name, some in versions.items()}
