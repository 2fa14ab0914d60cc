"""A run's plan as a Prefect flow: one Prefect task a step, the edges from `needs`.

The ledger is written first and Prefect hears of it second, so that what people see in the UI is never
ahead of what is durable.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from prefect import Flow, Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import RunInput, TaskRunResult
from prefect.context import get_run_context
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from treadle.compile.artifacts.keeper import RunArtifacts
from treadle.compile.context import RunContext
from treadle.compile.interrupts import stop_on_signals
from treadle.compile.jobs import LedgerBook
from treadle.compile.naming import flow_run_name, prefect_name
from treadle.compile.observer import Observers
from treadle.compile.pipeline import Pipeline
from treadle.compile.settling import mark_failed, settle
from treadle.compile.step import StepEnd
from treadle.compile.supervision import supervised
from treadle.compile.taking_up import take_up
from treadle.errors import LeaseLost
from treadle.ledger.runs import StepRecord
from treadle.model.plan import Plan
from treadle.model.states import RunState, StepState

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.context import FlowRunContext
    from prefect.futures import PrefectFuture

# Prefect would import them when a flow is first called: in the midst of a run, for a quarter of a second.
for _name in ("fastapi.encoders", "prefect.flow_engine", "prefect.task_engine", "pydantic.v1"):
    import_module(_name)


def compile_flow(context: RunContext) -> Flow[..., State[None]]:
    """Compile the run's plan into a Prefect flow, named after its workflow.

    Args:
        context: The run; its plan decides tasks and edges, its ledger row gets every state.

    Returns:
        A flow of the parameters `run` (id) and `dataset` (name), shown in the UI. Calling it in the main
        thread runs the plan and returns Completed, Failed or Cancelled, the state that the ledger then has.
    """
    name = context.plan.workflow.name

    def run_workflow(run: int, dataset: str) -> State[None]:
        get_run_logger().info("run %d on dataset %r", run, dataset)
        return conduct(context)

    run_workflow.__doc__ = context.plan.workflow.description
    return Flow(
        run_workflow,
        name=prefect_name(name),
        flow_run_name=flow_run_name(name, context.run_id),
        task_runner=step_runner(context.plan),  # type: ignore[arg-type] # of any result
        validate_parameters=False,
        persist_result=False,
    )


def step_runner(plan: Plan) -> ThreadPoolTaskRunner[Any]:
    """Return the task runner that a flow needs whose body is `conduct`: a thread a step."""
    return ThreadPoolTaskRunner(max_workers=len(plan.steps))


def conduct(context: RunContext) -> State[None]:
    """Drive the run from where it is to its end; the body of a flow, called in the flow run's context.

    Called again, for the same flow run as Prefect's retry does or for another, it goes on where it ended:
    steps and units that are done are passed over, and a run that is done stays as it is.

    Returns:
        Completed, Failed or Cancelled, the state that the ledger then has.

    Raises:
        AlreadyDriven: Another process drives the run.
        LeaseLost: Another process has taken it over; nothing was written since.
    """
    flow_run_id = UUID(flow_run.get_id())
    with supervised(context, str(flow_run_id)), stop_on_signals(context.stop):
        context.cluster.report_to(LedgerBook(context))
        try:
            return _conduct(context, flow_run_id)
        except LeaseLost:
            raise
        except BaseException as error:
            mark_failed(context, error)
            raise


def _conduct(context: RunContext, flow_run_id: UUID) -> State[None]:
    record = take_up(context, str(flow_run_id))
    if record.state is RunState.DONE:
        return Completed(message="It was done before.")
    artifacts = RunArtifacts(context, flow_run_id, record)
    context = replace(context, observer=Observers(context.observer, artifacts))
    with artifacts.kept():
        _run_steps(context, record.steps, artifacts)
        end = settle(context)
    made = {RunState.DONE: Completed, RunState.FAILED: Failed, RunState.CANCELLED: Cancelled}[end.state]
    return made(message=end.message)


def _run_steps(context: RunContext, rows: Sequence[StepRecord], artifacts: RunArtifacts) -> None:
    """Submit every step as soon as those it needs are, a fed one when there is something for it to do."""
    pipeline = Pipeline(context, rows)
    waiting = [row for row in rows if row.state is StepState.DONE or context.scope.admits(row.position)]
    names = {row.name for row in waiting}
    futures: dict[str, PrefectFuture[State[None]]] = {}
    while waiting:
        pipeline.changed.clear()
        for row in list(waiting):
            needs = [need for need in context.plan.steps[row.position].step.needs if need in names]
            if pipeline.may_begin(row.position) and all(need in futures for need in needs):
                task = _step_task(pipeline, row.name, artifacts)
                futures[row.name] = _submit(pipeline, row.position, task, [futures[need] for need in needs])
                waiting.remove(row)
        if waiting:
            pipeline.changed.wait()
    for future in futures.values():
        future.wait()


def _submit(
    pipeline: Pipeline,
    position: int,
    task: Task[[int], State[None]],
    needs: Sequence[PrefectFuture[State[None]]],
) -> PrefectFuture[State[None]]:
    if pipeline.is_ahead(position):
        # What `Task.submit` does, but for edges on which Prefect does not wait.
        edges: set[RunInput] = {TaskRunResult(id=need.task_run_id) for need in needs}
        runner = cast("FlowRunContext", get_run_context()).task_runner
        future: PrefectFuture[State[None]] = runner.submit(
            task, {"position": position}, dependencies={"position": edges}
        )
    else:
        future = task.submit(position, return_state=False, wait_for=needs)

    def ended(_: PrefectFuture[State[None]]) -> None:
        pipeline.ended(position, done=False)

    future.add_done_callback(ended)
    return future


def _step_task(pipeline: Pipeline, step: str, artifacts: RunArtifacts) -> Task[[int], State[None]]:
    def run_step(position: int) -> State[None]:
        artifacts.begin(position, step, UUID(task_run.get_id()))
        end = pipeline.run(position)
        artifacts.end(position, end.report)
        get_run_logger().log(logging.INFO if end.state is StepState.DONE else logging.ERROR, "%s", end.report)
        return _prefect_state(end)

    name = prefect_name(step)
    return Task(run_step, name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)


def _prefect_state(end: StepEnd) -> State[None]:
    made = {StepState.DONE: Completed, StepState.FAILED: Failed, StepState.CANCELLED: Cancelled}[end.state]
    return made(message=end.message)
