"""Compiled sources, shared by all environments of one interpreter."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.program import run_program
from treadle.collect.progress import Progress
from treadle.errors import BuildFailed
from treadle.settings import Settings

PROGRAM = Path(__file__).parents[1] / "programs" / "bytecode.py"

_FORMAT = "1"


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
    command = [str(environment / "bin" / "python"), "-I", "-S", "-B", str(PROGRAM), str(packages), str(pool)]
    variables = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    seconds = settings.build_seconds
    try:
        ended = run_program(
            command, folder=environment, environment=variables, seconds=seconds, progress=progress
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(
            f"Compiling the environment took longer than {seconds} seconds (build_seconds)."
        ) from error
    if ended.status != 0:
        raise BuildFailed("The environment's sources could not be compiled.", detail=ended.errors)


def pool_of(interpreter: Interpreter, settings: Settings) -> Path:
    """Folder of the bytecode of one build of Python."""
    return settings.bytecode_folder / tagged_digest("Bytecode", _FORMAT, interpreter.build)
