"""What plans look like, as JSON and as text: for a cluster with each job, its script and who said what."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from treadle.cli.output import print_line
from treadle.model.placement import place_part
from treadle.model.plan_rows import PlannedJobs, planned_jobs, step_rows
from treadle.model.profile import LOCAL

if TYPE_CHECKING:
    from treadle.model.job_shape import JobShape
    from treadle.model.plan import Plan, PlannedStep
    from treadle.model.profile import ClusterProfile
    from treadle.settings import Settings

WIDTH = 24


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
        for name, value in step_rows(plan, planned, profile):
            print_line(f"   {name + ':':<{WIDTH}} {value}")
        for part in sorted(planned.resources):
            if jobs := planned_jobs(place_part(plan, planned, part, profile), planned, part, profile):
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
        "cache": planned.reuse,
        "type_filters": planned.type_filters,
        "or_types": planned.or_types,
        "arguments": {part: planned.step.args(part) for part in placed},
        "resources": {part: found.resources for part, found in placed.items()},
        "origins": {part: found.origins for part, found in placed.items()},
        "jobs": {
            part: _jobs_document(jobs, profile, settings)
            for part, found in placed.items()
            if (jobs := planned_jobs(found, planned, part, profile))
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


def _script(shape: JobShape, profile: ClusterProfile, settings: Settings) -> str:
    from treadle.clusters.slurm.script import preview

    folder = f"{profile.shared_folder or settings.home}/clusters"
    return preview(shape, python=profile.python or sys.executable, folder=folder)
