"""What the ledger knows of packages, and how a collected one gets there."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.collect.environments.build import read_facts
from treadle.collect.lock import Lock
from treadle.collect.manifests.installed import TaskPackage
from treadle.collect.target import ALSO, Target
from treadle.errors import AlreadyExists
from treadle.ledger import Ledger, Transaction
from treadle.ledger.packages import (
    FIXED_ORIGINS,
    EnvironmentRecord,
    PackageRecord,
    add_environment,
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


def known_lock(ledger: Ledger, name: str, version: str) -> Lock | None:
    """The lock under which a version of a package was collected before, or None."""
    with ledger.reading() as tx:
        package = find_package(tx, name, version)
        if package is None or package.origin in {"python", "custom"}:
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
        if package.environment_id != environment.id or not same_place:
            return None
        return Registered(package, environment, _tasks(tx, package))


def check_replaceable(ledger: Ledger, target: Target) -> None:
    """Refuse, before anything is built, what the ledger would refuse afterwards.

    Raises:
        AlreadyExists: The version is known with another environment, and came or would come from an index.
    """
    with ledger.reading() as tx:
        package = find_package(tx, target.name, target.version)
    if package is None or package.environment_id == target.environment_id:
        return
    if not FIXED_ORIGINS.isdisjoint({package.origin, target.origin}):
        raise AlreadyExists(
            f"{target.name} {target.version} is already collected from {package.source}, "
            "and would now get another environment.",
            remedy="Use it as it is, or collect another version.",
        )


def register(ledger: Ledger, target: Target, package: TaskPackage) -> Registered:
    """Record environment, package and tasks of a target whose environment is built, all or nothing.

    Raises:
        AlreadyExists: Another process registered this version with another environment meanwhile.
    """
    facts = read_facts(target.folder)
    with ledger.writing() as tx:
        environment = add_environment(
            tx,
            environment_id=target.environment_id,
            lock=target.lock.text,
            python=facts.python,
            python_version=facts.python_version,
            path=str(target.folder),
            build_seconds=facts.build_seconds,
            size_bytes=facts.size_bytes,
        )
        record = add_package(
            tx,
            name=target.name,
            version=target.version,
            origin=target.origin,
            source=target.source,
            environment_id=environment.id,
            root=str(target.folder / package.root),
            tasks=package.tasks,
            options=target.options.model_dump(mode="json", exclude_defaults=True),
            provenance=target.prepared.provenance,
        )
    return Registered(record, environment, package.tasks)


def _tasks(tx: Transaction, package: PackageRecord) -> tuple[Task, ...]:
    tasks = (installed.task for installed in list_tasks(tx, package.name))
    return tuple(task for task in tasks if task.version == package.version)
