"""What is kept for packages and that nothing needs any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Literal

from treadle.collect.environments.removal import measure, remove_tree
from treadle.collect.environments.staging import alone_at_once, leftovers, remove
from treadle.collect.lifecycle.health import heal, is_ours
from treadle.collect.lock import Lock
from treadle.collect.plugins.description import Description
from treadle.collect.progress import Progress
from treadle.ledger import Ledger
from treadle.ledger.lifecycle import environments_in_use, forget_environment, holders, set_environment_state
from treadle.ledger.packages import EnvironmentRecord, get_environment, list_environments
from treadle.ledger.plugins import list_plugins
from treadle.settings import Settings

Kind = Literal["environment", "wheel", "bytecode", "checkout", "editable", "leftover"]
"""What is removed.

An environment, a wheel of our own, compiled sources, files of plugins in git, what was derived from editable
packages, what a dead builder left.
"""

_LEAST_SECONDS = 3600
"""How old wheels and bytecode are at least: a collection under way may be about to use them."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something that nothing needs.

    Attributes:
        kind: What it is.
        name: Its name among its kind.
        path: Where it is.
        size_bytes: What its removal frees.
        reason: Why nothing needs it.
    """

    kind: Kind
    name: str
    path: Path
    size_bytes: int
    reason: str


def collect_garbage(
    *, older_than: timedelta, dry_run: bool, settings: Settings, ledger: Ledger, progress: Progress
) -> list[Garbage]:
    """Remove environments, wheels, bytecode and checkouts that nothing needs, and nobody used for some time.

    Nothing is removed that another process builds at the moment, nor what an active package or a run that is
    not at its end needs. The locks of inactive packages stay, and with them the wheels that they name.

    Args:
        older_than: How long nobody used it, or how long ago it was made.
        dry_run: Only tell what would be removed.
        settings: Where things are kept.
        ledger: What is needed.
        progress: Told what is removed; ends it on request.

    Returns:
        What was removed, or would be.

    Raises:
        StorageFull: The home folder may not be written.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    heal(settings, ledger)
    cutoff = datetime.now(UTC) - older_than
    removed = []
    found = chain(  # lazily: each kind sees what was removed of the one before
        _leftovers(settings),
        _environments(settings, ledger, cutoff),
        _wheels(settings, ledger, cutoff),
        _bytecode(settings, cutoff),
        _checkouts(settings, ledger, cutoff),
        _derived(settings, ledger, cutoff),
    )
    for garbage, take_away in found:
        progress(f"{'would remove' if dry_run else 'removing'} {garbage.kind} {garbage.name}")
        if dry_run or take_away():
            removed.append(garbage)
    return removed


Found = Iterator[tuple[Garbage, Callable[[], bool]]]
"""Garbage, each with what takes it away and tells whether it did."""


def _leftovers(settings: Settings) -> Found:
    for folder in (settings.environments_folder, settings.wheels_folder, settings.checkouts_folder):
        for path in leftovers(folder):
            owner = path.with_name(path.name.partition(".")[0])
            with alone_at_once(owner) as free:
                if free:
                    size = measure(path).own
                    yield Garbage("leftover", path.name, path, size, "its builder died"), _taking(path)


def _taking(path: Path) -> Callable[[], bool]:
    def take_away() -> bool:
        remove_tree(path)
        return not path.exists()

    return take_away


def _environments(settings: Settings, ledger: Ledger, cutoff: datetime) -> Found:
    with ledger.reading() as tx:
        known = {record.id: record for record in list_environments(tx)}
        used = environments_in_use(tx)
        active = {name: any(holder.active for holder in holders(tx, name)) for name in known}
    folder = settings.environments_folder
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else []:
        record = known.get(path.name)
        if "." in path.name or not path.is_dir() or path.name in used or active.get(path.name, False):
            continue
        if record is not None and not is_ours(record, settings):
            continue
        if _last_use(path, record) > cutoff:
            continue
        reason = "no package is installed in it" if record is None else "no active package is installed in it"
        garbage = Garbage("environment", path.name, path, measure(path).own, reason)
        yield garbage, _taking_environment(path, ledger)


