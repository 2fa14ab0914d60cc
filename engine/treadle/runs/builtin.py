"""The tasks that every installation has, in the ledger as soon as a workflow names one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from treadle.collect.functions import add_engine_package, engine_environment_id
from treadle.errors import SourceInvalid
from treadle.execute import builtin
from treadle.ledger import Ledger
from treadle.ledger.packages import PackageRecord, find_package
from treadle.model.builtin import PACKAGE, TASKS, VERSION
from treadle.model.task import Task

PROGRAMS = Path(builtin.__path__[0])
"""Folder of the programs that these tasks are."""


def register_builtin(ledger: Ledger, packages: Iterable[str]) -> None:
    """Record the engine's own tasks if one of some packages is theirs; safe to repeat.

    Nothing is written where they are recorded as this engine has them.
    """
    if PACKAGE not in packages:
        return
    with ledger.reading() as tx:
        known = find_package(tx, PACKAGE, VERSION)
    if known is None or (known.environment_id, known.root) != (engine_environment_id(), str(PROGRAMS)):
        register_programs(ledger, package=PACKAGE, version=VERSION, tasks=TASKS)


def register_programs(ledger: Ledger, *, package: str, version: str, tasks: Sequence[Task]) -> PackageRecord:
    """Record tasks whose executables are the engine's own programs, as a package of origin `python`.

    Args:
        ledger: Where they are recorded.
        package: Name of the package, as workflows are to call it.
        version: Its version.
        tasks: All its tasks.

    Raises:
        SourceInvalid: An executable of a task is none of these programs.
        AlreadyExists: The version was collected from an index.
    """
    for task in tasks:
        for part in sorted(task.type.parts):
            program = task.part(part).executable
            if program is None or not (PROGRAMS / program).is_file():
                raise SourceInvalid(f"The {part} part of task {task.name!r} is no program of the engine.")
    return add_engine_package(ledger, package=package, version=version, root=str(PROGRAMS), tasks=tasks)
