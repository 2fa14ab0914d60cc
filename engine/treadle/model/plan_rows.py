"""Plans in words: what each step would do, for people, wherever they read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from treadle.model.job_shape import JobShape, jobs_at_most, resolve, time_of_job, units_at_once
from treadle.model.placement import Placed, place_part
from treadle.model.plan import Plan, PlannedStep
from treadle.model.profile import LOCAL, ClusterProfile
from treadle.model.reuse import reuse_text
from treadle.model.task import Part

Row = tuple[str, object]
"""A name, and what is so called."""


@dataclass(frozen=True, slots=True)
class PlannedJobs:
    """The jobs that run one part of a step.

    Attributes:
        shape: What each of them asks for.
        most: How many there are at once, at most.
        origins: Which value decided what is not a resource of a unit.
    """

    shape: JobShape
    most: int
    origins: Mapping[str, str]


def planned_jobs(
    placed: Placed, planned: PlannedStep, part: Part, profile: ClusterProfile
) -> PlannedJobs | None:
    """Return the jobs of a part; None on this machine, which has none."""
    if profile.kind == LOCAL:
        return None
    shape = resolve(placed.resources, profile)
    units = 1 if part is Part.NON_PARALLEL else planned.units
    origins = {
        "slots": units_at_once(placed.resources, profile)[1],
        "time_seconds": time_of_job(placed.resources, profile)[1],
    }
    return PlannedJobs(shape, jobs_at_most(shape, profile, units), origins)


def step_rows(plan: Plan, planned: PlannedStep, profile: ClusterProfile) -> Iterator[Row]:
    """Yield what is known of a step: its task, its items and units, then each part of the task.

    Args:
        plan: The plan, as it was made.
        planned: One of its steps.
        profile: The plan's cluster.
    """
    task = planned.task.task
    yield "task", f"{task.name} ({task.type}) of {task.package} {task.version}"
    yield "environment", planned.task.installed.environment
    yield "needs", ", ".join(planned.step.needs) or "nothing before it"
    yield "items", _filters_text(planned)
    yield "units", "known when earlier steps are done" if planned.units is None else planned.units
    yield "cache", reuse_text(planned.step.cache, task)
    for part in sorted(planned.resources):
        placed = place_part(plan, planned, part, profile)
        yield f"{part} arguments", json.dumps(planned.step.args(part))
        yield f"{part} resources", _resources_text(placed)
        if jobs := planned_jobs(placed, planned, part, profile):
            yield f"{part} jobs", _jobs_text(jobs)


def _filters_text(planned: PlannedStep) -> str:
    if planned.task.task.type.is_converter:
        return "none taken, it makes them"
    types = " or ".join(
        ", ".join(f"{name}={str(value).lower()}" for name, value in alternative.items())
        for alternative in (planned.type_filters, *planned.or_types)
    )
    return f"those with {types}" if types else "all"


def _jobs_text(jobs: PlannedJobs) -> str:
    slots = f"{jobs.shape.slots} unit{'s' if jobs.shape.slots > 1 else ''} at once"
    why = f"{slots} by {jobs.origins['slots']}, time by {jobs.origins['time_seconds']}"
    return f"at most {jobs.most}, each {jobs.shape.label}: {why}"


def _resources_text(placed: Placed) -> str:
    """All that is not a default, and what somebody took away."""
    said = placed.resources.model_dump(exclude_defaults=True, mode="json")
    taken = {name: "none" for name in placed.origins if getattr(placed.resources, name) is None}
    values = {"cpus": placed.resources.cpus, **said, **taken}
    return ", ".join(f"{name}={value} ({_who(placed, name)})" for name, value in values.items())


def _who(placed: Placed, name: str) -> str:
    return " + ".join(placed.origins.get(name, ("default",)))
