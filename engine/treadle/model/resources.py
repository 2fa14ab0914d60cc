"""Resources that units need, read from `meta` (Fractal 1.9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    ValidationError,
)

from treadle.errors import WorkflowInvalid
from treadle.model.constrained import Text, Value
from treadle.model.problems import listed, problems_of
from treadle.model.slurm_time import limit_seconds, limit_text

Count = Annotated[StrictInt, Field(ge=1)]


class Resources(Value):
    """What one unit needs, and what a batch system is told about it.

    Attributes:
        cpus: Number of CPUs.
        memory_mb: Memory in MB of 1000 * 1000 bytes; None leaves it to the cluster.
        needs_gpu: Whether it wants the cluster's GPU settings.
        time: What one unit may take, as SLURM's option has it.
        partition: Where its jobs wait.
        account: Whom its jobs are charged to.
        directives: More options of `sbatch`.
        extra_lines: Lines for the head of a SLURM script.
        tasks_per_job: Units in one SLURM job.
        parallel_tasks_per_job: Units at once in one SLURM job, or on this machine.
        fresh_process: Whether each unit must be a process of its own from the start, never a fork of a warm
            interpreter.
    """

    cpus: Count = 1
    memory_mb: Count | None = None
    needs_gpu: StrictBool = False
    time: Text | None = None
    gres: Text | None = None
    gpus: Text | None = None
    constraint: Text | None = None
    nodelist: Text | None = None
    nodes: Text | None = None
    exclude: Text | None = None
    partition: Text | None = None
    account: Text | None = None
    directives: tuple[str, ...] = ()
    extra_lines: tuple[str, ...] = ()
    tasks_per_job: Count | None = None
    parallel_tasks_per_job: Count | None = None
    fresh_process: StrictBool = False

    @property
    def timeout_seconds(self) -> int | None:
        """What one unit may take; None for no limit."""
        return None if self.time is None else limit_seconds(self.time)

    def with_limits(self, memory_mb: int | None, timeout_seconds: float | None) -> Resources:
        """Return the same but for what one unit may use and take."""
        if (memory_mb, timeout_seconds) == (self.memory_mb, self.timeout_seconds):
            return self
        time = None if timeout_seconds is None else limit_text(timeout_seconds)
        return self.model_copy(update={"memory_mb": memory_mb, "time": time})


_MB_PER_SUFFIX = {"M": 1, "G": 1000, "T": 1000 * 1000}


def _memory(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"([0-9]+)([MGT]?)", value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a whole number of MB, or a string such as '500M', '8G' or '1T'")
    return int(match[1]) * _MB_PER_SUFFIX[match[2] or "M"]


MemoryMb = Annotated[Count, BeforeValidator(_memory)]
"""Memory in MB, read from a number or from a text with a suffix."""


def _flag(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    return value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _refused(_: object) -> object:
    raise ValueError("must not be set here: accounts come from the run or its user")


def _time_limit(value: str | None) -> str | None:
    if value is not None:
        limit_seconds(value)
    return value


Option = Annotated[Text | None, BeforeValidator(_number_as_text)]
"""An option of `sbatch`; a number is taken for its text."""
TimeLimit = Annotated[Option, AfterValidator(_time_limit)]
"""A time limit as SLURM takes it."""


class _Meta(Value):
    """`meta` as packages and workflows write it."""

    model_config = ConfigDict(extra="ignore")

    cpus_per_task: Count = 1
    mem: MemoryMb | None = None
    needs_gpu: Annotated[StrictBool, BeforeValidator(_flag)] = False
    time: TimeLimit = None
    gres: Option = None
    gpus: Option = None
    constraint: Option = None
    nodelist: Option = None
    nodes: Option = None
    exclude: Option = None
    partition: Option = None
    extra_lines: tuple[str, ...] = ()
    tasks_per_job: Count | None = None
    parallel_tasks_per_job: Count | None = None
    fresh_process: Annotated[StrictBool, BeforeValidator(_flag)] = False
    account: Annotated[None, BeforeValidator(_refused)] = None


def overlay_meta(
    task_meta: Mapping[str, JsonValue], step_meta: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Return a task's meta with a step's laid over it; a null takes a value back to its default."""
    return {key: value for key, value in {**task_meta, **step_meta}.items() if value is not None}


class Origin(StrEnum):
    """Who said a value."""

    DEFAULT = "default"
    PROFILE = "profile"
    PROFILE_DEFAULTS = "profile defaults"
    PROFILE_GPU = "profile gpu"
    TASK = "task"
    STEP = "step"
    PROFILE_FORCE = "profile force"
    RUN = "command line"


_FIELD_NAMES = {"cpus_per_task": "cpus", "mem": "memory_mb"}


def origins_of_meta(
    task_meta: Mapping[str, JsonValue], step_meta: Mapping[str, JsonValue]
) -> dict[str, Origin]:
    """Return who said each value of an overlaid meta, by its name in `Resources`."""
    return {
        _FIELD_NAMES.get(key, key): Origin.STEP if key in step_meta else Origin.TASK
        for key in overlay_meta(task_meta, step_meta)
        if key in _Meta.model_fields
    }


def meta_problems(meta: Mapping[str, JsonValue], within: str = "") -> list[str]:
    """Name everything that is wrong with an overlaid meta; `within` is its place."""
    try:
        _Meta.model_validate(meta)
    except ValidationError as error:
        return problems_of(error, within)
    return []


def resources_from_meta(task_meta: Mapping[str, JsonValue], step_meta: Mapping[str, JsonValue]) -> Resources:
    """Read what a unit needs from its task's meta, overlaid by its step's.

    Raises:
        WorkflowInvalid: Names every problem with its key.
    """
    overlaid = overlay_meta(task_meta, step_meta)
    problems = meta_problems(overlaid)
    if problems:
        raise WorkflowInvalid(listed("The resources of the step are not valid", problems))
    meta = _Meta.model_validate(overlaid)
    slurm = meta.model_dump(exclude={"cpus_per_task", "mem", "account"})
    return Resources(cpus=meta.cpus_per_task, memory_mb=meta.mem, **slurm)
