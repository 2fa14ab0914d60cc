"""What plans look like, as JSON and as text: for a cluster with each job, its script and who said what."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle.cli.output import print_line
from treadle.model.job_shape import JobShape, jobs_at_most, resolve, time_of_job, units_at_once
from treadle.model.placement import Placed, place_part
from treadle.model.profile import LOCAL
from treadle.model.task import Part

if TYPE_CHECKING:
    from treadle.model.plan import Plan, PlannedStep
    from treadle.model.profile import ClusterProfile
    from treadle.settings import Settings

WIDTH = 24


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


def plan_document(plan: Plan, settings: Settings) -> dict[str, object]:
    """Return a plan as JSON, step by step; on a cluster with the jobs of each part and their scripts."""
    profile = settings.cluster(plan.cluster)
    return {
        "workflow": plan.workflow.name,
        "dataset": plan.dataset,
        "zarr_dir": plan.zarr_dir,
        "cluster": plan.cluster,
        "attribute_filters": plan.attribute_filters,
        "type_filters": plan.type_filters,
        "steps": [_step_document(plan, planned, profile, settings) for planned in plan.steps],
    }


def print_plan(plan: Plan, settings: Settings) -> None:
    """Print what a run would do, and on a cluster the script of each kind of job."""
    profile = settings.cluster(plan.cluster)
    print_line(f"Workflow {plan.workflow.name!r} on dataset {plan.dataset!r} in {plan.zarr_dir}")
    if plan.attribute_filters:
        print_line(f"items where {json.dumps(plan.attribute_filters)}")
    if profile.kind != LOCAL:
        print_line(f"on the cluster {plan.cluster!r}")
    users: dict[JobShape, list[str]] = {}
    for number, planned in enumerate(plan.steps, start=1):
        print_line()
        print_line(f"{number}. {planned.step.name}")
        for name, value in (*_step_rows(planned), *_part_rows(plan, planned, profile)):
            print_line(f"   {name + ':':<{WIDTH}} {value}")
        for part in sorted(planned.resources):
            if jobs := _jobs(place_part(plan, planned, part, profile), planned, part, profile):
                users.setdefault(jobs.shape, []).append(f"{planned.step.name} ({part})")
    for shape, names in users.items():
        print_line()
        print_line(f"Each job of {shape.label}, for {', '.join(names)}:")
        print_line()
        for line in _script(shape, profile, settings).rstrip().splitlines():
            print_line(f"   {line}".rstrip())


def _step_document(
    plan: Plan, planned: PlannedStep, profile: ClusterProfile, settings: Settings
) -> dict[str, object]:
    task = planned.task.task
    placed = {part: place_part(plan, planned, part, profile) for part in sorted(planned.resources)}
    return {
        "name": planned.step.name,
        "task": task.name,
        "type": task.type,
        "package": task.package,
        "version": task.version,
        "environment": planned.task.installed.environment,
        "needs": planned.step.needs,
        "units": planned.units,
        "type_filters": planned.type_filters,
        "or_types": planned.or_types,
        "arguments": {part: planned.step.args(part) for part in placed},
        "resources": {part: found.resources for part, found in placed.items()},
        "origins": {part: found.origins for part, found in placed.items()},
        "jobs": {
            part: _jobs_document(jobs, profile, settings)
            for part, found in placed.items()
            if (jobs := _jobs(found, planned, part, profile))
        },
    }


def _jobs_document(jobs: PlannedJobs, profile: ClusterProfile, settings: Settings) -> dict[str, object]:
    return {
        "class": jobs.shape.label,
        "at_most": jobs.most,
        "each": jobs.shape,
        "origins": jobs.origins,
        "script": _script(jobs.shape, profile, settings),
    }


def _jobs(placed: Placed, planned: PlannedStep, part: Part, profile: ClusterProfile) -> PlannedJobs | None:
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


def _script(shape: JobShape, profile: ClusterProfile, settings: Settings) -> str:
    from treadle.clusters.slurm.script import preview

    folder = f"{profile.shared_folder or settings.home}/clusters"
    return preview(shape, python=profile.python or sys.executable, folder=folder)


def _step_rows(planned: PlannedStep) -> list[tuple[str, object]]:
    task = planned.task.task
    return [
        ("task", f"{task.name} ({task.type}) of {task.package} {task.version}"),
        ("environment", planned.task.installed.environment),
        ("needs", ", ".join(planned.step.needs) or "nothing before it"),
        ("items", _filters_text(planned)),
        ("units", "known when earlier steps are done" if planned.units is None else planned.units),
    ]


def _part_rows(plan: Plan, planned: PlannedStep, profile: ClusterProfile) -> Iterator[tuple[str, object]]:
    for part in sorted(planned.resources):
        placed = place_part(plan, planned, part, profile)
        yield f"{part} arguments", json.dumps(planned.step.args(part))
        yield f"{part} resources", _resources_text(placed)
        if jobs := _jobs(placed, planned, part, profile):
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
