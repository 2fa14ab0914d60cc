"""Compiled sources, shared by all environments of one interpreter."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from treadle.collect.cache import archives_folder
from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.program import run_program
from treadle.collect.progress import Progress
from treadle.errors import BuildFailed, Cancelled
from treadle.settings import Settings

PROGRAM = Path(__file__).parents[1] / "programs" / "bytecode.py"

_FORMAT = "1"
_VARIABLES = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def compile_bytecode(
    environment: Path, *, interpreter: Interpreter, settings: Settings, progress: Progress
) -> None:
    """Give every source of an environment its bytecode, from the pool where it is there.

    Safe in several processes at once. A source that cannot be compiled stays without: some packages ship
    files of other Pythons.

    Raises:
        BuildFailed: It did not end well.
        Cancelled: The progress was told to stop.
    """
    pool = pool_of(interpreter, settings)
    (packages,) = environment.glob("lib/python*/site-packages")
    seconds = settings.build_seconds
    try:
        ended = run_program(
            _command(environment, str(packages), str(pool)),
            folder=environment,
            environment=_VARIABLES,
            seconds=seconds,
            progress=progress,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(
            f"Compiling the environment took longer than {seconds} seconds (build_seconds)."
        ) from error
    if ended.status != 0:
        raise BuildFailed("The environment's sources could not be compiled.", detail=ended.errors)


@contextmanager
def compiling_ahead(environment: Path, *, interpreter: Interpreter, settings: Settings) -> Iterator[None]:
    """Compile into the pool what uv unpacks while the body waits for it to fetch the rest.

    That is a help alone: what is not compiled in time, or fails, is compiled in its turn.
    """
    archives = archives_folder(os.environ, settings)
    stop = Event()

    def work() -> None:
        with suppress(Cancelled, OSError, subprocess.TimeoutExpired):
            run_program(
                _command(environment, "--ahead", str(archives), str(pool_of(interpreter, settings))),
                folder=environment,
                environment=_VARIABLES,
                seconds=settings.build_seconds,
                progress=Progress(lambda _: None, stop=stop),
            )

    thread = Thread(target=work, name="treadle-bytecode")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _command(environment: Path, *words: str) -> list[str]:
    return [str(environment / "bin" / "python"), "-I", "-S", "-B", str(PROGRAM), *words]


def pool_of(interpreter: Interpreter, settings: Settings) -> Path:
    """Folder of the bytecode of one build of Python."""
    return settings.bytecode_folder / tagged_digest("Bytecode", _FORMAT, interpreter.build)
