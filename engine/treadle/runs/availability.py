"""Whether the environments of a plan can be used now."""

from __future__ import annotations

from treadle.errors import WorkflowInvalid
from treadle.ledger import Transaction, packages
from treadle.ledger.lifecycle import hold_packages, mark_used
from treadle.ledger.packages import PackageRecord
from treadle.ledger.tables import EnvironmentState
from treadle.model.plan import Plan

Planned = tuple[str, str, str]
"""Name and version of a package, and the environment in which a plan has it."""


def check_available(tx: Transaction, plan: Plan) -> None:
    """Refuse a plan with a task whose package has no environment that units could use.

    Raises:
        WorkflowInvalid: It is inactive, broken or being built, or has moved; says which command mends that.
    """
    problems = [problem for planned in _planned(plan) if (problem := _problem(tx, *planned))]
    if problems:
        whats, remedies = zip(*problems, strict=True)
        raise WorkflowInvalid(" ".join(whats), remedy="; ".join(remedies))


def take_into_use(tx: Transaction, plan: Plan) -> None:
    """Note that a run asks for the environments of a plan; errors are those of `check_available`.

    Its packages stay as they are until the transaction ends: none is deactivated before the run is there.
    """
    found = (packages.find_package(tx, name, version) for name, version, _ in _planned(plan))
    hold_packages(tx, {package.id for package in found if package is not None})
    check_available(tx, plan)
    mark_used(tx, {environment for _, _, environment in _planned(plan)})


def package_state(package: PackageRecord, environment: EnvironmentState | None) -> EnvironmentState:
    """What can be done with a package, by what can be done with its environment."""
    if not package.active:
        return "inactive"
    return environment or "broken"


def _planned(plan: Plan) -> list[Planned]:
    tasks = (planned.task for planned in plan.steps)
    return sorted({(task.task.package, task.task.version, task.installed.environment) for task in tasks})


def _problem(tx: Transaction, name: str, version: str, environment_id: str) -> tuple[str, str] | None:
    package = packages.find_package(tx, name, version)
    environment = packages.get_environment(tx, environment_id)
    ready = environment is not None and environment.state == "ready"
    if package is None:
        gone = (f"{name} {version} is not collected any more.", "Collect it again with `treadle collect`.")
        return None if ready else gone
    if ready and package.active:
        return None
    command = f"{package.name} --version {package.version}"
    if not package.active:
        return f"{name} {version} is inactive.", f"Run: treadle package reactivate {command}"
    if package.environment_id != environment_id:
        return f"{name} {version} is in another environment now.", "Submit the run again."
    state = package_state(package, None if environment is None else environment.state)
    if state == "broken":
        return f"The environment of {name} {version} is broken.", f"Run: treadle package repair {command}"
    return f"The environment of {name} {version} is {state}.", "Wait for it; see `treadle env list`."
