"""Site profiles: what a person or a site says of one cluster, in `[clusters.NAME]` of `treadle.toml`."""

from __future__ import annotations

import posixpath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from treadle.model.constrained import Text, Value
from treadle.model.overlay import NOTHING_SAID, DriverOverlay, Overlay, Word
from treadle.model.resources import Count, MemoryMb
from treadle.model.sbatch_lines import check_line, check_variable
from treadle.model.slurm_time import limit_seconds

LOCAL = "local"
SLURM = "slurm"


def _job_time(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and limit_seconds(value) is None:
        raise ValueError("must end at some time, such as after '01:00:00'")
    return value


def _absolute(path: str) -> str:
    if not posixpath.isabs(path):
        raise ValueError("must be an absolute path, the same on all nodes")
    return path


AbsolutePath = Annotated[Text, AfterValidator(check_line), AfterValidator(_absolute)]
JobTime = Annotated[Text, BeforeValidator(_job_time)]
Variable = Annotated[str, AfterValidator(check_variable)]
Line = Annotated[str, AfterValidator(check_line)]


class SshProfile(Value):
    """How to reach a machine that submits jobs."""

    host: Word = Field(description="machine to submit from", min_length=1)
    user: Word | None = Field(None, description="who to be there; unset: as here")
    port: int = Field(22, ge=1, le=65535, description="port of its SSH server")
    key_file: AbsolutePath | None = Field(None, description="private key; unset: as `ssh` finds it")
    known_hosts: AbsolutePath | None = Field(None, description="keys of hosts; unset: as `ssh` finds them")


class ClusterProfile(Value):
    """What Treadle knows of one cluster.

    What a unit gets are its `defaults`; over them `gpu`, where it needs one; what its task and step say;
    `force`; and what the run itself says (`treadle.model.placement`).
    """

    kind: Literal["local", "slurm"] = Field("slurm", description="`slurm`; `local` is this machine alone")
    defaults: Overlay = Field(NOTHING_SAID, description="resources where neither task nor step says any")
    gpu: Overlay = Field(NOTHING_SAID, description="laid over the defaults for units that need a GPU")
    force: Overlay = Field(
        NOTHING_SAID, description="laid over what task and step say; an empty text takes away"
    )
    driver: DriverOverlay = Field(
        DriverOverlay(), description="resources of the job that drives a run, with `--driver job`"
    )
    target_cpus_per_job: Count | None = Field(
        None, description="units share a job up to so many CPUs; unset: one unit a job"
    )
    target_memory_per_job: MemoryMb | None = Field(None, description="and up to so much memory")
    max_cpus_per_job: Count | None = Field(None, description="no job has more CPUs")
    max_memory_per_job: MemoryMb | None = Field(None, description="no job has more memory")
    max_jobs: Count = Field(10, description="jobs of a run at once, waiting ones included")
    max_cores: Count | None = Field(None, description="CPUs of a run's jobs at once")
    job_time: JobTime = Field(
        "01:00:00", description="what a job asks for, if none of its units may take longer"
    )
    max_time: JobTime | None = Field(None, description="no job may ask for more time")
    worker_memory: MemoryMb = Field(
        300, description="memory that a job has beside that of its units, for the worker"
    )
    memory_per_cpu: bool = Field(False, description="ask for memory with --mem-per-cpu")
    shebang: Annotated[Text, StringConstraints(pattern=r"^#!/\S[^\r\n]*$")] = Field(
        "#!/bin/bash", description="first line of a job's script"
    )
    exports: dict[Variable, Line] = Field(
        default_factory=dict, description="environment variables of each job, taken literally"
    )
    python: AbsolutePath | None = Field(
        None, description="interpreter with Treadle on the nodes; unset: the one that runs here"
    )
    host: Text | None = Field(
        None, description="address under which nodes reach this machine; unset: its name"
    )
    interface: Text | None = Field(None, description="network interface that nodes reach this machine by")
    shared_folder: AbsolutePath | None = Field(
        None, description="folder that this machine and all nodes see; unset: the home folder"
    )
    local_directory: AbsolutePath | None = Field(
        None, description="folder on a node for the worker's own files"
    )
    idle_seconds: float = Field(30, ge=0, description="a job without work ends after it")
    start_seconds: float = Field(300, gt=0, description="a worker that has not found its run by then ends")
    submit_interval_seconds: float = Field(0.2, ge=0, description="between two submissions")
    poll_seconds: float = Field(2, gt=0, description="between two questions to SLURM while things change")
    poll_seconds_max: float = Field(60, gt=0, description="and while nothing does")
    ssh: SshProfile | None = Field(None, description="submit from another machine")

    @model_validator(mode="after")
    def _nothing_is_asked_of_this_machine(self) -> Self:
        fields = type(self).model_fields.items()
        said = [
            name
            for name, field in fields
            if name != "kind" and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        if self.kind == "local" and said:
            raise ValueError(
                f"is this machine, which has no {said[0]}; its one value is the setting `workers`"
            )
        return self

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        pairs = [
            ("target_cpus_per_job", "max_cpus_per_job"),
            ("target_memory_per_job", "max_memory_per_job"),
            ("poll_seconds", "poll_seconds_max"),
        ]
        for lower, upper in pairs:
            least, most = getattr(self, lower), getattr(self, upper)
            if least is not None and most is not None and least > most:
                raise ValueError(f"has a {lower} of {least:g}, more than its {upper} of {most:g}")
        if self.max_seconds is not None and self.job_seconds > self.max_seconds:
            raise ValueError(f"has a job_time of {self.job_time}, more than its max_time of {self.max_time}")
        return self

    @property
    def job_seconds(self) -> int:
        """What a job asks for at least."""
        return limit_seconds(self.job_time) or 0

    @property
    def max_seconds(self) -> int | None:
        """What a job may ask for at most."""
        return None if self.max_time is None else limit_seconds(self.max_time)


THIS_MACHINE = ClusterProfile(kind="local")
