"""Reuses units of a step that were done before, in whatever run, and keeps those that end well now.

A record is only used if all that its unit worked on or made is as it left it. Nothing here fails a run: where
the cache cannot be read or written, units run, and one warning says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cached_call import Cached
from treadle.cache.records import CallRecord
from treadle.compile.context import RunContext
from treadle.compile.unit_code import UnitCode
from treadle.compile.unit_keys import SealedUnit, UnitKeys
from treadle.compile.unit_records import kept_unit, left_by, output_of, record_of
from treadle.errors import CacheError, Indigestible
from treadle.execute.fingerprints import Fingerprint, file_changes, fingerprint, read_fingerprint
from treadle.ledger.units import UnitEntry
from treadle.model.records import UnitRecord
from treadle.model.reuse import Reuse
from treadle.model.states import UnitState
from treadle.model.task import Part
from treadle.model.units import Unit

LOOKERS = 8
"""Threads that look at files; it is a network that they wait for."""

TOGETHER = 64
"""Units that one thread looks at in a go."""

LOOKED_UP = 2000
"""Units that are looked up together: so many records are in memory at once."""

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger(__name__)


class StepReuse:
    """What one step of a run reuses, and what it keeps for others.

    Args:
        context: The run.
        position: The step's place in the plan.
    """

    def __init__(self, context: RunContext, position: int) -> None:
        self._context = context
        self._position = position
        self._planned = context.plan.steps[position]
        self._cache: BaseCache | None = None
        if self._planned.reuse is not Reuse.NEVER:
            self._cache = context.cache
        self._keys: UnitKeys | None = None
        self._sealed: dict[int, SealedUnit] = {}
        self._stale: dict[int, dict[str, list[str]]] = {}
        self._has_warned = False
        self._has_kept_packages = False

    @property
    def keeps(self) -> bool:
        """Whether units that end well are kept for others."""
        return self._cache is not None

    def seal(self, units: Sequence[Unit]) -> list[SealedUnit]:
        """Fix the keys of units that are not done, as their inputs are now; some may have none."""
        if self._cache is None or not units:
            return []
        try:
            keys = self._prepared({unit.part for unit in units})
        except Indigestible as error:
            logger.info("units_without_key run=%d step=%d error=%s", self._run_id, self._position, error)
            return []
        sealed = [one for one in _each(partial(_seal, keys), units) if one is not None]
        self._sealed.update((one.unit.index, one) for one in sealed)
        return sealed

    def find(self, sealed: Sequence[SealedUnit]) -> list[UnitRecord]:
        """Return the records of those units that need not run, marked as cached."""
        if self._cache is None or self._planned.reuse is not Reuse.REUSE or not sealed:
            return []
        records: list[UnitRecord] = []
        try:
            for start in range(0, len(sealed), LOOKED_UP):
                records += self._found(self._cache, sealed[start : start + LOOKED_UP])
        except CacheError as error:
            self._give_up(error)
        for record in records:
            del self._sealed[record.index]
        return records

    def watched(self, index: int) -> tuple[str, ...] | None:
        """Return the items whose fingerprints are wanted when a unit is done; None: it will not be kept."""
        sealed = self._sealed.get(index)
        return None if sealed is None else sealed.items

    def keep(self, records: Sequence[UnitRecord]) -> None:
        """Keep units that are done, unless something they read, or their code, was changed meanwhile."""
        ended = [record for record in records if record.index in self._sealed]
        done = [record for record in ended if record.state is UnitState.DONE and record.left is not None]
        if done and self._cache is not None and self._keys is not None and self._keys.is_same_code():
            self._keys.look_again()
            kept = [self._record(self._keys, self._sealed[record.index], record) for record in done]
            if any(kept) and not self._has_kept_packages:
                self._has_kept_packages = True
                kept.append(self._keys.packages)
            try:
                self._cache.adopt_many([Cached(one, self._cache) for one in kept if one is not None])
            except CacheError as error:
                self._give_up(error)
        for record in ended:
            self._sealed.pop(record.index, None)
            self._stale.pop(record.index, None)

    def keep_unheard(self, planned: Sequence[UnitEntry], records: Sequence[UnitRecord]) -> None:
        """Keep units that ended without their driver's hearing of it.

        Each is sealed anew. Where that comes to the key it had before it ran, what it read is still what it
        was; else nothing is kept of it.

        Args:
            planned: The units as the ledger has them, with their arguments and keys.
            records: How units ended, these among them.
        """
        keys = {entry.index: entry.key for entry in planned if entry.key is not None}
        ended = [record for record in records if record.index in keys and record.left is not None]
        indexes = {record.index for record in ended}
        self.seal(
            [
                Unit(entry.index, entry.part, entry.zarr_url, entry.args or {})
                for entry in planned
                if entry.index in indexes
            ]
        )
        self._sealed = {index: one for index, one in self._sealed.items() if one.key == keys[index]}
        self.keep(ended)

    @property
    def _run_id(self) -> int:
        return self._context.run_id

    def _found(self, cache: BaseCache, sealed: Sequence[SealedUnit]) -> list[UnitRecord]:
        found = cache.lookup_many({one.key for one in sealed})
        waiting = [(one, found[one.key]) for one in sealed if one.key in found]
        return [record for record in _each(self._reused, waiting) if record is not None]

    def _prepared(self, parts: Iterable[Part]) -> UnitKeys:
        if self._keys is None:
            code = UnitCode(self._context.ledger, self._planned.task)
            workflow = self._context.plan.workflow.name
            self._keys = UnitKeys(self._planned, workflow, code, by_content=self._context.by_content)
        self._keys.look_again()
        for part in parts:
            self._keys.prepare(part)
        return self._keys

    def _reused(self, waiting: tuple[SealedUnit, Cached]) -> UnitRecord | None:
        sealed, cached = waiting
        left = left_by(cached)
        if left is None:
            return None
        try:
            present = {url: sealed.inputs.get(url) or self._look(url, listed=False) for url in left}
        except Indigestible:
            return None
        changed = [url for url, digest in left.items() if present[url].digest != digest]
        if changed:
            self._note_change(sealed, cached, changed)
            return None
        return UnitRecord(
            index=sealed.unit.index,
            state=UnitState.DONE,
            cause=None,
            error=None,
            output=output_of(cached),
            exit_code=None,
            seconds=0.0,
            cpu_seconds=0.0,
            peak_memory_bytes=0,
            host="",
            worker="",
            started_at=datetime.now(UTC),
            log_file=None,
            log_offset=0,
            log_length=0,
            attempt=0,
            cached=True,
        )

    def _look(self, url: str, *, listed: bool = True) -> Fingerprint:
        return fingerprint(url, by_content=self._context.by_content, listed=listed)

    def _note_change(self, sealed: SealedUnit, cached: Cached, urls: Sequence[str]) -> None:
        """Remember, for people to ask later, what keeps a unit from being reused."""
        kept = kept_unit(cached)
        try:
            details = {url: file_changes(kept.left[url], self._look(url)) for url in urls} if kept else {}
        except Indigestible:
            details = {}
        self._stale[sealed.unit.index] = details

    def _record(self, keys: UnitKeys, sealed: SealedUnit, record: UnitRecord) -> CallRecord | None:
        left = record.left or {}
        if not left and not self._planned.task.task.pure:
            return None  # nobody could tell later whether what it did still stands
        for url, before in sealed.inputs.items():
            if url not in left:
                if not keys.is_unchanged(url, sealed):
                    return None
            elif read_fingerprint(left[url]).digest != before.digest:
                self._warn_of_change(url, sealed)
                return None
        return record_of(
            sealed,
            keys.parts(sealed),
            record,
            self._planned.task.task,
            run_id=self._run_id,
            position=self._position,
            stale=self._stale.get(record.index, {}),
        )

    def _warn_of_change(self, url: str, sealed: SealedUnit) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "unit_not_kept run=%d step=%d unit=%d: the item %s was changed while its unit ran; "
                "tasks that work in place are not pure",
                self._run_id,
                self._position,
                sealed.unit.index,
                url,
            )

    def _give_up(self, error: CacheError) -> None:
        logger.warning("units_not_reused run=%d step=%d error=%s", self._run_id, self._position, error)
        self._cache = None


def _seal(keys: UnitKeys, unit: Unit) -> SealedUnit | None:
    try:
        return keys.seal(unit)
    except Indigestible as error:
        logger.info("unit_without_key unit=%d error=%s", unit.index, error)
        return None


def _each(work: Callable[[T], R], values: Iterable[T]) -> list[R]:
    """Do something for each value, in several threads where there are many."""
    todo = list(values)

    def work_on(start: int) -> list[R]:
        return [work(value) for value in todo[start : start + TOGETHER]]

    if len(todo) <= TOGETHER:
        return work_on(0)
    with ThreadPoolExecutor(LOOKERS, thread_name_prefix="treadle-look") as threads:
        return [result for some in threads.map(work_on, range(0, len(todo), TOGETHER)) for result in some]
