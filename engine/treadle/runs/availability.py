"""Whether the packages of a plan can be used now."""

from __future__ import annotations

from treadle.errors import WorkflowInvalid
from treadle.ledger import Transaction, packages
from treadle.ledger.lifecycle import mark_used
from treadle.ledger.packages import PackageRecord
from treadle.ledger.tables import EnvironmentState
from treadle.model.plan import Plan


def check_available(tx: Transaction, plan: Plan) -> None:
    """Refuse a plan with a task whose package has no environment that units could use.

    Raises:
        WorkflowInvalid: It is inactive, broken or being built; says which command mends that.
    """
    problems = [problem for package in _packages(tx, plan) if (problem := _problem(tx, package))]
    if problems:
        whats, remedies = zip(*problems, strict=True)
        raise WorkflowInvalid(" ".join(whats), remedy="; ".join(remedies))


def take_into_use(tx: Transaction, plan: Plan) -> None:
    """Note that a run asks for the environments of a plan; errors are those of `check_available`."""
    check_available(tx, plan)
    mark_used(tx, {planned.task.installed.environment for planned in plan.steps})


def package_state(package: PackageRecord, environment: EnvironmentState | None) -> EnvironmentState:
    """What can be done with a package, by what can be done with its environment."""
    if not package.active:
        return "inactive"
    return environment or "broken"


def _packages(tx: Transaction, plan: Plan) -> list[PackageRecord]:
    named = sorted({(planned.task.task.package, planned.task.task.version) for planned in plan.steps})
    found = (packages.find_package(tx, name, version) for name, version in named)
    return [package for package in found if package is not None]


def _problem(tx: Transaction, package: PackageRecord) -> tuple[str, str] | None:
    environment = packages.get_environment(tx, package.environment_id)
    state = package_state(package, None if environment is None else environment.state)
    named = f"{package.name} --version {package.version}"
    if state == "inactive":
        return f"{package.name} {package.version} is inactive.", f"Run: treadle package reactivate {named}"
    if state == "broken":
        what = f"The environment of {package.name} {package.version} is broken."
        return what, f"Run: treadle package repair {named}"
    if state != "ready":
        what = f"The environment of {package.name} {package.version} is {state}."
        return what, "Wait for it; `treadle env list` tells how far it is."
    return None
