"""What runs used of what was reserved for them: by step, by run, by owner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from treadle.ledger import Transaction, usage
from treadle.ledger.jobs import JobRow
from treadle.model.plan import Plan
from treadle.model.task import Part
from treadle.model.usage import UnitSums, Usage, job_usage, units_usage

NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What one run used.

    Attributes:
        owner: Whom it belongs to.
        steps: What the units of each step used, by its place in the plan; the queue is that of the jobs whose
            first unit was of the step.
        units: What all units used, as their processes were measured.
        jobs: What all ended jobs used, as the batch system tells.
    """

    owner: str
    steps: Mapping[int, Usage]
    units: Usage
    jobs: Usage


def usage_of_run(tx: Transaction, run_id: int) -> RunUsage:
    """Return what a run has used so far, step by step."""
    return _usages(tx, [run_id], usage.first_steps(tx, run_id))[run_id]


def usage_of_runs(tx: Transaction, run_ids: Collection[int]) -> dict[int, RunUsage]:
    """Return what runs have used so far, without telling which step waited for jobs."""
    return _usages(tx, run_ids, {})


def by_owner(usages: Iterable[RunUsage]) -> dict[str, tuple[int, Usage, Usage]]:
    """Return, by owner, how many of these runs are theirs, and what units and jobs of those used."""
    sums: dict[str, tuple[int, Usage, Usage]] = defaultdict(lambda: (0, NOTHING, NOTHING))
    for one in usages:
        runs, units, jobs = sums[one.owner]
        sums[one.owner] = (runs + 1, units + one.units, jobs + one.jobs)
    return dict(sorted(sums.items()))


def _usages(tx: Transaction, run_ids: Collection[int], first_steps: Mapping[str, int]) -> dict[int, RunUsage]:
    sums, jobs = usage.unit_sums(tx, run_ids), usage.jobs_of_runs(tx, run_ids)
    plans, owners = usage.plans_of(tx, run_ids), usage.owners_of(tx, run_ids)
    return {
        run_id: _usage(owners[run_id], plans[run_id], sums[run_id], jobs[run_id], first_steps)
        for run_id in run_ids
    }


def _usage(
    owner: str,
    plan: Plan,
    sums: Mapping[tuple[int, Part], UnitSums],
    jobs: Sequence[JobRow],
    first_steps: Mapping[str, int],
) -> RunUsage:
    steps = dict.fromkeys(range(len(plan.steps)), NOTHING)
    for (position, part), summed in sums.items():
        steps[position] += units_usage(summed, plan.steps[position].resources[part])
    units = sum(steps.values(), start=NOTHING)
    for job in jobs:
        if job.name in first_steps and job.queue_seconds is not None:
            steps[first_steps[job.name]] += Usage(queue_seconds=job.queue_seconds)
    return RunUsage(owner, steps, units, sum((_job_usage(job) for job in jobs), start=NOTHING))


def _job_usage(job: JobRow) -> Usage:
    if job.state is None:
        return NOTHING
    return job_usage(
        cpus=job.cpus,
        memory_mb=job.memory_mb,
        queue_seconds=job.queue_seconds,
        run_seconds=job.run_seconds,
        cpu_seconds=job.cpu_seconds,
        peak_memory_mb=job.peak_memory_mb,
    )
