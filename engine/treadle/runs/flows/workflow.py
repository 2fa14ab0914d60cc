"""The one flow behind the deployments of all workflows: a form's values become a run, which is driven here.

Import this only when Prefect's address and secret are in the environment. It imports nothing of Dask: Prefect
loads a flow in a thread, where dask-jobqueue cannot be imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger
from prefect.context import FlowRunContext
from prefect.states import Cancelled as CancelledState
from prefect.states import Failed
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import JsonValue, ValidationError

from treadle.collect.lifecycle import heal
from treadle.compile.flow import conduct
from treadle.compile.observer import Observer
from treadle.errors import Cancelled, TreadleError, UsageError
from treadle.ledger import Ledger, runs, sqlite_url
from treadle.model.overlay import Overlay
from treadle.model.problems import listed, problems_of
from treadle.model.profile import LOCAL
from treadle.runs.deployments.deployed import prefect_client
from treadle.runs.drive import prepared
from treadle.runs.resume import check_resumable
from treadle.runs.submit import Target, submit
from treadle.settings import Settings, load_settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

STEPS_AT_ONCE = 10_000
"""A thread is started only for a step that is submitted."""

_NOTHING: dict[str, Any] = {}


@flow(
    name="Workflow",
    task_runner=ThreadPoolTaskRunner(max_workers=STEPS_AT_ONCE),  # type: ignore[arg-type] # of any result
    validate_parameters=False,
    persist_result=False,
)
def run_workflow(  # noqa: PLR0917 - Prefect calls it by the names
    workflow: str,
    dataset: str,
    steps: dict[str, Any] = _NOTHING,
    first_step: str = "",
    last_step: str = "",
    cluster: str = LOCAL,
    resources: dict[str, Any] = _NOTHING,
    cache: dict[str, Any] = _NOTHING,
) -> State[Any]:
    """Run a stored workflow on a dataset; called again in the same flow run, go on with the same run.

    Args:
        workflow: Name of the workflow.
        dataset: Name of the dataset.
        steps: Arguments of steps in place of the workflow's, as the form has them.
        first_step: The step to begin with; empty for the first.
        last_step: The step to end with; empty for the last.
        cluster: Where the units run.
        resources: Resources of all units; what is empty is as planned.
        cache: Whether units of steps are reused; of a step that is left out it is as the workflow says.

    Returns:
        Completed, Failed or Cancelled, as the ledger has it; Failed where no run could be made of that.
    """
    try:
        with _opened() as (settings, ledger):
            run_id = _known_run(ledger)
            if run_id is None:
                run_id = submit(
                    ledger,
                    workflow=workflow,
                    dataset=dataset,
                    type_filters={},
                    attribute_filters={},
                    first=first_step or None,
                    last=last_step or None,
                    target=Target(cluster, settings.cluster(cluster), _overrides(resources)),
                    arguments=(_deployed_arguments(), steps),
                    cache=cache,
                    key=str(_this_run().id),
                )
            else:
                check_resumable(ledger, run_id)
            return _drive(run_id, ledger, settings)
    except Cancelled as error:
        return CancelledState(message=str(error))
    except TreadleError as error:
        get_run_logger().error("%s\n%s", error, error.detail)
        return Failed(message=str(error))


@contextmanager
def _opened() -> Iterator[tuple[Settings, Ledger]]:
    settings = load_settings()
    with Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite")) as ledger:
        heal(settings, ledger)
        yield settings, ledger


def _this_run() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise UsageError("The flow of workflows runs in a flow run only.", remedy="Use `treadle run`.")
    return context.flow_run


def _known_run(ledger: Ledger) -> int | None:
    """Return the run that this flow run is, if it is not called for the first time."""
    with ledger.reading() as tx:
        return runs.find_run(tx, str(_this_run().id))


def _deployed_arguments() -> Mapping[str, JsonValue]:
    """Return the arguments that the deployment has: Prefect drops all of them where a run has any."""
    deployment = _this_run().deployment_id
    if deployment is None:
        return {}
    with prefect_client() as client:
        return dict(client.read_deployment(deployment).parameters.get("steps") or {})


def _overrides(resources: Mapping[str, object]) -> Overlay:
    given = {name: value for name, value in resources.items() if value not in {"", None}}
    try:
        return Overlay.model_validate(given)
    except ValidationError as error:
        raise UsageError(listed("The resources are not valid", problems_of(error))) from error


def _drive(run_id: int, ledger: Ledger, settings: Settings) -> State[Any]:
    with ledger.reading() as tx:
        plan = runs.load_run(tx, run_id).plan
    with prepared(run_id, ledger=ledger, settings=settings, observer=Observer()) as context:
        get_run_logger().info("run %d of %r on dataset %r", run_id, plan.workflow.name, plan.dataset)
        return conduct(context)
