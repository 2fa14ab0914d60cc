"""Records and digests for tests of the call cache."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from blake3 import blake3

from treadle.cache.keys.digest import Digest
from treadle.cache.records import Argument, Atom, CallRecord, Inline, Outcome
from treadle.cache.storages.ports import ValueStorage

if TYPE_CHECKING:
    from pydantic import JsonValue


def digest_of_text(text: str) -> Digest:
    """Make a digest for a test; other texts make other ones."""
    return Digest(blake3(text.encode()).hexdigest())


def call_record(
    key: str = "call",
    *,
    name: str = "measure",
    module: str | None = "shop",
    version: int | str | None = 1,
    arguments: Mapping[str, Atom] | None = None,
    result: Atom = 42,
    created: float | None = None,
    metadata: Mapping[str, JsonValue] | None = None,
) -> CallRecord:
    """Make a record for a test; what an argument or a result adds to a key is the digest of its text."""
    given_arguments = {"x": 1} if arguments is None else arguments
    return CallRecord(
        key=digest_of_text(key),
        name=name,
        module=module,
        version=version,
        code=digest_of_text(f"source of {name}"),
        arguments=tuple(
            Argument(one, digest_of_text(repr(value)), Inline(value))
            for one, value in given_arguments.items()
        ),
        result=Inline(result),
        result_key=digest_of_text(repr(result)),
        outcome=Outcome.RETURNED,
        created=round(time.time(), 3) if created is None else created,
        metadata=metadata or {},
    )


def searched() -> list[CallRecord]:
    """Make records to search, the first the oldest."""
    mine: dict[str, JsonValue] = {"tags": {"who": "me", "n": 1}}
    return [
        call_record("a", created=1e9, metadata=mine),
        call_record("b", created=1e9 + 1, version="1", arguments={"x": 1, "y": 2}),
        call_record(
            "c",
            created=1e9 + 2,
            module=None,
            arguments={"x": 1.0},
            metadata={"tags": {"who": "me", "n": True}},
        ),
        call_record("d", created=1e9 + 3, name="weigh", version=None, result=7),
        call_record("e", created=1e9 + 4, name="weigh", version=2, arguments={}),
    ]


def reachable(storage: ValueStorage, digest: Digest) -> set[Digest]:
    """Return a value's address and those of all it was split into."""
    found = {digest}
    for child in storage.children(digest):
        found |= reachable(storage, child)
    return found
