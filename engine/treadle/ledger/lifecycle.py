"""What becomes of packages and environments once they are there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, exists, insert, select, update

from treadle.ledger.columns import now
from treadle.ledger.database import Transaction
from treadle.ledger.names import normalise_name
from treadle.ledger.packages import EnvironmentRecord, PackageRecord, list_environments
from treadle.ledger.people import local_user
from treadle.ledger.tables import (
    EnvironmentState,
    environments,
    packages,
    people,
    plugins,
    runs,
    tasks,
    workflows,
)
from treadle.model.plan import Plan
from treadle.model.states import RunState
from treadle.model.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Holder:
    """A package that is installed in an environment, whoever owns it."""

    id: int
    name: str
    version: str
    owner: str
    active: bool
    root: str


def announce_environment(
    tx: Transaction,
    *,
    environment_id: str,
    lock: str,
    python: str,
    python_version: str,
    path: str,
    state: EnvironmentState,
) -> None:
    """Record that an environment is about to be built, or is being built.

    Args:
        tx: A writing transaction.
        environment_id: Digest of all it is built from.
        lock: The lock it is built from, as text.
        python: Absolute path of the interpreter it is built on.
        python_version: Version of that interpreter.
        path: Absolute path of its folder.
        state: How far that is.
    """
    if set_environment_state(tx, environment_id, state):
        return
    content = {
        "lock": lock,
        "python": python,
        "python_version": python_version,
        "path": path,
        "state": state,
        "build_seconds": 0.0,
        "size_bytes": 0,
    }
    owned = {"id": environment_id, "owner_id": local_user(tx), "created_at": now()}
    tx.execute(insert(environments).values(**owned, **content))


def set_environment_state(tx: Transaction, environment_id: str, state: EnvironmentState) -> bool:
    """Note what can be done with an environment; return whether it is known."""
    change = update(environments).where(environments.c.id == environment_id).values(state=state)
    return tx.execute(change).rowcount > 0


def forget_environment(tx: Transaction, environment_id: str) -> bool:
    """Forget an environment that no package is installed in; return whether that was so."""
    held = exists().where(packages.c.environment_id == environment_id)
    return tx.execute(delete(environments).where(environments.c.id == environment_id, ~held)).rowcount > 0


def mark_used(tx: Transaction, environment_ids: Collection[str]) -> None:
    """Note that a run asks for environments now."""
    tx.execute(update(environments).where(environments.c.id.in_(environment_ids)).values(used_at=now()))


def environments_in(tx: Transaction, states: Collection[EnvironmentState]) -> list[EnvironmentRecord]:
    """Environments in one of some states, the oldest first."""
    return [record for record in list_environments(tx) if record.state in states]


def holders(tx: Transaction, environment_id: str) -> list[Holder]:
    """All packages that are installed in an environment, of all owners."""
    columns = (
        packages.c.id,
        packages.c.name,
        packages.c.version,
        people.c.name,
        packages.c.active,
        packages.c.root,
    )
    query = (
        select(*columns)
        .join_from(packages, people, people.c.id == packages.c.owner_id)
        .where(packages.c.environment_id == environment_id)
        .order_by(packages.c.id)
    )
    return [Holder(*row) for row in tx.execute(query)]


def hold_packages(tx: Transaction, package_ids: Collection[int]) -> None:
    """Let no other transaction change or hold packages until this one ends."""
    query = select(packages.c.id).where(packages.c.id.in_(package_ids)).order_by(packages.c.id)
    tx.execute(query.with_for_update()).all()


def set_active(tx: Transaction, package_id: int, *, active: bool) -> None:
    """Note whether workflows can use a package."""
    tx.execute(update(packages).where(packages.c.id == package_id).values(active=active))


def move_packages(tx: Transaction, old: EnvironmentRecord, new: str, path: str) -> None:
    """Let all packages of an environment be installed in another one, at another place, with equal content.

    Args:
        tx: A writing transaction.
        old: Where they are.
        new: Id of the environment that takes its place.
        path: Absolute path of that one's folder.
    """
    for holder in holders(tx, old.id):
        inside = holder.root == old.path or holder.root.startswith(f"{old.path}/")
        root = path + holder.root.removeprefix(old.path) if inside else holder.root
        tx.execute(update(packages).where(packages.c.id == holder.id).values(environment_id=new, root=root))


def remove_package(tx: Transaction, package_id: int) -> None:
    """Forget a package and its tasks; a plugin that was one is found only."""
    tx.execute(
        update(plugins).where(plugins.c.package_id == package_id).values(package_id=None, state="found")
    )
    tx.execute(delete(tasks).where(tasks.c.package_id == package_id))
    tx.execute(delete(packages).where(packages.c.id == package_id))


def workflows_using(tx: Transaction, package: PackageRecord) -> list[str]:
    """Names of the workflows that have a step with a task of a package."""
    query = select(workflows.c.name, workflows.c.definition).order_by(workflows.c.name)
    return [
        name
        for name, definition in tx.execute(query)
        if any(
            (normalise_name(step.task.pkg_name), step.task.version) == (package.name, package.version)
            for step in Workflow.model_validate(definition).steps
        )
    ]


def environments_in_use(tx: Transaction) -> dict[str, list[int]]:
    """Environments that runs need which are not at their end, with the numbers of those runs."""
    unfinished = runs.c.state.in_((RunState.SUBMITTED, RunState.RUNNING))
    found: dict[str, list[int]] = {}
    for run_id, text in tx.execute(select(runs.c.id, runs.c.plan).where(unfinished).order_by(runs.c.id)):
        plan = Plan.model_validate_json(text)
        for environment in sorted({planned.task.installed.environment for planned in plan.steps}):
            found.setdefault(environment, []).append(run_id)
    return found


def runs_using(tx: Transaction, package: PackageRecord) -> list[int]:
    """Numbers of the runs that are not at their end and use a task of a package."""
    unfinished = runs.c.state.in_((RunState.SUBMITTED, RunState.RUNNING))
    return [
        run_id
        for run_id, text in tx.execute(select(runs.c.id, runs.c.plan).where(unfinished).order_by(runs.c.id))
        if any(
            (normalise_name(planned.task.task.package), planned.task.task.version)
            == (package.name, package.version)
            for planned in Plan.model_validate_json(text).steps
        )
    ]
