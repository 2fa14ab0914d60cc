"""A SLURM job in which a run's driver is, for sites that end long processes where people log in."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from treadle.clusters.port import JobStarted
from treadle.clusters.slurm.asking import ask_slurm
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.script import render
from treadle.clusters.slurm.verdict import JobEnd
from treadle.clusters.slurm.waiting import check_waiting
from treadle.errors import WorkersUnavailable
from treadle.model.job_shape import MINUTE, JobShape, resolve
from treadle.model.placement import place
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources


def driver_shape(profile: ClusterProfile) -> JobShape:
    """Return what the job asks for: what the profile says of drivers, over what it says of all jobs.

    Raises:
        WorkflowInvalid: No job of the cluster may be so.
    """
    one_unit_a_job = profile.model_copy(update={"target_cpus_per_job": None, "target_memory_per_job": None})
    resources = place(Resources(), {}, profile, profile.driver).resources
    shape = resolve(resources.with_limits(resources.memory_mb, None), one_unit_a_job)
    seconds = resources.timeout_seconds or profile.job_seconds
    return shape.model_copy(update={"time_seconds": math.ceil(seconds / MINUTE) * MINUTE})


def submit_driver(
    profile: ClusterProfile,
    cluster: str,
    run_id: int,
    command: Sequence[str],
    *,
    variables: Mapping[str, str],
    output: Path,
) -> JobStarted:
    """Submit a job that drives a run. SLURM starts it again if its node fails, and it goes on.

    Args:
        profile: The cluster.
        cluster: What the user calls it.
        run_id: The run.
        command: What drives it, to the end or on from where it is.
        variables: Of that command; no secrets, for the script holds them.
        output: File for what it prints.

    Raises:
        SubmissionRefused: SLURM took no job.
        ControllerAway: SLURM did not answer.
    """
    name = f"treadle-driver-{run_id}-{secrets.token_hex(4)}"
    shape = driver_shape(profile)
    exports = tuple(sorted({**dict(shape.exports), **variables}.items()))
    script = render(
        shape.model_copy(update={"exports": exports}),
        name=name,
        command=command,
        log_file=str(output),
        requeue=True,
    )
    job_id = ask_slurm(profile, lambda slurm: slurm.submit(script, name=name))
    return JobStarted(
        id=job_id,
        name=name,
        cluster=cluster,
        shape=shape.label,
        cpus=shape.cpus,
        memory_mb=shape.memory_mb,
    )


def end_of(profile: ClusterProfile, job_id: str) -> JobEnd | None:
    """Return how a job ended; None if it runs, or will.

    Raises:
        ControllerAway: SLURM did not answer.
        WorkersUnavailable: It waits for what will not come by itself; it is cancelled.
    """

    async def look(slurm: Slurm) -> JobEnd | None:
        waiting = (await slurm.queue([job_id])).get(job_id)
        try:
            if waiting is not None:
                check_waiting(waiting)
        except WorkersUnavailable:
            await slurm.cancel([job_id])
            raise
        return (await slurm.ended([job_id])).get(job_id)

    return ask_slurm(profile, look)
