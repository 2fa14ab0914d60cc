"""What the call cache keeps of a unit: a record like that of a call, the rest as its metadata."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys.encoding import SCHEME
from treadle.cache.keys.units import Parts
from treadle.cache.records import CallRecord, Inline, Outcome
from treadle.compile.unit_keys import SealedUnit
from treadle.execute.fingerprints import Fingerprint, read_fingerprint
from treadle.model.records import UnitRecord
from treadle.model.task import Task

METADATA = "unit"
"""Name of the metadata that records of units have."""


@dataclass(frozen=True, slots=True)
class KeptUnit:
    """What a record says of a unit.

    Attributes:
        run_id: The run in which it ran.
        position: Its step's place in that run's plan.
        index: Its place in the step.
        seconds: How long it took.
        output: What it returned.
        inputs: What it read, by URL, as that was.
        left: What it worked on or made, by URL, as it left that.
        code: The files of its program, where they count.
        stale: URLs that had been changed since an earlier unit of the same key left them, so that this one
            ran, and what of them.
    """

    run_id: int
    position: int
    index: int
    seconds: float
    output: JsonValue
    inputs: Mapping[str, Fingerprint]
    left: Mapping[str, Fingerprint]
    code: Fingerprint | None
    stale: Mapping[str, tuple[str, ...]]


def record_of(
    sealed: SealedUnit,
    parts: Parts,
    record: UnitRecord,
    task: Task,
    *,
    run_id: int,
    position: int,
    stale: Mapping[str, Sequence[str]],
) -> CallRecord:
    """Return what is to be kept of a unit that is done."""
    left = dict(record.left or {})
    kept: dict[str, JsonValue] = {
        "run": run_id,
        "position": position,
        "index": record.index,
        "seconds": record.seconds,
        "output": record.output,
        "inputs": {**_to_json(sealed.inputs), **{url: left[url] for url in sealed.inputs if url in left}},
        "left": left,
        "code": sealed.code.to_json() if sealed.code else None,
        "stale": {url: list(details) for url, details in stale.items()},
    }
    return CallRecord(
        key=sealed.key,
        name=task.name,
        module=task.package,
        version=task.version,
        code=None,
        arguments=tuple(part.argument(name) for name, part in parts.items()),
        result=Inline(None),
        result_key=None,
        outcome=Outcome.RETURNED,
        created=time.time(),
        metadata={METADATA: kept},
        scheme=SCHEME,
    )


def left_by(cached: Cached) -> dict[str, str] | None:
    """Return the digests of what a unit left, by URL; None of a record that is not a unit's."""
    kept = cached.record.metadata.get(METADATA)
    left = kept.get("left") if isinstance(kept, dict) else None
    if not isinstance(left, dict):
        return None
    return {url: str(found["digest"]) for url, found in left.items() if isinstance(found, dict)}


def output_of(cached: Cached) -> JsonValue:
    """Return what a unit returned."""
    return cast("dict[str, JsonValue]", cached.record.metadata[METADATA])["output"]


def kept_unit(cached: Cached) -> KeptUnit | None:
    """Return all that a record says of a unit; None of a record that is not a unit's."""
    kept = cached.record.metadata.get(METADATA)
    if not isinstance(kept, dict):
        return None
    return KeptUnit(
        run_id=cast("int", kept["run"]),
        position=cast("int", kept["position"]),
        index=cast("int", kept["index"]),
        seconds=cast("float", kept["seconds"]),
        output=kept["output"],
        inputs=_fingerprints(kept["inputs"]),
        left=_fingerprints(kept["left"]),
        code=read_fingerprint(kept["code"]) if kept["code"] else None,
        stale={url: tuple(details) for url, details in cast("dict[str, list[str]]", kept["stale"]).items()},
    )


def _to_json(found: Mapping[str, Fingerprint]) -> dict[str, JsonValue]:
    return {url: one.to_json() for url, one in found.items()}


def _fingerprints(value: JsonValue) -> dict[str, Fingerprint]:
    return {url: read_fingerprint(found) for url, found in cast("dict[str, JsonValue]", value).items()}
