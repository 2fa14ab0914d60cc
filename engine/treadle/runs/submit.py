"""From names to a plan, and from a plan to a run in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.compile.form_cache import CacheWords, refreshed, with_cache
from treadle.compile.form_values import StepValues, with_values
from treadle.errors import UnknownName
from treadle.ledger import Ledger, Transaction, datasets, packages, runs, workflows
from treadle.model.dataset import Dataset
from treadle.model.filters import AttributeFilters
from treadle.model.overlay import NOTHING_SAID, Overlay
from treadle.model.placement import place_plan
from treadle.model.plan import Plan, make_plan
from treadle.model.profile import LOCAL, THIS_MACHINE, ClusterProfile
from treadle.model.task import InstalledTask, TaskRef
from treadle.model.workflow import Workflow
from treadle.runs.availability import check_available, take_into_use
from treadle.runs.builtin import register_builtin


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run is to run.

    Attributes:
        cluster: Name of the cluster.
        profile: What is known of it.
        overrides: Resources of all units of the run, over what others say of them.
    """

    cluster: str = LOCAL
    profile: ClusterProfile = THIS_MACHINE
    overrides: Overlay = NOTHING_SAID


HERE = Target()
_NOTHING_SAID: CacheWords = {}


def make_run_plan(
    ledger: Ledger,
    *,
    workflow: str | Workflow,
    dataset: str,
    type_filters: dict[str, bool],
    attribute_filters: AttributeFilters,
    first: str | None = None,
    last: str | None = None,
    target: Target = HERE,
    refresh: bool = False,
) -> Plan:
    """Resolve a workflow against a dataset; nothing is written but the engine's own tasks if it names one.

    Args:
        ledger: Where workflow, dataset and tasks are looked up.
        workflow: Name of the workflow, or one that need not be stored.
        dataset: Name of the dataset.
        type_filters: Types that items must have for the first step; later steps add what was produced.
        attribute_filters: Values that items' attributes must have, for all steps.
        first: Name of the step to begin with, on the dataset as it is; None for the workflow's first.
        last: Name of the step to end with; None for the workflow's last.
        target: Where it is to run.
        refresh: Run also the units that would be reused, and keep what they leave in place of what was.

    Raises:
        UnknownName: No such workflow, dataset or step.
        UsageError: The step to begin with comes after the one to end with, or this machine has not what the
            run asks for.
        WorkflowInvalid: A step names a task that is not collected or whose package is inactive or broken,
            filters contradict each other, or the cluster cannot run a step's units.
        ArgumentsInvalid: A step's arguments break the task's schema.
        NothingSelected: The first step would have no item.
    """
    plan = _resolve(
        ledger,
        workflow=workflow,
        dataset=dataset,
        type_filters=type_filters,
        attribute_filters=attribute_filters,
        first=first,
        last=last,
        target=target,
        refresh=refresh,
    )[0]
    with ledger.reading() as tx:
        check_available(tx, plan)
    return plan


def submit(
    ledger: Ledger,
    *,
    workflow: str | Workflow,
    dataset: str,
    type_filters: dict[str, bool],
    attribute_filters: AttributeFilters,
    first: str | None = None,
    last: str | None = None,
    target: Target = HERE,
    arguments: Sequence[StepValues] = (),
    cache: CacheWords = _NOTHING_SAID,
    refresh: bool = False,
    key: str | None = None,
) -> int:
    """Make a plan and write run, plan and a snapshot of the dataset to the ledger.

    Args:
        ledger: See `make_run_plan`, as for what is not said here.
        workflow: Name of the workflow, or one that need not be stored.
        dataset: Name of the dataset.
        type_filters: Types that items must have.
        attribute_filters: Values that items' attributes must have.
        first: Name of the step to begin with.
        last: Name of the step to end with.
        target: Where it is to run.
        arguments: Arguments of steps in place of the workflow's; later ones lie over earlier ones.
        cache: Whether units of steps are reused, in place of what the workflow says.
        refresh: See `make_run_plan`.
        key: What `ledger.runs.find_run` is to find the run by.

    Returns:
        The run's id. Errors are those of `make_run_plan`.
    """
    plan, workflow_id, dataset_id, snapshot = _resolve(
        ledger,
        workflow=workflow,
        dataset=dataset,
        type_filters=type_filters,
        attribute_filters=attribute_filters,
        first=first,
        last=last,
        target=target,
        arguments=arguments,
        cache=cache,
        refresh=refresh,
    )
    with ledger.writing() as tx:
        take_into_use(tx, plan)
        return runs.create_run(tx, plan, workflow_id, dataset_id, snapshot, key=key)


def _resolve(
    ledger: Ledger,
    *,
    workflow: str | Workflow,
    dataset: str,
    type_filters: dict[str, bool],
    attribute_filters: AttributeFilters,
    first: str | None,
    last: str | None,
    target: Target,
    arguments: Sequence[StepValues] = (),
    cache: CacheWords = _NOTHING_SAID,
    refresh: bool = False,
) -> tuple[Plan, int | None, int, Dataset]:
    with ledger.reading() as tx:
        workflow_id, definition = _stored(tx, workflow)
        dataset_id, snapshot = datasets.load_dataset(tx, dataset)
    tasks = installed_tasks(ledger, definition)
    for values in arguments:
        definition = with_values(definition, tasks, values)
    definition = with_cache(definition, tasks, cache)
    if refresh:
        definition = refreshed(definition, tasks)
    plan = make_plan(
        definition.part(first, last),
        snapshot,
        tasks,
        type_filters=type_filters,
        attribute_filters=attribute_filters,
        cluster=target.cluster,
        overrides=target.overrides,
    )
    place_plan(plan, target.profile)
    return plan, workflow_id, dataset_id, snapshot


def _stored(tx: Transaction, workflow: str | Workflow) -> tuple[int | None, Workflow]:
    """Return a workflow and its id in the ledger; no id for one that is not there as it is here."""
    if isinstance(workflow, str):
        return workflows.load_workflow(tx, workflow)
    try:
        workflow_id, stored = workflows.load_workflow(tx, workflow.name)
    except UnknownName:
        return None, workflow
    return (workflow_id if stored == workflow else None), workflow


def installed_tasks(ledger: Ledger, workflow: Workflow) -> dict[TaskRef, InstalledTask]:
    """Return the tasks of the packages that a workflow names, those that it uses by its own references."""
    names = sorted({step.task.pkg_name for step in workflow.steps})
    register_builtin(ledger, names)
    with ledger.reading() as tx:
        known = [task for name in names for task in packages.list_tasks(tx, name)]
        named = packages.find_tasks(tx, [step.task for step in workflow.steps])
    return {task.task.ref: task for task in known} | named
