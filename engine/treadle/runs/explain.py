"""Why a unit ran, or was reused: its key against that of the nearest unit before it, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TypeAlias

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.units import Part
from treadle.cache.records import Inline
from treadle.cache.storages.ports import Template
from treadle.compile.unit_code import UnitCode
from treadle.compile.unit_keys import UnitKeys
from treadle.compile.unit_packages import package_changes
from treadle.compile.unit_records import KeptUnit, kept_unit
from treadle.errors import Indigestible
from treadle.execute.fingerprints import Fingerprint, file_changes, fingerprint
from treadle.ledger import Ledger, runs, units
from treadle.ledger.units import UnitEntry
from treadle.model.plan import PlannedStep
from treadle.model.reuse import Reuse, reuse_text
from treadle.model.states import UnitState
from treadle.model.units import Unit
from treadle.runs.environment_changes import environment_changes

COMPARED = 50
"""Units of the same task, the latest first, of which the one that is most alike is compared."""

_Part: TypeAlias = tuple[Digest, str | None]
"""Digest and text of a part of a key."""

_ITEM = ("argument zarr_url", "argument zarr_urls", "argument zarr_dir")


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two units.

    Attributes:
        part: Name of the part, such as `argument sigma` or `input /data/a.zarr`.
        before: What it was, for people; None where there was none, or it is not known.
        now: What it is.
        details: What exactly, such as the files of an input.
    """

    part: str
    before: str | None
    now: str | None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Former:
    """The unit that one is compared with.

    Attributes:
        run_id: Its run.
        position: Its step's place in that run's plan.
        index: Its place in the step.
        recorded_at: When it was kept.
        seconds: How long it took.
        same_item: Whether it worked on the same item.
    """

    run_id: int
    position: int
    index: int
    recorded_at: datetime
    seconds: float
    same_item: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a unit ran, or was reused.

    Attributes:
        run_id: The run.
        step: Name of the step.
        index: The unit's place in the step.
        zarr_url: The item it works on.
        state: How it ended.
        cached: Whether it was reused.
        reuse: What holds for its step.
        reason: The answer in a sentence.
        former: The unit that was reused, or is compared with this one.
        changes: What differs from that one.
    """

    run_id: int
    step: str
    index: int
    zarr_url: str | None
    state: UnitState
    cached: bool
    reuse: str
    reason: str
    former: Former | None = None
    changes: tuple[Change, ...] = ()


def explain(
    ledger: Ledger, cache: BaseCache, unit: tuple[int, int, int], *, by_content: bool = False
) -> Explanation:
    """Say why a unit ran, or was reused.

    Args:
        ledger: The ledger.
        cache: Where units are kept.
        unit: The run, the step's place in its plan, and the unit's place in the step.
        by_content: Whether files count by what is in them.

    Raises:
        UnknownName: There is no such run, step or unit.
        CacheUnavailable: The cache cannot be read now.
    """
    run_id, position, index = unit
    with ledger.reading() as tx:
        run = runs.load_run(tx, run_id)
        entry = units.load_unit(tx, run_id, position, index)
    planned = run.plan.steps[position]
    code = UnitCode(ledger, planned.task)
    keys = UnitKeys(planned, run.plan.workflow.name, code, by_content=by_content)
    return _Question(ledger, cache, run_id, planned, entry, keys, by_content).answer()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the key of a unit."""

    parts: Mapping[str, _Part]
    inputs: Mapping[str, Fingerprint]
    code: Fingerprint | None

    @classmethod
    def of(cls, cached: Cached, kept: KeptUnit) -> _Seen:
        parts = {
            argument.name: (
                argument.key,
                str(argument.value.value) if isinstance(argument.value, Inline) else None,
            )
            for argument in cached.record.arguments
        }
        return cls(parts, kept.inputs, kept.code)


