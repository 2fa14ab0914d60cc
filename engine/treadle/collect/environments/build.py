"""Immutable environments, each built once from a lock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from treadle.collect.environments.bytecode import compile_bytecode, compiling_ahead
from treadle.collect.environments.installing import Installer
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.environments.removal import add_sealed, seal
from treadle.collect.lock import Lock
from treadle.collect.options import CollectOptions
from treadle.collect.uv import Uv

Record = Literal["lock", "freeze", "tree", "log"]
"""What is written down of a build, as text."""

_RECORDS: dict[Record, str] = {
    "lock": "treadle-lock.txt",
    "freeze": "treadle-freeze.txt",
    "tree": "treadle-tree.txt",
    "log": "treadle-build.log",
}
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


def read_record(environment: Path, record: Record) -> str | None:
    """What was written down of a build; None if the environment is not there, or older than such records."""
    file = environment / _RECORDS[record]
    return file.read_text(encoding="utf-8") if file.is_file() else None


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

    Nobody may write in it then.

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
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        uv.progress.log(line)

    heard = replace(uv, progress=replace(uv.progress, log=log))
    installer = Installer(environment, heard)
    locked = environment / _RECORDS["lock"]
    installer.create(interpreter.path)
    locked.write_text(lock.installable(uv.settings.wheels_folder), encoding="utf-8")
    installer.install(
        locked,
        builds=(*uv.settings.builds, *options.builds),
        meanwhile=compiling_ahead(environment, interpreter=interpreter, settings=uv.settings),
    )
    installer.check(overridden=options.overrides)
    _write(environment, "freeze", installer.freeze())
    _write(environment, "tree", installer.tree())
    compile_bytecode(environment, interpreter=interpreter, settings=uv.settings, progress=heard.progress)
    inspect(environment)
    _write(environment, "log", "".join(f"{line}\n" for line in lines))
    size = seal(environment)
    facts = Facts(
        python=str(interpreter.path),
        python_version=interpreter.version,
        build_seconds=round(time.monotonic() - start, 3),
        size_bytes=size,
    )
    add_sealed(environment, _FACTS, json.dumps(asdict(facts)))


def _write(environment: Path, record: Record, text: str) -> None:
    (environment / _RECORDS[record]).write_text(text, encoding="utf-8")
