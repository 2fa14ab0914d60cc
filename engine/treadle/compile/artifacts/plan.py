"""A run's plan, as people read it in Prefect before and while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from treadle.compile.artifacts.links import log_path, timeline_path
from treadle.compile.artifacts.markdown import clipped, code, link, plain, table
from treadle.ledger.runs import RunRecord
from treadle.model.plan import Plan, PlannedStep
from treadle.model.plan_rows import step_rows
from treadle.model.profile import ClusterProfile
from treadle.model.task import Part

LONGEST_VALUE = 400
HIDDEN = "hidden"


def plan_text(run: RunRecord, profile: ClusterProfile) -> str:
    """Return a plan as markdown, with links to the run's logs and timeline.

    Values of arguments that their schema calls secret are left out.

    Args:
        run: The run, with the plan as it was made.
        profile: The plan's cluster.
    """
    plan = run.plan
    lines = [
        f"# Run {run.id}: {plain(plan.workflow.name)} on {plain(plan.dataset)}",
        "- results in " + code(plan.zarr_dir),
        f"- {link('what units printed', log_path(run.id))}, {link('timeline', timeline_path(run.id))}",
        f"- cluster {code(plan.cluster)}",
    ]
    if plan.attribute_filters:
        lines.append("- items where " + code(json.dumps(plan.attribute_filters)))
    if plan.type_filters:
        lines.append("- items of types " + code(json.dumps(plan.type_filters)))
    for number, planned in enumerate(plan.steps, start=1):
        rows = [(plain(name), _cell(value)) for name, value in _rows(plan, planned, profile)]
        lines += ["", f"## {number}. {plain(planned.step.name)}", "", table(["", ""], rows)]
    lines += ["", f"On the command line: {code(f'treadle show {run.id}')}"]
    return "\n".join(lines)


def _rows(plan: Plan, planned: PlannedStep, profile: ClusterProfile) -> Iterator[tuple[str, object]]:
    secret = {part: _secrets(planned, part) for part in planned.resources}
    for name, value in step_rows(plan, planned, profile):
        part = next((part for part in secret if secret[part] and name == f"{part} arguments"), None)
        if part is None:
            yield name, value
        else:
            shown = {
                key: HIDDEN if key in secret[part] else at for key, at in planned.step.args(part).items()
            }
            yield name, json.dumps(shown)


def _secrets(planned: PlannedStep, part: Part) -> frozenset[str]:
    schema = planned.task.task.part(part).args_schema or {}
    properties = schema.get("properties")
    found = properties.items() if isinstance(properties, dict) else ()
    return frozenset(
        name
        for name, said in found
        if isinstance(said, dict) and (said.get("format") == "password" or said.get("writeOnly") is True)
    )


def _cell(value: object) -> str:
    return plain(clipped(str(value), LONGEST_VALUE))
