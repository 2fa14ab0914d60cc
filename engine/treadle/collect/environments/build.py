"""Immutable environments, each built once from a lock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from treadle.collect.environments.installing import Installer
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.lock import Lock
from treadle.collect.options import CollectOptions
from treadle.collect.uv import Uv

_LOCK = "treadle-lock.txt"
_FREEZE = "treadle-freeze.txt"
_FACTS = "treadle-environment.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is written beside a built environment.

    Attributes:
        python: Absolute path of the interpreter it was built on.
        python_version: Version of that interpreter.
        build_seconds: Time the build took.
        size_bytes: Sum of the sizes of its files; those shared by hard link count in full.
    """

    python: str
    python_version: str
    build_seconds: float
    size_bytes: int


def is_usable(environment: Path) -> bool:
    """Whether an environment is complete and its interpreter is still there."""
    return python_of(environment).exists() and (environment / _FACTS).is_file()


def python_of(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment / "bin" / "python"


def read_facts(environment: Path) -> Facts:
    """What was written down when a usable environment was built."""
    return Facts(**json.loads((environment / _FACTS).read_text(encoding="utf-8")))


def build_environment(
    environment: Path,
    *,
    lock: Lock,
    interpreter: Interpreter,
    options: CollectOptions,
    uv: Uv,
    inspect: Callable[[Path], object],
) -> None:
    """Build an environment in a folder that does not exist yet and may be renamed afterwards.

    Args:
        environment: Where to build it.
        lock: What it contains.
        interpreter: What it is built on.
        options: What was asked beside the source: what may be built, and which versions others contradict.
        uv: How uv is run.
        inspect: Called with the folder once everything is installed; what it raises ends the build.

    Raises:
        BuildFailed: Something could not be fetched, fits its hash no more, or contradicts the rest.
        StorageFull: The disk is full or may not be written.
    """
    start = time.monotonic()
    installer = Installer(environment, uv)
    locked = environment / _LOCK
    installer.create(interpreter.path)
    locked.write_text(lock.installable(uv.settings.wheels_folder), encoding="utf-8")
    installer.install(locked, builds=(*uv.settings.builds, *options.builds))
    installer.check(overridden=options.overrides)
    (environment / _FREEZE).write_text(installer.freeze(), encoding="utf-8")
    inspect(environment)
    facts = {
        "python": str(interpreter.path),
        "python_version": interpreter.version,
        "build_seconds": round(time.monotonic() - start, 3),
        "size_bytes": _size(environment),
    }
    (environment / _FACTS).write_text(json.dumps(facts), encoding="utf-8")


def _size(folder: Path) -> int:
    return sum((Path(place) / name).lstat().st_size for place, _, names in os.walk(folder) for name in names)
