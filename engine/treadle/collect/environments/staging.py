"""Folders that are built aside, once, and appear complete or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from treadle.collect.environments.removal import remove_tree
from treadle.collect.storage import writing_below

_BUILDING = ".building"
_LOCKS = ".locks"


def build_once(
    final: Path,
    *,
    is_ready: Callable[[Path], bool],
    build: Callable[[Path], None],
    waiting: Callable[[], None],
) -> bool:
    """Build a folder unless it is ready, one builder at a time across processes.

    The folder is built under another name beside its place and renamed when complete. What a builder that
    was killed left behind, here or for any other folder of the same parent, is removed before the build, and
    after it what a program that outlived its builder has written meanwhile.

    Args:
        final: Where the folder shall be; its name contains no dot.
        is_ready: Whether the folder in its final place can be used.
        build: Makes the folder at the path it is given, which does not exist yet.
        waiting: Called once if another process is building the same folder.

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
        lock = _lock(final)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            if is_ready(final):
                return False
            _sweep(final)
            _build_aside(final, build)
            _sweep(final)
            return True
        finally:
            lock.release()


def _lock(final: Path) -> FileLock:
    locks = final.parent / _LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    return FileLock(locks / f"{final.name}.lock")


def _build_aside(final: Path, build: Callable[[Path], None]) -> None:
    aside = _aside(final)
    try:
        build(aside)
        if final.exists():
            unusable = _aside(final)
            final.rename(unusable)
            remove_tree(unusable)
        aside.rename(final)
    finally:
        remove_tree(aside)


def _aside(final: Path) -> Path:
    return final.with_name(f"{final.name}.{uuid.uuid4().hex[:12]}{_BUILDING}")


def _sweep(final: Path) -> None:
    """Remove what dead builders left: nobody alive builds a folder whose lock can be had."""
    for leftover in final.parent.glob(f"*{_BUILDING}"):
        owner = final.with_name(leftover.name.partition(".")[0])
        if owner == final:
            remove_tree(leftover)
            continue
        lock = _lock(owner)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            remove_tree(leftover)
        finally:
            lock.release()
