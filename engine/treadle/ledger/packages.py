"""Collected packages and their tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from packaging.version import Version
from pydantic import JsonValue
from sqlalchemy import bindparam, delete, func, insert, select, update

from treadle.errors import AlreadyExists
from treadle.ledger.columns import now
from treadle.ledger.database import Transaction
from treadle.ledger.names import normalise_name
from treadle.ledger.people import local_user
from treadle.ledger.tables import EnvironmentState, Origin, environments, packages, people, tasks
from treadle.model.task import Installed, InstalledTask, Task, TaskRef

FIXED_ORIGINS = frozenset({"index", "git"})
"""Origins whose versions never change: a version once collected keeps its environment."""

NOT_OURS = frozenset({"python", "custom"})
"""Origins whose environment somebody else looks after: it is neither built nor removed."""


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """A built environment.

    Attributes:
        id: Digest of all it was built from.
        lock: The lock it was built from, as text.
        python: Absolute path of the interpreter it is built on.
        python_version: Version of that interpreter.
        path: Absolute path of its folder.
        state: What can be done with it.
        created_at: When it was recorded first.
        build_seconds: How long its building took.
        size_bytes: What its files take on disk.
        used_at: When a run last asked for it; None if none ever did.
    """

    id: str
    lock: str
    python: str
    python_version: str
    path: str
    state: EnvironmentState
    created_at: datetime
    build_seconds: float
    size_bytes: int
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class PackageRecord:
    """One collected version of a task package.

    Attributes:
        id: Its number.
        name: Its name, normalised.
        version: Its version.
        source: What a person asked to collect, as text.
        origin: What kind of source that is.
        environment_id: The environment it is installed in.
        root: Absolute path of the folder that its executables are relative to.
        created_at: When it was collected first.
        owner: Who collected it.
        group: The group of people that may use it, too; None for its owner alone.
        active: Whether its environment is to be there; workflows can use an active package only.
        options: How it was collected, as JSON of `treadle.collect.options.CollectOptions`.
        provenance: Where exactly it came from, such as url, commit and subdirectory; no secrets.
        tasks: How many tasks it has.
    """

    id: int
    name: str
    version: str
    source: str
    origin: Origin
    environment_id: str
    root: str
    created_at: datetime
    owner: str
    group: str | None
    active: bool
    options: JsonValue
    provenance: dict[str, str]
    tasks: int


_ENVIRONMENT = (
    environments.c.id,
    environments.c.lock,
    environments.c.python,
    environments.c.python_version,
    environments.c.path,
    environments.c.state,
    environments.c.created_at,
    environments.c.build_seconds,
    environments.c.size_bytes,
    environments.c.used_at,
)
_TASK_COUNT = (
    select(func.count())
    .select_from(tasks)
    .where(tasks.c.package_id == packages.c.id)
    .correlate(packages)
    .scalar_subquery()
)
_PACKAGE = (
    packages.c.id,
    packages.c.name,
    packages.c.version,
    packages.c.source,
    packages.c.origin,
    packages.c.environment_id,
    packages.c.root,
    packages.c.created_at,
    select(people.c.name).where(people.c.id == packages.c.owner_id).correlate(packages).scalar_subquery(),
    packages.c.group,
    packages.c.active,
    packages.c.options,
    packages.c.provenance,
    _TASK_COUNT,
)


def add_environment(
    tx: Transaction,
    *,
    environment_id: str,
    lock: str,
    python: str,
    python_version: str,
    path: str,
    build_seconds: float,
    size_bytes: int,
    state: EnvironmentState = "ready",
) -> EnvironmentRecord:
    """Record a built environment; one that is known was built again, and keeps the time of its first record.

    Args:
        tx: A writing transaction.
        environment_id: Digest of all it was built from.
        lock: The lock it was built from, as text.
        python: Absolute path of the interpreter it is built on.
        python_version: Version of that interpreter.
        path: Absolute path of its folder.
        build_seconds: How long its building took.
        size_bytes: What its files take on disk.
        state: What can be done with it.
    """
    content = {
        "lock": lock,
        "python": python,
        "python_version": python_version,
        "path": path,
        "state": state,
        "build_seconds": build_seconds,
        "size_bytes": size_bytes,
    }
    again = update(environments).where(environments.c.id == environment_id).values(**content)
    if tx.execute(again).rowcount == 0:
        owned = {"id": environment_id, "owner_id": local_user(tx), "created_at": now()}
        tx.execute(insert(environments).values(**owned, **content))
    query = select(*_ENVIRONMENT).where(environments.c.id == environment_id)
    return EnvironmentRecord(**tx.execute(query).mappings().one())


def get_environment(tx: Transaction, environment_id: str) -> EnvironmentRecord | None:
    """The environment with this id, or None."""
    query = select(*_ENVIRONMENT).where(environments.c.id == environment_id)
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else EnvironmentRecord(**row)


def list_environments(tx: Transaction) -> list[EnvironmentRecord]:
    """All environments, the oldest first."""
    query = select(*_ENVIRONMENT).order_by(environments.c.created_at, environments.c.id)
    return [EnvironmentRecord(**row) for row in tx.execute(query).mappings()]


def add_package(
    tx: Transaction,
    *,
    name: str,
    version: str,
    origin: Origin,
    source: str,
    environment_id: str,
    root: str,
    tasks: Sequence[Task],
    options: JsonValue = None,
    provenance: Mapping[str, str] | None = None,
) -> PackageRecord:
    """Record a collected package and its tasks.

    A version that is there is brought up to date in place: its id stays, and so do the ids of tasks whose
    names stay. Another environment is accepted only if neither came from an index: a developer builds
    a folder again and again under one version.

    Args:
        tx: A writing transaction.
        name: Name of the distribution, in any spelling.
        version: Its version.
        origin: What kind of source it is.
        source: What a person asked to collect.
        environment_id: A recorded environment.
        root: Absolute path of the folder that its executables are relative to.
        tasks: All its tasks.
        options: How it is collected.
        provenance: Where exactly it came from.

    Raises:
        AlreadyExists: This version was collected into another environment and may not change.
    """
    content = {
        "origin": origin,
        "source": source,
        "environment_id": environment_id,
        "root": root,
        "active": True,
        "options": options or {},
        "provenance": dict(provenance or {}),
    }
    identity = {"owner_id": local_user(tx), "name": normalise_name(name), "version": version}
    known = tx.execute(
        select(packages.c.id, packages.c.origin, packages.c.environment_id)
        .filter_by(**identity)
        .with_for_update()
    ).one_or_none()
    if known is None:
        row = insert(packages).values(**identity, **content, created_at=now())
        package_id = tx.scalars(row.returning(packages.c.id)).one()
    else:
        package_id, known_origin, known_environment = known
        if known_environment != environment_id and not FIXED_ORIGINS.isdisjoint({origin, known_origin}):
            raise _may_not_change(name, version, known_origin)
        tx.execute(update(packages).where(packages.c.id == package_id).values(**content))
    _replace_tasks(tx, package_id, tasks)
    return PackageRecord(*tx.execute(select(*_PACKAGE).where(packages.c.id == package_id)).one())


def find_package(tx: Transaction, name: str, version: str | None = None) -> PackageRecord | None:
    """The package of this name and version, or None.

    Args:
        tx: A transaction.
        name: Its name, in any spelling.
        version: Its version; None for the newest, a pre-release only if there is nothing else.
    """
    query = select(*_PACKAGE).filter_by(owner_id=local_user(tx), name=normalise_name(name))
    if version is not None:
        query = query.filter_by(version=version)
    found = [PackageRecord(*row) for row in tx.execute(query)]
    return max(found, key=_newness, default=None)


def get_package(tx: Transaction, package_id: int) -> PackageRecord | None:
    """The package with this number, or None."""
    row = tx.execute(select(*_PACKAGE).where(packages.c.id == package_id)).one_or_none()
    return None if row is None else PackageRecord(*row)


def list_packages(tx: Transaction) -> list[PackageRecord]:
    """All packages by name, the versions of each in the order of PEP 440."""
    found = [PackageRecord(*row) for row in tx.execute(select(*_PACKAGE).filter_by(owner_id=local_user(tx)))]
    return sorted(found, key=lambda package: (package.name, Version(package.version)))


def list_tasks(tx: Transaction, package: str | None = None) -> list[InstalledTask]:
    """All tasks, or those of all versions of one package, in the order of packages and manifests."""
    names = None if package is None else [package]
    return sorted(
        _installed_tasks(tx, names),
        key=lambda task: (normalise_name(task.task.package), Version(task.task.version), task.id),
    )


def find_task(tx: Transaction, ref: TaskRef) -> InstalledTask | None:
    """The task that a workflow names, or None; a reference without a version names none (Fractal 1.8)."""
    return find_tasks(tx, [ref]).get(ref)


def find_tasks(tx: Transaction, refs: Iterable[TaskRef]) -> dict[TaskRef, InstalledTask]:
    """The tasks that a workflow names, without those that are not there."""
    wanted = list(refs)
    there = {_key(task.task.ref): task for task in _installed_tasks(tx, [ref.pkg_name for ref in wanted])}
    return {ref: there[_key(ref)] for ref in wanted if _key(ref) in there}


def _installed_tasks(tx: Transaction, package_names: Iterable[str] | None) -> list[InstalledTask]:
    query = (
        select(
            tasks.c.id,
            tasks.c.definition,
            environments.c.id,
            environments.c.path,
            environments.c.python,
            packages.c.origin,
            packages.c.root,
        )
        .join_from(tasks, packages, packages.c.id == tasks.c.package_id)
        .join(environments, environments.c.id == packages.c.environment_id)
        .where(packages.c.owner_id == local_user(tx))
    )
    if package_names is not None:
        query = query.where(packages.c.name.in_({normalise_name(name) for name in package_names}))
    return [
        InstalledTask(
            id=task_id,
            task=Task.model_validate(definition),
            installed=Installed(
                environment=environment,
                python=python if origin == "custom" else f"{path}/bin/python",
                root=root,
            ),
        )
        for task_id, definition, environment, path, python, origin, root in tx.execute(query)
    ]


def _replace_tasks(tx: Transaction, package_id: int, collected: Sequence[Task]) -> None:
    query = select(tasks.c.name, tasks.c.id).where(tasks.c.package_id == package_id)
    known = dict(tx.execute(query).all())
    gone = [known[name] for name in known.keys() - {task.name for task in collected}]
    tx.execute(delete(tasks).where(tasks.c.id.in_(gone)))
    content = {
        task.name: {"type": task.type.value, "definition": task.model_dump(mode="json")} for task in collected
    }
    kept = [{"task": known[name], **row} for name, row in content.items() if name in known]
    if kept:
        tx.execute(update(tasks).where(tasks.c.id == bindparam("task")), kept)
    new = [
        {"package_id": package_id, "name": name, **row} for name, row in content.items() if name not in known
    ]
    if new:
        tx.execute(insert(tasks), new)


def _may_not_change(name: str, version: str, origin: Origin) -> AlreadyExists:
    source = "the index" if origin == "index" else f"a {origin}"
    return AlreadyExists(
        f"{name} {version} was collected from {source} already, into another environment.",
        remedy="What an index has under a version never changes here: collect another version.",
    )


def _newness(package: PackageRecord) -> tuple[bool, Version]:
    version = Version(package.version)
    return not version.is_prerelease, version


def _key(ref: TaskRef) -> tuple[str, str | None, str]:
    return normalise_name(ref.pkg_name), ref.version, ref.name
