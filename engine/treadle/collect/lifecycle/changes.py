"""Deactivating, reactivating and deleting collected packages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from treadle.collect.contents import Contents
from treadle.collect.environments.identity import environment_id
from treadle.collect.environments.interpreter import Interpreter, examine
from treadle.collect.environments.staging import remove
from treadle.collect.lifecycle.construction import Construction, alone_for, construct
from treadle.collect.lifecycle.health import is_ours
from treadle.collect.lock import Lock
from treadle.collect.options import CollectOptions
from treadle.collect.progress import Progress
from treadle.collect.uv import Uv
from treadle.errors import BuildFailed, InterpreterMissing, InUse, UnknownName
from treadle.ledger import Ledger, Transaction
from treadle.ledger.lifecycle import (
    environments_in_use,
    forget_environment,
    hold_packages,
    holders,
    move_packages,
    remove_package,
    runs_using,
    set_active,
    set_environment_state,
    workflows_using,
)
from treadle.ledger.packages import (
    NOT_OURS,
    EnvironmentRecord,
    PackageRecord,
    get_environment,
    get_package,
)
from treadle.settings import Settings


def deactivate(package_id: int, *, settings: Settings, ledger: Ledger, progress: Progress) -> PackageRecord:
    """Free what a package takes on disk; workflows cannot use it until it is reactivated.

    Its environment is removed unless another active package is installed in it. Its lock stays, and so do the
    wheels of ours that the lock names: nothing but them and the index is needed to build it again. Safe to
    repeat.

    Args:
        package_id: The package.
        settings: Where things are kept.
        ledger: Where it is recorded.
        progress: Told what is under way; ends it on request.

    Raises:
        UnknownName: There is no such package.
        InUse: A run that is not at its end uses it.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    with ledger.writing() as tx:
        hold_packages(tx, {package_id})
        package, environment = load(tx, package_id)
        _check_no_run(tx, package)
        set_active(tx, package_id, active=False)
    release(environment, settings=settings, ledger=ledger, progress=progress)
    return _reread(ledger, package_id)


def reactivate(package_id: int, *, settings: Settings, ledger: Ledger, progress: Progress) -> PackageRecord:
    """Build the environment of a deactivated package again, from its lock; nothing is resolved.

    Safe to repeat. Arguments are those of `deactivate`.

    Raises:
        UnknownName: There is no such package.
        InterpreterMissing: The interpreter it was built on is gone, or has become another one.
        BuildFailed: The index, or the folder of our own wheels, has not what the lock says.
        StorageFull: The home folder is full or may not be written.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    with ledger.reading() as tx:
        package, environment = load(tx, package_id)
    if package.origin in NOT_OURS:
        with ledger.writing() as tx:
            set_active(tx, package_id, active=True)
        return _reread(ledger, package_id)
    interpreter = _same_interpreter(package, environment)
    return rebuild(package, environment, interpreter, settings=settings, ledger=ledger, progress=progress)


def delete(package_id: int, *, settings: Settings, ledger: Ledger, progress: Progress) -> PackageRecord:
    """Forget a package and its tasks, and remove its environment unless another package is installed in it.

    Runs that used it keep what they say of it. Arguments are those of `deactivate`.

    Returns:
        What was known of it.

    Raises:
        UnknownName: There is no such package.
        InUse: A workflow has a step with a task of it, or a run that is not at its end uses it.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    with ledger.writing() as tx:
        hold_packages(tx, {package_id})
        package, environment = load(tx, package_id)
        _check_no_run(tx, package)
        using = workflows_using(tx, package)
        if using:
            raise InUse(
                f"{package.name} {package.version} is used by {_listed('workflow', map(repr, using))}.",
                remedy="Change or delete them first; to free the disk alone, use: "
                f"treadle package deactivate {package.name} --version {package.version}",
            )
        remove_package(tx, package_id)
    release(environment, settings=settings, ledger=ledger, progress=progress)
    return package


def load(tx: Transaction, package_id: int) -> tuple[PackageRecord, EnvironmentRecord]:
    """A package and its environment.

    Raises:
        UnknownName: There is no such package.
    """
    package = get_package(tx, package_id)
    environment = None if package is None else get_environment(tx, package.environment_id)
    if package is None or environment is None:
        raise UnknownName(f"There is no package {package_id}.", remedy="See `treadle package list`.")
    return package, environment


def rebuild(
    package: PackageRecord,
    environment: EnvironmentRecord,
    interpreter: Interpreter,
    *,
    settings: Settings,
    ledger: Ledger,
    progress: Progress,
) -> PackageRecord:
    """Build the lock of a package on an interpreter, and let all packages that were installed so be there."""
    lock = Lock(environment.lock)
    _check_wheels(package, lock, settings)
    identity = environment_id(lock, interpreter)
    wanted = Construction(
        environment_id=identity,
        folder=settings.environments_folder / identity,
        lock=lock,
        interpreter=interpreter,
        options=CollectOptions.model_validate(package.options),
        contents=Contents.of_record(package),
    )

    def activate(tx: Transaction, built: EnvironmentRecord, _tasks: object) -> None:
        if built.id != environment.id:
            move_packages(tx, environment, built.id, built.path)
        set_active(tx, package.id, active=True)

    construct(wanted, ledger=ledger, uv=Uv(settings, progress), then=activate)
    return _reread(ledger, package.id)


def release(
    environment: EnvironmentRecord, *, settings: Settings, ledger: Ledger, progress: Progress
) -> None:
    """Remove an environment that no active package and no run needs, and forget it if no package is in it."""
    folder = Path(environment.path)
    if not is_ours(environment, settings):
        with ledger.writing() as tx:
            forget_environment(tx, environment.id)
        return
    with alone_for(folder, progress):
        with ledger.writing() as tx:
            needed = any(holder.active for holder in holders(tx, environment.id))
            if needed or environment.id in environments_in_use(tx):
                return
            if not forget_environment(tx, environment.id):
                set_environment_state(tx, environment.id, "inactive")
        progress(f"removing {folder.name}")
        remove(folder)


def _same_interpreter(package: PackageRecord, environment: EnvironmentRecord) -> Interpreter:
    remedy = f"Build it on another one: treadle package repair {package.name} --version {package.version}"
    interpreter = examine(Path(environment.python), remedy=remedy)
    if environment_id(Lock(environment.lock), interpreter) != environment.id:
        raise InterpreterMissing(
            f"{package.name} cannot be built again as it was: {environment.python} is another Python now, "
            "or this Treadle builds environments in another way.",
            remedy=remedy,
        )
    return interpreter


def _check_wheels(package: PackageRecord, lock: Lock, settings: Settings) -> None:
    gone = [path.name for path in lock.own_wheels(settings.wheels_folder) if not path.is_file()]
    if gone:
        raise BuildFailed(
            f"The lock of {package.name} {package.version} names wheels that are gone: {', '.join(gone)}.",
            remedy=f"Collect it again from its source: treadle collect {package.source!r}",
        )


def _check_no_run(tx: Transaction, package: PackageRecord) -> None:
    using = runs_using(tx, package)
    if using:
        raise InUse(
            f"{package.name} {package.version} is used by {_listed('run', map(str, using))}, not at its end.",
            remedy=f"Wait for it, or end it: treadle cancel {using[0]}",
        )


def _reread(ledger: Ledger, package_id: int) -> PackageRecord:
    with ledger.reading() as tx:
        return load(tx, package_id)[0]


def _listed(noun: str, names: Iterable[str]) -> str:
    found = list(names)
    return f"{noun}{'s' if len(found) > 1 else ''} {', '.join(found)}"
