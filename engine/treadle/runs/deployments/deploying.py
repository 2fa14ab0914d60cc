"""Deployments of workflows: a form of the tasks' schemas, schedules, and the one generic flow behind them.

Call this with Prefect's address and secret in the environment.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from treadle.compile.form import Schema, form_of
from treadle.compile.form_values import StepValues, with_values
from treadle.compile.naming import prefect_name
from treadle.errors import ArgumentsInvalid, ServerError, UnknownName, UsageError
from treadle.ledger import Ledger, datasets, packages, sqlite_url, workflows
from treadle.model.arguments import check_arguments
from treadle.model.task import InstalledTask, TaskRef
from treadle.model.workflow import Workflow
from treadle.runs.builtin import register_builtin
from treadle.runs.deployments.deployed import (
    WORKFLOW_TAG,
    Deployed,
    described,
    find_deployment,
    prefect_client,
    read_all,
    read_one,
    workflow_of,
)
from treadle.runs.deployments.schedules import Schedule, with_slugs
from treadle.runs.workers.work_pool import WORK_POOL, ensure_work_pool
from treadle.settings import Settings, load_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import ConcurrencyOptions
    from prefect.client.schemas.responses import DeploymentResponse

ENTRYPOINT = "treadle.runs.flows.workflow.run_workflow"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deployment is to be like; None leaves a thing as it is, or as is usual.

    Attributes:
        dataset: Dataset that is chosen in its form, and used by its schedules.
        arguments: Arguments of steps in place of the workflow's, by steps as in the form.
        cluster: Where its units run.
        schedules: When it starts runs by itself; an empty sequence for never.
        limit: How many of its runs there are at once; 0 for any number.
        cancels_new: Whether a run above the limit is cancelled instead of waiting.
        tags: Tags that its runs get.
        paused: Whether its schedules are off.
    """

    dataset: str | None = None
    arguments: StepValues | None = None
    cluster: str | None = None
    schedules: Sequence[Schedule] | None = None
    limit: int | None = None
    cancels_new: bool | None = None
    tags: Sequence[str] | None = None
    paused: bool | None = None


def deploy(
    workflow: str,
    wanted: Wanted,
    *,
    name: str | None = None,
    ledger: Ledger,
    settings: Settings,
) -> Deployed:
    """Register a deployment of a workflow with Prefect's server, or bring it up to date in its place.

    Args:
        workflow: Name of the stored workflow.
        wanted: What it is to be like.
        name: Name of the deployment; the workflow's if not given.
        ledger: Where workflow, tasks and datasets are looked up.
        settings: Name the clusters.

    Raises:
        UnknownName: There is no such workflow, step or dataset.
        WorkflowInvalid: A step names a task that is not collected.
        ArgumentsInvalid: What is wanted does not fit the workflow's form.
        UsageError: A schedule cannot be read.
        AlreadyExists: Prefect has another deployment of that name.
        ServerError: Prefect's server did not answer, or refused.
    """
    base = _Base.read(ledger, settings, workflow)
    flow, own = prefect_name(base.workflow.name), prefect_name(name or base.workflow.name)
    with prefect_client() as client:
        before = read_one(client, flow, own, workflow)
        parameters = base.parameters(before, wanted)
        if wanted.schedules is None:
            schedules = list(before.schedules) if before else []
        else:
            schedules = with_slugs(wanted.schedules)
        form = base.checked_form(parameters, schedules)
        rules = [schedule.for_prefect() for schedule in schedules]
        tags = before.tags if wanted.tags is None and before else wanted.tags or ()
        limit = before.limit if wanted.limit is None and before else wanted.limit or None
        cancels_new = (
            before.cancels_new if wanted.cancels_new is None and before else bool(wanted.cancels_new)
        )
        ensure_work_pool(client)
        client.create_deployment(
            client.create_flow_from_name(flow),
            own,
            version=base.version,
            description=base.workflow.description or "",
            entrypoint=ENTRYPOINT,
            path=None,
            work_pool_name=WORK_POOL,
            parameters=parameters,
            parameter_openapi_schema=form,
            enforce_parameter_schema=True,
            schedules=rules,
            concurrency_limit=limit,
            concurrency_options=_when_full(cancels_new=cancels_new),
            tags=[WORKFLOW_TAG, *(tag for tag in dict.fromkeys(tags) if tag != WORKFLOW_TAG)],
            paused=wanted.paused,
        )
        made = read_one(client, flow, own, workflow)
    if made is None:
        raise ServerError(f"Prefect's server does not know the deployment {flow}/{own} that was just made.")
    return made


def list_deployments(ledger: Ledger, settings: Settings) -> list[Deployed]:
    """Return the deployments of workflows, by name, each with what is wrong with it."""
    with prefect_client() as client:
        found = read_all(client)
    return [described(deployment, flow, _problem(deployment, ledger, settings)) for deployment, flow in found]


def remove_deployment(name: str) -> Deployed:
    """Remove a deployment, with its schedules; its runs stay. Errors are those of `find_deployment`."""
    found = find_deployment(name)
    with prefect_client() as client:
        client.delete_deployment(found.id)
    return found


def pause_deployment(name: str, *, paused: bool, schedule: str | None = None) -> Deployed:
    """Switch a deployment's schedules off or on, or one of them.

    Args:
        name: As for `find_deployment`.
        paused: Whether they are to be off.
        schedule: Slug of the only one that is meant.

    Raises:
        UnknownName: There is no such deployment or schedule.
        ServerError: Prefect's server did not answer.
    """
    found = find_deployment(name)
    with prefect_client() as client:
        if schedule is None:
            (client.pause_deployment if paused else client.resume_deployment)(found.id)
        else:
            ids = {rule.slug or str(rule.id): rule.id for rule in client.read_deployment_schedules(found.id)}
            if schedule not in ids:
                known = ", ".join(map(repr, ids)) or "none"
                raise UnknownName(
                    f"Deployment {found.path!r} has no schedule {schedule!r}.", remedy=f"It has {known}."
                )
            client.update_deployment_schedule(found.id, ids[schedule], active=not paused)
    return find_deployment(found.path)