@dataclass(frozen=True, slots=True)
class _Question:
    _ledger: Ledger
    _cache: BaseCache
    _run_id: int
    _planned: PlannedStep
    _entry: UnitEntry
    _keys: UnitKeys
    _by_content: bool

    def answer(self) -> Explanation:
        own = self._cache.lookup(Digest(self._entry.key)) if self._entry.key else None
        kept = kept_unit(own) if own else None
        if self._entry.cached:
            return self._reused(own, kept)
        if self._planned.reuse is Reuse.NEVER:
            return self._said("Its step reuses nothing.")
        if self._planned.reuse is Reuse.REFRESH:
            return self._said("Its step says refresh: units run whatever is kept of them.")
        if kept and self._is_own(kept) and kept.stale:
            changes = tuple(Change(f"left {url}", None, None, details) for url, details in kept.stale.items())
            return self._said("What a unit before it had left was changed since then.", changes=changes)
        if own and kept and self._is_before(own, kept) and (changes := tuple(self._changed_since(kept))):
            former = _former(own, kept, same_item=True)
            return self._said("What a unit before it had left is not what it was.", former, changes)
        return self._compared(own, kept)

    def _reused(self, own: Cached | None, kept: KeptUnit | None) -> Explanation:
        if own is None or kept is None:
            return self._said("It was reused; the record that it came from has been removed since.")
        former = _former(own, kept, same_item=True)
        return self._said("Nothing that counts has changed since it was done before.", former)

    def _compared(self, own: Cached | None, kept: KeptUnit | None) -> Explanation:
        try:
            seen = _Seen.of(own, kept) if own and kept else self._as_it_is_now()
        except Indigestible as error:
            return self._said(f"It cannot be reused: {error.what}")
        if self._entry.key is None:
            return self._said("When it began it could not be told whether its inputs had changed.")
        found = self._nearest(seen)
        if found is None:
            return self._said("Nothing like it was kept before.")
        cached, of_former, same_item = found
        former = _former(cached, of_former, same_item=same_item)
        changes = tuple(self._changes(_Seen.of(cached, of_former), seen))
        if changes:
            return self._said("It is not the same as what was done before.", former, changes)
        return self._said("Nothing was kept of it when it began, or no longer.", former)

    def _nearest(self, seen: _Seen) -> tuple[Cached, KeptUnit, bool] | None:
        """Return the unit before this one that is most alike, if there are any then one of the same item."""
        item = {name: seen.parts[name][0] for name in _ITEM if name in seen.parts}
        for arguments in (item, {}):
            best: tuple[Cached, KeptUnit, bool] | None = None
            most = -1
            for cached, kept in islice(self._before(arguments), COMPARED):
                theirs = _Seen.of(cached, kept).parts
                alike = sum(theirs.get(name, (None,))[0] == part[0] for name, part in seen.parts.items())
                if alike > most:
                    best, most = (cached, kept, bool(arguments)), alike
            if best is not None:
                return best
        return None

    def _before(self, arguments: Mapping[str, Digest]) -> Iterator[tuple[Cached, KeptUnit]]:
        task = self._planned.task.task
        for cached in self._cache.find(Template(name=task.name, module=task.package, arguments=arguments)):
            kept = kept_unit(cached)
            if kept is not None and self._is_before(cached, kept):
                yield cached, kept

    def _changed_since(self, kept: KeptUnit) -> Iterator[Change]:
        """Yield what is another now than a unit left it."""
        for url, before in kept.left.items():
            try:
                details = file_changes(before, fingerprint(url, by_content=self._by_content))
            except Indigestible as error:
                details = [error.what]
            if details:
                yield Change(f"left {url}", None, None, tuple(details))

    def _changes(self, before: _Seen, now: _Seen) -> Iterator[Change]:
        for name in dict.fromkeys([*before.parts, *now.parts]):
            was, is_ = before.parts.get(name), now.parts.get(name)
            if was and is_ and was[0] == is_[0]:
                continue
            details: tuple[str, ...] = ()
            if was and is_:
                details = tuple(self._details(name, (was, is_), before, now))
            yield Change(name, was[1] if was else None, is_[1] if is_ else None, details)

    def _details(self, name: str, parts: tuple[_Part, _Part], before: _Seen, now: _Seen) -> Iterator[str]:
        (was, was_text), (is_, is_text) = parts
        kind, _, url = name.partition(" ")
        if kind == "input" and url in before.inputs and url in now.inputs:
            yield from file_changes(before.inputs[url], now.inputs[url])
        elif name == "code" and before.code and now.code:
            yield from file_changes(before.code, now.code)
        elif name == "packages":
            yield from package_changes(self._cache.lookup(was), self._cache.lookup(is_))
        elif name == "environment" and was_text and is_text:
            with self._ledger.reading() as tx:
                yield from environment_changes(tx, was_text, is_text)

    def _as_it_is_now(self) -> _Seen:
        entry = self._entry
        sealed = self._keys.seal(Unit(entry.index, entry.part, entry.zarr_url, entry.args or {}))
        parts = {name: (part.digest, _short(part)) for name, part in self._keys.parts(sealed).items()}
        return _Seen(parts, sealed.inputs, sealed.code)

    def _is_before(self, cached: Cached, kept: KeptUnit) -> bool:
        begun = self._entry.started_at
        return not self._is_own(kept) and (begun is None or cached.record.created <= begun.timestamp())

    def _is_own(self, kept: KeptUnit) -> bool:
        own = (self._run_id, self._entry.position, self._entry.index)
        return (kept.run_id, kept.position, kept.index) == own

    def _said(
        self, reason: str, former: Former | None = None, changes: tuple[Change, ...] = ()
    ) -> Explanation:
        return Explanation(
            run_id=self._run_id,
            step=self._planned.step.name,
            index=self._entry.index,
            zarr_url=self._entry.zarr_url,
            state=self._entry.state,
            cached=self._entry.cached,
            reuse=reuse_text(self._planned.step.cache, self._planned.task.task),
            reason=reason,
            former=former,
            changes=changes,
        )


def _former(cached: Cached, kept: KeptUnit, *, same_item: bool) -> Former:
    recorded_at = datetime.fromtimestamp(cached.record.created, UTC)
    return Former(kept.run_id, kept.position, kept.index, recorded_at, kept.seconds, same_item)


def _short(part: Part) -> str | None:
    kept = part.argument("").value
    return str(kept.value) if isinstance(kept, Inline) else None
