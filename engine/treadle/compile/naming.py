"""What Prefect calls a run: names it takes, and tags by which people find the run."""

from __future__ import annotations

import re

from treadle.model.plan import Plan

NAME_PREFECT_REFUSES = re.compile(r"[/%&><]")


def prefect_name(name: str) -> str:
    """Return a name with what Prefect refuses in it replaced."""
    return NAME_PREFECT_REFUSES.sub("-", name)


def flow_run_name(plan: Plan, run_id: int) -> str:
    """Return the name of a run's flow run."""
    return f"{prefect_name(plan.workflow.name)} {run_id}"


def flow_run_tags(plan: Plan, run_id: int) -> list[str]:
    """Return the tags of a run's flow run: its workflow, its dataset, and its number as `run:7`."""
    return [plan.workflow.name, plan.dataset, f"run:{run_id}"]