def _last_use(path: Path, record: EnvironmentRecord | None) -> datetime:
    if record is None:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return max(record.created_at, record.used_at or record.created_at)


def _taking_environment(path: Path, ledger: Ledger) -> Callable[[], bool]:
    def take_away() -> bool:
        with alone_at_once(path) as free:
            if not free:
                return False
            with ledger.writing() as tx:
                if any(
                    holder.active for holder in holders(tx, path.name)
                ) or path.name in environments_in_use(tx):
                    return False
                if get_environment(tx, path.name) and not forget_environment(tx, path.name):
                    set_environment_state(tx, path.name, "inactive")
            remove(path)
            return True

    return take_away


def _wheels(settings: Settings, ledger: Ledger, cutoff: datetime) -> Found:
    folder = settings.wheels_folder
    with ledger.reading() as tx:
        locks = [Lock(record.lock) for record in list_environments(tx)]
    named = {wheel.relative_to(folder).parts[0] for lock in locks for wheel in lock.own_wheels(folder)}
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else []:
        if "." in path.name or path.name in named or _age(path) < _least(cutoff):
            continue
        name = ", ".join(wheel.name for wheel in path.glob("*.whl")) or path.name
        garbage = Garbage("wheel", name, path, measure(path).total, "no lock names it")
        yield garbage, _taking_alone(path)


def _checkouts(settings: Settings, ledger: Ledger, cutoff: datetime) -> Found:
    folder = settings.checkouts_folder
    with ledger.reading() as tx:
        there = [plugin for plugin in list_plugins(tx) if plugin.state != "gone"]
    needed = {parent for plugin in there for parent in Path(Description.of(plugin).path).parents}
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else []:
        if "." in path.name or path in needed or _age(path) < _least(cutoff):
            continue
        garbage = Garbage("checkout", path.name, path, measure(path).total, "no plugin is there any more")
        yield garbage, _taking_alone(path)


def _derived(settings: Settings, ledger: Ledger, cutoff: datetime) -> Found:
    folder = settings.editable_folder
    with ledger.reading() as tx:
        known = {record.id for record in list_environments(tx)}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name not in known and _age(path) >= _least(cutoff):
            size = measure(path).total
            yield Garbage("editable", path.name, path, size, "its environment is gone"), _taking(path)


def _taking_alone(path: Path) -> Callable[[], bool]:
    def take_away() -> bool:
        with alone_at_once(path) as free:
            if free:
                remove(path)
            return free

    return take_away


def _bytecode(settings: Settings, cutoff: datetime) -> Found:
    """One entry for each interpreter: there are thousands of files."""
    folder = settings.bytecode_folder
    for pool in sorted(folder.iterdir()) if folder.is_dir() else []:
        idle = [path for path in pool.rglob("*") if path.is_file() and _is_idle(path, _least(cutoff))]
        if idle:
            size = sum(path.stat().st_size for path in idle)
            reason = "no environment has it"
            yield (
                Garbage("bytecode", f"{len(idle)} files of {pool.name}", pool, size, reason),
                _unlinking(idle),
            )


def _is_idle(path: Path, least: float) -> bool:
    """Whether nothing else links a file; the time of its change is when that became so."""
    found = path.stat()
    return found.st_nlink == 1 and time.time() - found.st_ctime >= least


def _unlinking(paths: list[Path]) -> Callable[[], bool]:
    def take_away() -> bool:
        for path in paths:
            path.unlink(missing_ok=True)
        return True

    return take_away


def _least(cutoff: datetime) -> float:
    """Least age in seconds."""
    return max((datetime.now(UTC) - cutoff).total_seconds(), _LEAST_SECONDS)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
