"""Runs that a process drives by itself, as flow runs of a deployment: Prefect can then retry them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from treadle.compile.context import RunContext
from treadle.compile.form_cache import cache_of
from treadle.compile.form_values import values_of
from treadle.compile.naming import flow_run_name, flow_run_tags, prefect_name
from treadle.ledger import runs
from treadle.model.plan import Plan
from treadle.runs.deployments.deployed import deployments_of, prefect_client

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun


def new_deployed_run(context: RunContext) -> FlowRun | None:
    """Make a flow run of the workflow's deployment for a run that has had no flow run yet.

    No worker takes it, as it is not scheduled: the caller calls it. Retried in Prefect, it finds the run
    again by its key.

    Returns:
        The flow run; None where the workflow has no deployment, or the run has had a flow run.

    Raises:
        ServerError: Prefect's server did not answer.
    """
    from prefect.client.schemas.actions import DeploymentFlowRunCreate
    from prefect.client.schemas.objects import FlowRun
    from prefect.states import Pending, to_state_create

    plan, run_id = context.plan, context.run_id
    with context.ledger.reading() as tx:
        if runs.prefect_run_of(tx, run_id) is not None:
            return None
    with prefect_client() as client:
        name = plan.workflow.name
        found = deployments_of(client, prefect_name(name), name)
        if not found:
            return None
        form = found[0].parameter_openapi_schema or {}
        wanted = DeploymentFlowRunCreate(
            name=flow_run_name(name, run_id),
            parameters=_parameters(plan, form),
            tags=flow_run_tags(plan, run_id),
            state=to_state_create(Pending()),
            enforce_parameter_schema=False,  # the plan is checked, by the workflow and datasets of now
        )
        answer = client.request(
            "POST",
            "/deployments/{id}/create_flow_run",
            path_params={"id": found[0].id},
            json=wanted.model_dump(mode="json", exclude_unset=True),
        )
        made = FlowRun.model_validate(answer.json())
    with context.ledger.writing() as tx:
        runs.give_key(tx, run_id, str(made.id))
    return made


def _parameters(plan: Plan, form: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the values with which the form makes the same plan, but for filters, which it has not."""
    given = {name: value for name, value in plan.overrides if name in {"cpus", "partition", "time"} and value}
    if plan.overrides.memory:
        given["memory"] = str(plan.overrides.memory)
    return {
        "workflow": plan.workflow.name,
        "dataset": plan.dataset,
        "steps": values_of(plan.workflow, {step.step.task: step.task for step in plan.steps}),
        "cluster": plan.cluster,
        "resources": given,
        **_cache(plan, form),
        **_span(plan, form),
    }


def _cache(plan: Plan, form: dict[str, JsonValue]) -> dict[str, JsonValue]:
    properties = form.get("properties")
    if not isinstance(properties, dict) or "cache" not in properties:  # it is of an earlier Treadle
        return {}
    held = cache_of(plan.workflow, {step.step.task: step.task for step in plan.steps})
    return {"cache": {**held}}


def _span(plan: Plan, form: dict[str, JsonValue]) -> dict[str, JsonValue]:
    names = [step.step.name for step in plan.steps]
    properties = form.get("properties")
    shown = properties.get("steps") if isinstance(properties, dict) else None
    steps = shown.get("properties") if isinstance(shown, dict) else None
    if not names or not isinstance(steps, dict) or set(names) == set(steps):
        return {}
    return {"first_step": names[0], "last_step": names[-1]}
