"""Packages whose environment cannot be used any more."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from treadle.collect.environments.build import is_usable
from treadle.collect.environments.interpreter import Interpreter, choose_interpreter, examine
from treadle.collect.lifecycle.changes import load, rebuild, release
from treadle.collect.progress import Progress
from treadle.errors import InterpreterMissing, UsageError
from treadle.ledger import Ledger
from treadle.ledger.packages import NOT_OURS, EnvironmentRecord, PackageRecord
from treadle.settings import Settings


def repair(package_id: int, *, settings: Settings, ledger: Ledger, progress: Progress) -> PackageRecord:
    """Build the environment of a package again where it is damaged or has lost its interpreter.

    Its lock stays. If the interpreter is gone, the one that is configured for that version takes its place;
    the environment gets another id if that is another build, and all packages that were installed in the old
    one are in the new one then. Nothing happens to an environment that can be used.

    Args:
        package_id: The package.
        settings: Where things are kept, and which interpreters there are.
        ledger: Where it is recorded.
        progress: Told what is under way; ends it on request.

    Raises:
        UnknownName: There is no such package.
        UsageError: Its environment was not built by Treadle.
        InterpreterMissing: No interpreter of that version is configured.
        BuildFailed: The index, or the folder of our own wheels, has not what the lock says.
        StorageFull: The home folder is full or may not be written.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    with ledger.reading() as tx:
        package, environment = load(tx, package_id)
    if package.origin in NOT_OURS:
        raise UsageError(
            f"The environment of {package.name} {package.version} was not built by Treadle.",
            remedy=f"Mend {environment.path} with what it was made with.",
        )
    usable = is_usable(Path(environment.path))
    if usable and package.active and environment.state == "ready":
        return package
    interpreter = _interpreter(package, environment, settings)
    repaired = rebuild(package, environment, interpreter, settings=settings, ledger=ledger, progress=progress)
    if repaired.environment_id != environment.id:
        release(environment, settings=settings, ledger=ledger, progress=progress)
    return repaired


def _interpreter(package: PackageRecord, environment: EnvironmentRecord, settings: Settings) -> Interpreter:
    """The one it was built on; else the one that is configured for that version."""
    minor = ".".join(environment.python_version.split(".")[:2])
    with suppress(InterpreterMissing):
        found = examine(Path(environment.python))
        if f"{found.version}.".startswith(f"{minor}."):
            return found
    try:
        return choose_interpreter(minor, settings)
    except InterpreterMissing as error:
        raise InterpreterMissing(
            f"{package.name} {package.version} was built on Python {environment.python_version} "
            f"({environment.python}), and there is no Python {minor} any more. {error.what}",
            remedy="Name one in the setting pythons, or collect it again: "
            f"treadle collect {package.source!r}",
            detail=error.detail,
        ) from error
