"""A SLURM job in which a run's driver is, for sites that end long processes where people log in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from treadle.clusters.port import JobStarted
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.script import render
from treadle.clusters.slurm.transports import open_transport
from treadle.clusters.slurm.verdict import JobEnd
from treadle.model.job_shape import JobShape, resolve
from treadle.model.placement import place
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources

T = TypeVar("T")


def driver_shape(profile: ClusterProfile) -> JobShape:
    """Return what the job asks for: what the profile says of drivers, over what it says of all jobs.

    Raises:
        WorkflowInvalid: No job of the cluster may be so.
    """
    one_unit_a_job = profile.model_copy(update={"target_cpus_per_job": None, "target_memory_per_job": None})
    return resolve(place(Resources(), {}, profile, profile.driver).resources, one_unit_a_job)


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
    job_id = _ask(profile, lambda slurm: slurm.submit(script, name=name))
    return JobStarted(
        id=job_id,
        name=name,
        cluster=cluster,
        shape=shape.label,
        cpus=shape.cpus,
        memory_mb=shape.memory_mb,
    )


def end_of(profile: ClusterProfile, job_id: str) -> JobEnd | None:
    """Return how a job ended; None if it has not.

    Raises:
        ControllerAway: SLURM did not answer.
    """
    return _ask(profile, lambda slurm: slurm.ended([job_id])).get(job_id)


def _ask(profile: ClusterProfile, ask: Callable[[Slurm], Coroutine[Any, Any, T]]) -> T:
    async def asked() -> T:
        slurm = Slurm(open_transport(profile))
        try:
            return await ask(slurm)
        finally:
            await slurm.close()

    return asyncio.run(asked())
