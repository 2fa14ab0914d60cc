"""Functions of the engine's own environment as tasks: they are registered, nothing is built for them."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Sequence

from treadle.errors import SourceInvalid
from treadle.ledger import Ledger, Transaction
from treadle.ledger.packages import EnvironmentRecord, PackageRecord, add_environment, add_package
from treadle.model.task import Task

_DIGEST_CHARACTERS = 16


def function_name(function: Callable[..., object]) -> str:
    """Return how a worker finds a function: `module:qualified.name`.

    Raises:
        SourceInvalid: It has no name in a module that a worker could import.
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if not module or not name or module == "__main__" or "<" in name:
        raise SourceInvalid(
            f"The function {name or function!r} cannot be imported by a worker.",
            remedy="Define it at the top level of a module, not in a script, a function or a lambda.",
        )
    return f"{module}:{name}"


def engine_environment_id() -> str:
    """Return the id of the environment that this process runs in, as the ledger is to have it."""
    identity = hashlib.sha256(f"{sys.prefix}\0{platform.python_version()}".encode()).hexdigest()
    return f"engine-{identity[:_DIGEST_CHARACTERS]}"


def add_engine_environment(tx: Transaction) -> EnvironmentRecord:
    """Record the environment that this process runs in; Treadle did not build it and never removes it."""
    return add_environment(
        tx,
        environment_id=engine_environment_id(),
        lock="",
        python=sys.executable,
        python_version=platform.python_version(),
        path=sys.prefix,
        build_seconds=0.0,
        size_bytes=0,
    )


def register_functions(ledger: Ledger, *, package: str, version: str, tasks: Sequence[Task]) -> PackageRecord:
    """Record tasks that are functions, as a package of origin `python`; safe to repeat.

    Its environment is the one that this process runs in: it is recorded, but was not built by Treadle and is
    not its to remove.

    Args:
        ledger: Where they are recorded.
        package: Name of the package, as workflows are to call it.
        version: Its version.
        tasks: All its tasks; each of their parts is a function.

    Raises:
        SourceInvalid: A part of a task is an executable.
        AlreadyExists: The version was collected from an index.
    """
    for task in tasks:
        for part in sorted(task.type.parts):
            if task.part(part).function is None:
                raise SourceInvalid(f"The {part} part of task {task.name!r} is not a function.")
    return add_engine_package(ledger, package=package, version=version, root=sys.prefix, tasks=tasks)


def add_engine_package(
    ledger: Ledger, *, package: str, version: str, root: str, tasks: Sequence[Task]
) -> PackageRecord:
    """Record tasks that run in this process's own environment, as a package of origin `python`.

    Args:
        ledger: Where they are recorded.
        package: Name of the package, as workflows are to call it.
        version: Its version.
        root: Folder that the executables of its tasks are in.
        tasks: All its tasks.

    Raises:
        AlreadyExists: The version was collected from an index.
    """
    with ledger.writing() as tx:
        environment = add_engine_environment(tx)
        return add_package(
            tx,
            name=package,
            version=version,
            origin="python",
            source=package,
            environment_id=environment.id,
            root=root,
            tasks=tasks,
        )
