"""Workflows as flows of Prefect that an author calls, nests and deploys."""

from __future__ import annotations

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from treadle.authoring import held
from treadle.authoring.here import Request
from treadle.authoring.result import error_of, result_of
from treadle.authoring.session import Session
from treadle.compile.flow import conduct
from treadle.compile.naming import prefect_name
from treadle.compile.observer import Observer
from treadle.ledger import runs
from treadle.model.profile import LOCAL
from treadle.model.states import RunState
from treadle.model.workflow import Workflow
from treadle.runs.drive import context_of


class WorkflowFlow(Flow[..., Any]):
    """A flow that runs on the home's server where nobody has named another one."""

    def __call__(self, *positional: Any, **named: Any) -> Any:
        """Run the workflow; its parameters are `dataset` and `cluster`."""
        if FlowRunContext.get() is None and get_current_settings().api.url is None:
            held.server(held.session().settings)
        return super().__call__(*positional, **named)


def flow_of(workflow: Workflow) -> Flow[..., Any]:
    """Return a flow of the parameters `dataset` and `cluster` that runs a workflow and returns its `Result`.

    Called again for the same flow run, as Prefect's retry does, it goes on where the run ended.
    """

    def run_workflow(dataset: str, cluster: str = LOCAL) -> State[Any]:
        session = held.session()
        with held.cluster(cluster, session.settings) as opened:
            run_id = _run_of(session, Request(workflow, dataset, cluster=cluster), str(flow_run.get_id()))
            context = context_of(
                run_id,
                ledger=session.ledger,
                settings=session.settings,
                cluster=opened,
                observer=Observer(),
            )
            conduct(context)
        return _state_of(session, run_id)

    run_workflow.__doc__ = workflow.description
    name = prefect_name(workflow.name)
    return WorkflowFlow(
        run_workflow,
        name=name,
        task_runner=ThreadPoolTaskRunner(max_workers=max(1, len(workflow.steps))),  # type: ignore[arg-type] # of any result
        persist_result=False,
    )


def _run_of(session: Session, request: Request, key: str) -> int:
    """Return the run that belongs to this flow run, written to the ledger if it is not there yet."""
    with session.ledger.reading() as tx:
        found = runs.find_run(tx, key)
    return request.submit(session, key=key) if found is None else found


def _state_of(session: Session, run_id: int) -> State[Any]:
    result = result_of(session, run_id)
    if result.state is RunState.DONE:
        return Completed(message=f"Run {run_id} is done.", data=result)
    error = error_of(session, result.run)
    made = Cancelled if result.state is RunState.CANCELLED else Failed
    return made(message=error.what, data=error)
