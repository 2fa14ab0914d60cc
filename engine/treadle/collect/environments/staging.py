"""Folders that are built aside, once, and appear complete or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from treadle.collect.environments.removal import remove_tree
from treadle.collect.storage import writing_below

_BUILDING = ".building"
_LOCKS = ".locks"
_LOOK_SECONDS = 0.5


def _nothing() -> None:
    return


def build_once(
    final: Path,
    *,
    is_ready: Callable[[Path], bool],
    build: Callable[[Path], None],
    waiting: Callable[[], None],
    check: Callable[[], None] = _nothing,
) -> bool:
    """Build a folder unless it is ready, one builder at a time across processes.

    Args:
        final: Where the folder shall be; its name contains no dot.
        is_ready: Whether the folder in its final place can be used.
        build: Makes the folder at the path it is given, which does not exist yet.
        waiting: Called once if another process is building the same folder.
        check: Called again and again while it waits; what it raises ends that.

    Returns:
        Whether this call built it.

    Raises:
        StorageFull: The folder's parent is full or may not be written.
        BuildFailed: The system refused for another reason.
        TreadleError: Whatever `build` raised; the unfinished folder is gone then.
    """
    with writing_below(final.parent):
        if is_ready(final):
            return False
    with alone(final, waiting=waiting, check=check):
        if is_ready(final):
            return False
        build_aside(final, build)
        return True


@contextmanager
def alone(
    final: Path, *, waiting: Callable[[], None], check: Callable[[], None] = _nothing
) -> Iterator[None]:
    """Keep every other process from building or removing a folder while the body runs.

    Arguments and errors are those of `build_once`.
    """
    with writing_below(final.parent):
        lock = _lock(final)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            _wait(lock, check)
        try:
            yield
        finally:
            lock.release()


@contextmanager
def alone_at_once(final: Path) -> Iterator[bool]:
    """Do the same without waiting; tells the body whether no other process has the folder now."""
    with writing_below(final.parent):
        lock = _lock(final)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def build_aside(final: Path, build: Callable[[Path], None]) -> None:
    """Build a folder that this process has alone, under another name, and rename it when it is complete.

    What a builder that was killed left behind, here or for any other folder of the same parent, is removed
    before, and after it what a program that outlived its builder has written meanwhile.
    """
    sweep(final.parent, held=final)
    aside = _aside(final)
    try:
        build(aside)
        remove(final)
        aside.rename(final)
    finally:
        remove_tree(aside)
    sweep(final.parent, held=final)


def remove(final: Path) -> None:
    """Remove a folder that this process has alone; it is gone at once, or there as a whole."""
    if not final.exists():
        return
    unusable = _aside(final)
    final.rename(unusable)
    remove_tree(unusable)


def leftovers(parent: Path) -> list[Path]:
    """What is being built in a folder, or was left there by a builder that is dead."""
    return sorted(parent.glob(f"*{_BUILDING}"))


def sweep(parent: Path, *, held: Path | None = None) -> list[Path]:
    """Remove what dead builders left: nobody alive builds a folder whose lock can be had.

    Args:
        parent: Where they built.
        held: The folder that this process has alone, if any.

    Returns:
        What was removed.
    """
    removed = []
    for leftover in leftovers(parent):
        owner = parent / leftover.name.partition(".")[0]
        with nullcontext(True) if owner == held else alone_at_once(owner) as free:
            if free:
                remove_tree(leftover)
                removed.append(leftover)
    return removed


def _wait(lock: FileLock, check: Callable[[], None]) -> None:
    while True:
        check()
        with suppress(Timeout):
            lock.acquire(timeout=_LOOK_SECONDS)
            return


def _lock(final: Path) -> FileLock:
    locks = final.parent / _LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    return FileLock(locks / f"{final.name}.lock")


def _aside(final: Path) -> Path:
    return final.with_name(f"{final.name}.{uuid.uuid4().hex[:12]}{_BUILDING}")
