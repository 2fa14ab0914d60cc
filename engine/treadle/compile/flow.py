"""A run's plan as a Prefect flow: one Prefect task a step, the edges from `needs`.

The ledger is written first and Prefect hears of it second, so that what people see in the UI is never
ahead of what is durable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prefect import Flow, Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from treadle.compile.context import RunContext
from treadle.compile.step import StepEnd, StepRun
from treadle.ledger import runs
from treadle.model.states import RunState, StepState

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.futures import PrefectFuture

NAME_PREFECT_REFUSES = re.compile(r"[/%&><]")


def compile_flow(context: RunContext) -> Flow[..., State[None]]:
    """Compile the run's plan into a Prefect flow, named after its workflow.

    Args:
        context: The run; its plan decides tasks and edges, its ledger row gets every state.

    Returns:
        A flow of the parameters `run` (id) and `dataset` (name), shown in the UI. Calling it in the main
        thread runs the plan and returns Completed, Failed or Cancelled, the state that the ledger then has.
    """
    plan = context.plan
    name = _prefect_name(plan.workflow.name)

    def run_workflow(run: int, dataset: str) -> State[None]:
        with context.ledger.writing() as tx:
            runs.set_prefect_run(tx, run, str(flow_run.get_id()))
            runs.set_run_state(tx, run, RunState.RUNNING)
        get_run_logger().info("run %d of workflow %r on dataset %r", run, plan.workflow.name, dataset)
        futures: dict[str, PrefectFuture[State[None]]] = {}
        for position, planned in enumerate(plan.steps):
            step = planned.step
            wait_for = [futures[need] for need in step.needs if need in futures]
            futures[step.name] = _step_task(context, position).submit(
                position, return_state=False, wait_for=wait_for
            )
        for future in futures.values():
            future.wait()
        return _end_run(context)

    run_workflow.__doc__ = plan.workflow.description
    return Flow(
        run_workflow,
        name=name,
        flow_run_name=f"{name} {context.run_id}",
        task_runner=ThreadPoolTaskRunner(max_workers=len(plan.steps)),  # type: ignore[arg-type] # of any result
        validate_parameters=False,
        persist_result=False,
    )


def _step_task(context: RunContext, position: int) -> Task[[int], State[None]]:
    planned = context.plan.steps[position]

    def run_step(position: int) -> State[None]:
        end = StepRun(context, position).run()
        get_run_logger().info("%s", end.message)
        return _prefect_state(end)

    name = _prefect_name(planned.step.name)
    return Task(run_step, name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)


def _end_run(context: RunContext) -> State[None]:
    """Settle the steps that never began and the run itself, in the ledger, and tell Prefect the same."""
    stopped = context.stop.is_set()
    with context.ledger.writing() as tx:
        record = runs.load_run(tx, context.run_id)
        unreached = StepState.CANCELLED if stopped else StepState.NOT_RUN
        for step in record.steps:
            if step.state is StepState.PLANNED:
                runs.set_step_state(tx, context.run_id, step.position, unreached)
        states = {step.state for step in record.steps}
        failed = [step for step in record.steps if step.state is StepState.FAILED]
        if states == {StepState.DONE}:
            state, message = RunState.DONE, f"{len(record.steps)} of {len(record.steps)} steps done"
        elif failed:
            state, message = RunState.FAILED, f"Step {failed[0].name!r} failed: {failed[0].error}"
        else:
            state, message = RunState.CANCELLED, "The run was cancelled."
        runs.set_run_state(tx, context.run_id, state, None if state is RunState.DONE else message)
    made = {RunState.DONE: Completed, RunState.FAILED: Failed, RunState.CANCELLED: Cancelled}[state]
    return made(message=message)


def _prefect_state(end: StepEnd) -> State[None]:
    made = {StepState.DONE: Completed, StepState.FAILED: Failed, StepState.CANCELLED: Cancelled}[end.state]
    return made(message=end.message)


def _prefect_name(name: str) -> str:
    return NAME_PREFECT_REFUSES.sub("-", name)