def refresh_deployments() -> list[str]:
    """Bring all deployments of workflows up to date; nothing is written where nothing changed.

    A form changes with its workflow, the schemas of its tasks, the datasets, and the clusters that the
    settings have now. A deployment whose form cannot be made, or whose own parameters would not fit it, is
    left as it is; `list_deployments` says why.

    Returns:
        The paths of the deployments that were changed.

    Raises:
        ServerError: Prefect's server did not answer.
        LedgerError: The ledger could not be read.
        SettingsInvalid: A setting is wrong.
    """
    settings = load_settings()
    with (
        prefect_client() as client,
        Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite")) as ledger,
    ):
        return [
            f"{flow}/{deployment.name}"
            for deployment, flow in read_all(client)
            if _refresh(client, deployment, ledger, settings)
        ]


def _refresh(
    client: SyncPrefectClient, deployment: DeploymentResponse, ledger: Ledger, settings: Settings
) -> bool:
    from prefect.client.schemas.actions import DeploymentUpdate

    try:
        base = _Base.read(ledger, settings, workflow_of(deployment))
        form = base.checked_form(deployment.parameters, [])
    except UsageError as error:
        logger.info("form_not_refreshed deployment=%s error=%s", deployment.id, error)
        return False
    there = (deployment.parameter_openapi_schema, deployment.version, deployment.entrypoint)
    if there == (form, base.version, ENTRYPOINT):
        return False
    update = DeploymentUpdate(
        entrypoint=ENTRYPOINT,
        parameter_openapi_schema=form,
        version=base.version,
        description=base.workflow.description or "",
    )
    client.update_deployment(deployment.id, update)
    return True


@dataclass(frozen=True, slots=True)
class _Base:
    """All that a workflow's form is made of."""

    workflow: Workflow
    tasks: Mapping[TaskRef, InstalledTask]
    datasets: Sequence[str]
    clusters: Sequence[str]

    @classmethod
    def read(cls, ledger: Ledger, settings: Settings, workflow: str) -> _Base:
        with ledger.reading() as tx:
            _, stored = workflows.load_workflow(tx, workflow)
            names = [dataset.name for dataset in datasets.list_datasets(tx)]
        references = [step.task for step in stored.steps]
        register_builtin(ledger, [reference.pkg_name for reference in references])
        with ledger.reading() as tx:
            tasks = packages.find_tasks(tx, references)
        return cls(stored, tasks, names, sorted(settings.clusters))

    @property
    def version(self) -> str:
        """A digest of the workflow; runs in Prefect show which one they were made of."""
        return hashlib.blake2b(self.workflow.model_dump_json().encode(), digest_size=6).hexdigest()

    def parameters(self, before: Deployed | None, wanted: Wanted) -> dict[str, JsonValue]:
        parameters = {} if before is None else dict(before.parameters)
        given = {
            "workflow": self.workflow.name,
            "dataset": wanted.dataset,
            "steps": wanted.arguments,
            "cluster": wanted.cluster,
        }
        parameters.update(
            {name: cast("JsonValue", value) for name, value in given.items() if value is not None}
        )
        return parameters

    def checked_form(self, parameters: Mapping[str, JsonValue], schedules: Sequence[Schedule]) -> Schema:
        """Return the form, once the parameters of the deployment and of its schedules fit it."""
        arguments = cast("StepValues", parameters.get("steps") or {})
        changed = with_values(self.workflow, self.tasks, arguments)
        form = form_of(changed, self.tasks, self.datasets, self.clusters)
        _check(form, parameters, "The deployment's parameters do not fit", ignore_required=True)
        for step in changed.steps:
            if step.name in arguments:
                check_arguments(step, self.tasks[step.task].task)
        for schedule in schedules:
            _check(
                form,
                {**parameters, **schedule.parameters},
                f"The parameters of schedule {schedule.slug!r} do not fit",
            )
        return form


def _check(
    form: Schema, parameters: Mapping[str, JsonValue], what: str, *, ignore_required: bool = False
) -> None:
    """Check as Prefect's server does, before it does: its words then need not be made readable.

    Raises:
        ArgumentsInvalid: Something does not fit.
    """
    from prefect.utilities.schema_tools.validation import validate

    errors = validate(dict(parameters), form, ignore_required=ignore_required)
    if errors:
        texts = [f"{error.json_path.removeprefix('$.')}: {error.message}" for error in errors]
        raise ArgumentsInvalid(f"{what}: {'; '.join(texts)}.")


def _problem(deployment: DeploymentResponse, ledger: Ledger, settings: Settings) -> str:
    schedules = [Schedule.from_prefect(schedule) for schedule in deployment.schedules]
    try:
        base = _Base.read(ledger, settings, workflow_of(deployment))
        base.checked_form(deployment.parameters, [schedule for schedule in schedules if schedule.active])
    except UsageError as error:
        return str(error)
    return ""


def _when_full(*, cancels_new: bool) -> ConcurrencyOptions:
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions

    strategy = ConcurrencyLimitStrategy.CANCEL_NEW if cancels_new else ConcurrencyLimitStrategy.ENQUEUE
    return ConcurrencyOptions(collision_strategy=strategy)
