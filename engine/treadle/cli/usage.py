"""What jobs and usage look like, as JSON and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from treadle.cli.output import print_table

if TYPE_CHECKING:
    from treadle.ledger.jobs import JobRow
    from treadle.ledger.runs import RunRecord, RunSummary
    from treadle.model.usage import Usage
    from treadle.runs.usage import RunUsage

SECONDS_PER_HOUR = 3600
OPEN = "not ended"

_FIGURES = (
    "cpu hours",
    "reserved",
    "cpu efficiency",
    "peak memory MB",
    "memory efficiency",
    "queue seconds",
)


def print_jobs(jobs: Sequence[JobRow]) -> None:
    """Print the table of a run's jobs."""
    rows = [
        (
            job.job_id,
            job.state or OPEN,
            job.node,
            job.cpus,
            job.memory_mb,
            job.peak_memory_mb,
            job.queue_seconds,
            job.run_seconds,
        )
        for job in jobs
    ]
    print_table(
        ["job", "state", "node", "cpus", "memory MB", "peak MB", "queue seconds", "run seconds"], rows
    )


def job_documents(jobs: Sequence[JobRow]) -> list[dict[str, object]]:
    """Return jobs as JSON."""
    return [
        {
            "job": job.job_id,
            "name": job.name,
            "cluster": job.cluster,
            "shape": job.shape,
            "state": job.state,
            "text": job.text,
            "node": job.node,
            "cpus": job.cpus,
            "memory_mb": job.memory_mb,
            "peak_memory_mb": job.peak_memory_mb,
            "cpu_seconds": job.cpu_seconds,
            "submitted_at": job.submitted_at,
            "started_at": job.started_at,
            "ended_at": job.ended_at,
            "queue_seconds": job.queue_seconds,
            "run_seconds": job.run_seconds,
        }
        for job in jobs
    ]


def print_usage(run: RunRecord, usage: RunUsage) -> None:
    """Print the table of what a run used."""
    rows = [
        (step.name, *_figures(usage.steps[step.position]))
        for step in run.steps
        if usage.steps[step.position].count
    ]
    rows.append((_counted(usage.units.count, "unit"), *_figures(usage.units)))
    if usage.jobs.count:
        rows.append((_counted(usage.jobs.count, "job"), *_figures(usage.jobs)))
    print_table(["usage", *_FIGURES], rows)


def usage_document(run: RunRecord, usage: RunUsage) -> dict[str, object]:
    """Return what a run used as JSON: by step, of all units, of all ended jobs."""
    return {
        "steps": [{"name": step.name, **_document(usage.steps[step.position])} for step in run.steps],
        "units": _document(usage.units),
        "jobs": _document(usage.jobs),
    }


def print_run_usages(runs: Sequence[RunSummary], usages: Mapping[int, RunUsage], *, empty: str) -> None:
    """Print what runs used, a line for the units and one for the jobs of each, then the sums by owner."""
    from treadle.runs.usage import by_owner

    rows: list[tuple[object, ...]] = []
    for run in runs:
        usage = usages[run.id]
        rows += _kinds((run.id, run.workflow, usage.owner), usage.units, usage.jobs)
    for owner, (number, units, jobs) in by_owner(usages.values()).items():
        rows += _kinds(("all", _counted(number, "run"), owner), units, jobs)
    print_table(["run", "workflow", "owner", "of", *_FIGURES], rows, empty=empty)


def owner_documents(usages: Mapping[int, RunUsage]) -> list[dict[str, object]]:
    """Return what the runs of each owner used as JSON."""
    from treadle.runs.usage import by_owner

    return [
        {"owner": owner, "runs": number, "units": _document(units), "jobs": _document(jobs)}
        for owner, (number, units, jobs) in by_owner(usages.values()).items()
    ]


def run_usage_document(usage: RunUsage) -> dict[str, object]:
    """Return what one of many runs used as JSON."""
    return {"owner": usage.owner, "units": _document(usage.units), "jobs": _document(usage.jobs)}


def _kinds(what: tuple[object, ...], units: Usage, jobs: Usage) -> list[tuple[object, ...]]:
    rows = [(*what, _counted(units.count, "unit"), *_figures(units))]
    if jobs.count:
        rows.append((*what, _counted(jobs.count, "job"), *_figures(jobs)))
    return rows


def _figures(usage: Usage) -> tuple[str | None, ...]:
    return (
        _hours(usage.cpu_seconds if usage.cpu.reserved else None),
        _hours(usage.reserved_cpu_seconds),
        _percent(usage.cpu.efficiency),
        _whole(usage.peak_memory_mb),
        _percent(usage.memory.efficiency),
        _whole(usage.queue_seconds),
    )


def _document(usage: Usage) -> dict[str, object]:
    return {
        "count": usage.count,
        "cpu_hours": usage.cpu_seconds / SECONDS_PER_HOUR,
        "reserved_cpu_hours": usage.reserved_cpu_seconds / SECONDS_PER_HOUR,
        "cpu_efficiency": usage.cpu.efficiency,
        "peak_memory_mb": usage.peak_memory_mb,
        "memory_efficiency": usage.memory.efficiency,
        "queue_seconds": usage.queue_seconds,
    }


def _hours(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    hours = seconds / SECONDS_PER_HOUR
    return f"{hours:.4f}" if hours < 1 else f"{hours:.1f}"


def _percent(part: float | None) -> str | None:
    return None if part is None else f"{part:.0%}"


def _whole(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
