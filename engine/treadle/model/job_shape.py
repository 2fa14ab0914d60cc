"""The shape of a SLURM job, as it follows from what its units need and what its cluster allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

from treadle.errors import WorkersUnavailable
from treadle.model.constrained import Value
from treadle.model.problems import listed
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources
from treadle.model.sbatch_lines import check_directive, check_word, split_lines
from treadle.model.slurm_time import limit_text

T = TypeVar("T")

MINUTE = 60
WORDS = ("partition", "account", "constraint", "gres", "gpus", "nodelist", "exclude", "nodes")


class JobShape(Value):
    """What one SLURM job asks for; jobs of equal shapes are workers of one pool.

    Attributes:
        slots: Units at once.
        cpus: CPUs of the job.
        memory_mb: Memory of the job in MB of 1000 * 1000 bytes; None leaves it to SLURM.
        memory_per_cpu: Whether that is asked for CPU by CPU.
        time_seconds: Its time limit, in whole minutes.
        directives: Further options, without `#SBATCH`.
        prologue: Shell lines that come before the worker.
        exports: Environment variables and their literal values.
        shebang: First line of the script.
    """

    slots: int
    cpus: int
    memory_mb: int | None
    memory_per_cpu: bool = False
    time_seconds: int
    partition: str | None = None
    account: str | None = None
    constraint: str | None = None
    gres: str | None = None
    gpus: str | None = None
    nodelist: str | None = None
    exclude: str | None = None
    nodes: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    exports: tuple[tuple[str, str], ...] = ()
    shebang: str = "#!/bin/bash"

    @property
    def label(self) -> str:
        """What it is to people: `2 cpus, 4.3 GB, 01:00:00, short`."""
        cpus = f"{self.cpus} cpu{'s' if self.cpus > 1 else ''}"
        memory = None if self.memory_mb is None else f"{self.memory_mb / 1000:g} GB"
        time = limit_text(self.time_seconds).removeprefix("0-")
        gpus = f"gpus {self.gpus}" if self.gpus else self.gres
        return ", ".join(word for word in (cpus, memory, time, self.partition, gpus, self.constraint) if word)


def resolve(resources: Resources, profile: ClusterProfile) -> JobShape:
    """Return the job for units of these resources.

    Args:
        resources: What a unit gets on that cluster, as `treadle.model.placement` has it.
        profile: The cluster.

    Raises:
        WorkersUnavailable: No job of that cluster may be so; every reason is named.
    """
    problems = shape_problems(resources, profile)
    if problems:
        raise WorkersUnavailable(listed("No job of the cluster can run such units", problems))
    slots, _ = units_at_once(resources, profile)
    directives, prologue = split_lines(resources.extra_lines)
    return JobShape(
        slots=slots,
        cpus=resources.cpus * slots,
        memory_mb=_memory_mb(resources, profile, slots),
        memory_per_cpu=profile.memory_per_cpu,
        time_seconds=time_of_job(resources, profile)[0],
        directives=tuple(dict.fromkeys(resources.directives + directives)),
        prologue=prologue,
        exports=tuple(sorted(profile.exports.items())),
        shebang=profile.shebang,
        **{name: getattr(resources, name) for name in WORDS},
    )


def units_at_once(resources: Resources, profile: ClusterProfile) -> tuple[int, str]:
    """Return how many units share a job, and which value decided it.

    What the task or step says holds; units that need a GPU go one by one (Fractal 1.9); else as many as reach
    the cluster's targets and keep within its limits.
    """
    if resources.needs_gpu:
        return 1, "needs_gpu"
    if resources.parallel_tasks_per_job is not None:
        all_of_them = resources.tasks_per_job or resources.parallel_tasks_per_job
        return min(
            (resources.parallel_tasks_per_job, "parallel_tasks_per_job"), (all_of_them, "tasks_per_job")
        )
    wanted = _fits(resources, profile, "target_cpus_per_job", "target_memory_per_job")
    if not wanted:
        return 1, "default"
    allowed = _fits(resources, profile, "max_cpus_per_job", "max_memory_per_job", "max_cores")
    return max((1, "default"), min(wanted + allowed, key=lambda count: count[0]))


def _fits(resources: Resources, profile: ClusterProfile, *names: str) -> list[tuple[int, str]]:
    """Return how many units keep within each of these values of a profile, of those that are known."""
    pairs = [
        (getattr(profile, name), resources.memory_mb if "memory" in name else resources.cpus, name)
        for name in names
    ]
    return [(whole // each, name) for whole, each, name in pairs if whole is not None and each is not None]


def time_of_job(resources: Resources, profile: ClusterProfile) -> tuple[int, str]:
    """Return a job's time limit in seconds, and which value decided it.

    It is time for the longest unit to be begun and to end, in whole minutes, as SLURM counts.
    """
    seconds: tuple[float, str] = (profile.job_seconds, "job_time")
    if resources.timeout_seconds is not None:
        seconds = max(seconds, (resources.timeout_seconds + profile.start_seconds, "time of a unit"))
    if profile.max_seconds is not None:
        seconds = min(seconds, (profile.max_seconds, "max_time"))
    return math.ceil(seconds[0] / MINUTE) * MINUTE, seconds[1]


def jobs_at_most(shape: JobShape, profile: ClusterProfile, units: int | None) -> int:
    """Return how many jobs of a shape the limits allow and the units fill; None is any number of units."""
    limits = [profile.max_jobs]
    if profile.max_cores is not None:
        limits.append(profile.max_cores // shape.cpus)
    if units is not None:
        limits.append(math.ceil(units / shape.slots))
    return max(1, min(limits))


def shape_problems(resources: Resources, profile: ClusterProfile) -> list[str]:
    """Name everything that keeps units of these resources from a cluster."""
    return [*_limit_problems(resources, profile), *_text_problems(resources)]


def _limit_problems(resources: Resources, profile: ClusterProfile) -> Iterator[str]:
    both = (resources.tasks_per_job, resources.parallel_tasks_per_job)
    if both.count(None) == 1:
        yield "tasks_per_job and parallel_tasks_per_job: one needs the other"
        return
    slots, _ = units_at_once(resources, profile)
    who = "a unit has" if slots == 1 else f"{slots} units of a job have"
    cpus, most_cpus = resources.cpus * slots, profile.max_cpus_per_job
    if most_cpus is not None and cpus > most_cpus:
        yield f"{who} {cpus} CPUs, more than max_cpus_per_job of the cluster, {most_cpus}"
    if profile.max_cores is not None and cpus > profile.max_cores:
        yield f"{who} {cpus} CPUs, more than max_cores of the cluster, {profile.max_cores}"
    memory, most_memory = (resources.memory_mb or 0) * slots, profile.max_memory_per_job
    if most_memory is not None and memory > most_memory:
        yield f"{who} {memory} MB, more than max_memory_per_job of the cluster, {most_memory} MB"
    time, most_time = resources.timeout_seconds, profile.max_seconds
    if time is not None and most_time is not None and time > most_time:
        yield f"a unit may take {resources.time}, longer than max_time of the cluster, {profile.max_time}"


def _text_problems(resources: Resources) -> Iterator[str]:
    for name in WORDS:
        if (value := getattr(resources, name)) is not None:
            yield from _refusals(name, check_word, value)
    for directive in resources.directives:
        yield from _refusals("directives", check_directive, directive)
    yield from _refusals("extra_lines", split_lines, resources.extra_lines)


def _refusals(name: str, check: Callable[[T], object], value: T) -> Iterator[str]:
    try:
        check(value)
    except ValueError as error:
        yield f"{name}: {error}"


def _memory_mb(resources: Resources, profile: ClusterProfile, slots: int) -> int | None:
    if resources.memory_mb is None:
        return None
    wanted = resources.memory_mb * slots + profile.worker_memory
    return wanted if profile.max_memory_per_job is None else min(wanted, profile.max_memory_per_job)
