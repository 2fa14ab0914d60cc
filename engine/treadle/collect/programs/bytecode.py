"""Compiles the sources of an environment, with what other environments have compiled already.

    python -I -S -B bytecode.py SITE_PACKAGES POOL

Bytecode is named in the pool by the content of its source and shared by hard link. It holds whatever the
time of the source's last change (PEP 552, unchecked), as neither ever changes. Left out are files that are
no valid source, and packages' own tests: a third of what scientific libraries ship, imported by nobody else.
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
import traceback
import warnings

_TRIES = 5
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
        with open(source, "rb") as file:
            digest = hashlib.blake2b(file.read(), digest_size=16).hexdigest()
        pooled = os.path.join(pool, digest[:2], f"{digest[2:]}.pyc")
        _provide(source, os.path.relpath(source, folder), pooled, importlib.util.cache_from_source(source))


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
    main(*sys.argv[1:])
