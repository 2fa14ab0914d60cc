"""Resources that units need, read from `meta` (Fractal 1.9)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from treadle.model.constrained import Text, Value

Count = Annotated[StrictInt, Field(ge=1)]


class Resources(Value):
    """What one unit needs, and what a batch system is told about it.

    Attributes:
        cpus: Number of CPUs.
        memory_mb: Memory in MB of 1000 * 1000 bytes; None leaves it to the cluster.
        needs_gpu: Whether it wants the cluster's GPU settings.
        extra_lines: Lines for the head of a SLURM script.
        tasks_per_job: Units in one SLURM job.
        parallel_tasks_per_job: Units at once in one SLURM job, or on this machine.
    """

    cpus: Count = 1
    memory_mb: Count | None = None
    needs_gpu: bool = False
    time: Text | None = None
    gres: Text | None = None
    gpus: Text | None = None
    constraint: Text | None = None
    nodelist: Text | None = None
    nodes: Text | None = None
    exclude: Text | None = None
    extra_lines: tuple[str, ...] = ()
    tasks_per_job: Count | None = None
    parallel_tasks_per_job: Count | None = None
