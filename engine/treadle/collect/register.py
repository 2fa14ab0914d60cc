"""What the ledger knows of packages, and how a collected one gets there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from treadle.collect.environments.build import is_usable
from treadle.collect.lock import Lock
from treadle.collect.manifests.installed import TaskPackage
from treadle.collect.options import NOTHING_ASKED, CollectOptions
from treadle.collect.target import ALSO, Target
from treadle.errors import AlreadyExists
from treadle.ledger import Ledger, Transaction
from treadle.ledger.packages import (
    FIXED_ORIGINS,
    NOT_OURS,
    EnvironmentRecord,
    PackageRecord,
    add_package,
    find_package,
    get_environment,
    list_tasks,
)
from treadle.model.task import Task


@dataclass(frozen=True, slots=True)
class Registered:
    """A package as the ledger knows it, with its environment and its tasks."""

    package: PackageRecord
    environment: EnvironmentRecord
    tasks: tuple[Task, ...]


def known_lock(
    ledger: Ledger, name: str, version: str, options: CollectOptions = NOTHING_ASKED
) -> Lock | None:
    """The lock under which a version of a package was collected with the same options before, or None."""
    with ledger.reading() as tx:
        package = find_package(tx, name, version)
        if package is None or package.origin in NOT_OURS or package.options != _written(options):
            return None
        environment = get_environment(tx, package.environment_id)
    return Lock(environment.lock) if environment else None


def known_also(ledger: Ledger, name: str, version: str) -> tuple[str, ...]:
    """What an earlier collection of a version found it to need beside what it asks for."""
    with ledger.reading() as tx:
        package = find_package(tx, name, version)
    also = package.provenance.get(ALSO) if package else None
    return tuple(also.splitlines()) if also else ()


def find_registered(ledger: Ledger, target: Target) -> Registered | None:
    """What is registered for exactly this target, or None."""
    with ledger.reading() as tx:
        package = find_package(tx, target.name, target.version)
        environment = get_environment(tx, target.environment_id)
        if package is None or environment is None:
            return None
        same_place = environment.path == str(target.folder)
        if package.environment_id != environment.id or not same_place or not package.active:
            return None
        return Registered(package, environment, _tasks(tx, package))


def check_replaceable(ledger: Ledger, target: Target) -> None:
    """Refuse, before anything is built, what the ledger would refuse afterwards.

    Raises:
        AlreadyExists: The version is known with another environment, and came or would come from an index.
    """
    with ledger.reading() as tx:
        package = find_package(tx, target.name, target.version)
        environment = None if package is None else get_environment(tx, package.environment_id)
    if package is None or environment is None or environment.id == target.environment_id:
        return
    if not FIXED_ORIGINS.isdisjoint({package.origin, target.origin}):
        named = f"{target.name} --version {target.version}"
        choices = (
            f"Use it as it is, collect another version, or delete it first: treadle package delete {named}"
        )
        if package.active and not is_usable(Path(environment.path)):
            choices = f"Its environment is broken. Run: treadle package repair {named}"
        raise AlreadyExists(
            f"{target.name} {target.version} is already collected from {package.source}, "
            "and would now get another environment.",
            remedy=choices,
        )


def register(
    tx: Transaction, target: Target, environment: EnvironmentRecord, package: TaskPackage
) -> Registered:
    """Record package and tasks of a target whose environment is built and recorded.

    Raises:
        AlreadyExists: Another process registered this version with another environment meanwhile.
    """
    record = add_package(
        tx,
        name=target.name,
        version=target.version,
        origin=target.origin,
        source=target.source,
        environment_id=environment.id,
        root=str(target.folder / package.root),
        tasks=package.tasks,
        options=_written(target.options),
        provenance=target.prepared.provenance,
    )
    return Registered(record, environment, package.tasks)


def _written(options: CollectOptions) -> JsonValue:
    return options.model_dump(mode="json", exclude_defaults=True)


def _tasks(tx: Transaction, package: PackageRecord) -> tuple[Task, ...]:
    tasks = (installed.task for installed in list_tasks(tx, package.name))
    return tuple(task for task in tasks if task.version == package.version)
