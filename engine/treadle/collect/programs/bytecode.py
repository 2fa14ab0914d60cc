"""Compiles the sources of an environment, with what other environments have compiled already.

    python -I -S -B bytecode.py SITE_PACKAGES POOL
    python -I -S -B bytecode.py --ahead ARCHIVES POOL

Bytecode is named in the pool by the content of its source and shared by hard link. It holds whatever the
time of the source's last change (PEP 552, unchecked), as neither ever changes. Left out are files that are
no valid source, and packages' own tests: a third of what scientific libraries ship, imported by nobody else.

The second form fills the pool alone, with what uv unpacks into its cache while it fetches the rest, until it
is killed or its parent has gone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import os
import py_compile
import shutil
import stat
import sys
import time
import traceback
import warnings
import zlib

_TRIES = 5
_LOOK_SECONDS = 0.05
_APART = frozenset({"__pycache__", "test", "tests"})
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES})


def main(folder: str, pool: str) -> None:
    """Compile all below a folder, in as many processes as there are cpus."""
    warnings.simplefilter("ignore")
    sources = sorted(_sources(folder))
    for place in sorted({os.path.dirname(importlib.util.cache_from_source(source)) for source in sources}):
        os.makedirs(place, exist_ok=True)
    workers = max(1, min(len(os.sched_getaffinity(0)), len(sources) // 50))
    children = [_fork(sources[number::workers], folder, pool) for number in range(1, workers)]
    _compile_all(sources[::workers], folder, pool)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    if any(statuses):
        sys.exit("a process that compiles did not end well")


def ahead(archives: str, pool: str) -> None:
    """Compile what appears in a folder of unpacked distributions, as long as the parent lives."""
    warnings.simplefilter("ignore")
    os.nice(5)  # fetching and unpacking come first
    seen = _listed(archives)
    processes = len(os.sched_getaffinity(0))
    number = next((number for number in range(1, processes) if os.fork() == 0), 0)
    parent = os.getppid()
    while os.getppid() == parent:
        new = _listed(archives) - seen
        for name in sorted(new):
            if zlib.crc32(name.encode()) % processes == number:
                _fill(os.path.join(archives, name), pool)
        seen |= new
        time.sleep(_LOOK_SECONDS)


def _listed(archives: str) -> set[str]:
    return set(os.listdir(archives)) if os.path.isdir(archives) else set()


def _fill(folder: str, pool: str) -> None:
    for source in _sources(folder):
        with contextlib.suppress(FileNotFoundError):  # somebody cleans the cache
            pooled = _pooled(source, pool)
            if not os.path.exists(pooled):
                _compile(source, os.path.relpath(source, folder), pooled)


def _sources(folder: str) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder):
        if place != folder:
            folders[:] = [name for name in folders if name not in _APART]
        found += [os.path.join(place, name) for name in names if name.endswith(".py")]
    return found


def _fork(sources: list[str], folder: str, pool: str) -> int:
    child = os.fork()
    if child:
        return child
    try:
        _compile_all(sources, folder, pool)
    except BaseException:  # noqa: BLE001 - told, and the status tells of it
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _compile_all(sources: list[str], folder: str, pool: str) -> None:
    for source in sources:
        target = importlib.util.cache_from_source(source)
        _provide(source, os.path.relpath(source, folder), _pooled(source, pool), target)


def _pooled(source: str, pool: str) -> str:
    """Where the bytecode of a source is in the pool, or would be."""
    with open(source, "rb") as file:
        digest = hashlib.blake2b(file.read(), digest_size=16).hexdigest()
    return os.path.join(pool, digest[:2], f"{digest[2:]}.pyc")


def _provide(source: str, shown: str, pooled: str, target: str) -> None:
    """Put the bytecode of a source where the interpreter looks for it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)  # the package's own, which may be of another source
    for _ in range(_TRIES):
        try:
            _link(pooled, target)
        except FileNotFoundError:  # not compiled yet, or removed just now
            if not _compile(source, shown, pooled):
                return
        else:
            return
    raise FileNotFoundError(pooled)


def _compile(source: str, shown: str, pooled: str) -> bool:
    """Compile into the pool, whole or not at all; return whether it is a valid source."""
    os.makedirs(os.path.dirname(pooled), exist_ok=True)
    aside = f"{pooled}.{os.urandom(6).hex()}.tmp"
    try:
        py_compile.compile(
            source,
            aside,
            dfile=shown,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, ValueError, RecursionError):
        return False
    os.chmod(aside, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    os.replace(aside, pooled)
    return True


def _link(pooled: str, target: str) -> None:
    """Link a file, or copy it where it has too many links or the file system knows none."""
    try:
        os.link(pooled, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy(pooled, target)


if __name__ == "__main__":
    if sys.argv[1] == "--ahead":
        ahead(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
