"""Fractal's SLURM configuration file, read as a site profile (Fractal 3.3)."""

from __future__ import annotations

import json
import posixpath
from typing import Annotated

from pydantic import AfterValidator, JsonValue, StrictBool, ValidationError

from treadle.errors import SettingsInvalid
from treadle.model.constrained import Text, Value
from treadle.model.problems import listed, problems_of
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Count, MemoryMb, Option, TimeLimit


def _relative(path: str) -> str:
    if posixpath.isabs(path):
        raise ValueError("must be a path inside the cache folder")
    return path


class _Block(Value):
    partition: Option = None
    cpus_per_task: Count | None = None
    mem: MemoryMb | None = None
    constraint: Option = None
    gres: Option = None
    gpus: Option = None
    time: TimeLimit = None
    account: Option = None
    exclude: Option = None
    nodelist: Option = None
    nodes: Option = None
    shebang_line: Text | None = None
    use_mem_per_cpu: StrictBool | None = None
    extra_lines: tuple[str, ...] | None = None
    pre_submission_commands: tuple[str, ...] | None = None

    def table(self) -> dict[str, JsonValue]:
        """Return it as a table of a profile."""
        renamed = {"cpus_per_task": "cpus", "mem": "memory", "extra_lines": "prologue"}
        others = {"shebang_line", "use_mem_per_cpu", "pre_submission_commands"}
        said = self.model_dump(mode="json", exclude=others, exclude_none=True)
        return {renamed.get(name, name): value for name, value in said.items()}


class _Batching(Value):
    target_cpus_per_job: Count
    max_cpus_per_job: Count
    target_mem_per_job: MemoryMb
    max_mem_per_job: MemoryMb
    target_num_jobs: Count
    max_num_jobs: Count


class _File(Value):
    default_slurm_config: _Block
    gpu_slurm_config: _Block | None = None
    batching_config: _Batching
    user_local_exports: dict[Text, Annotated[Text, AfterValidator(_relative)]] | None = None


def fractal_profile(text: str, *, cache_folder: str) -> ClusterProfile:
    """Read Fractal's SLURM configuration file; arguments and errors are those of `fractal_table`."""
    return ClusterProfile.model_validate(fractal_table(text, cache_folder=cache_folder))


def fractal_table(text: str, *, cache_folder: str) -> dict[str, JsonValue]:
    """Read Fractal's SLURM configuration file as the table of a cluster in `treadle.toml`.

    The default block's `time` becomes the time of a job, which serves many units. `target_num_jobs` and
    `pre_submission_commands` are read and have no effect: a pool has as many jobs as it has work for, and
    nothing but SLURM's own commands is run to submit one.

    Args:
        text: The file, as JSON.
        cache_folder: Folder that the paths of `user_local_exports` are relative to.

    Raises:
        SettingsInvalid: It is no such file; every problem is named with its place.
    """
    what = "Fractal's SLURM configuration is not valid"
    try:
        read = _File.model_validate(json.loads(text))
        batching = read.batching_config
        default, gpu = read.default_slurm_config, read.gpu_slurm_config
        defaults = default.table()
        time = defaults.pop("time", None)
        table: dict[str, JsonValue] = {
            "defaults": defaults,
            "gpu": {} if gpu is None else gpu.table(),
            "target_cpus_per_job": batching.target_cpus_per_job,
            "max_cpus_per_job": batching.max_cpus_per_job,
            "target_memory_per_job": batching.target_mem_per_job,
            "max_memory_per_job": batching.max_mem_per_job,
            "max_jobs": batching.max_num_jobs,
            "memory_per_cpu": bool(default.use_mem_per_cpu),
            "exports": {
                name: posixpath.join(cache_folder, path)
                for name, path in (read.user_local_exports or {}).items()
            },
        }
        if time is not None:
            table["job_time"] = time
        if default.shebang_line is not None:
            table["shebang"] = default.shebang_line
        ClusterProfile.model_validate(table)
    except json.JSONDecodeError as error:
        raise SettingsInvalid(f"{what}: it is no JSON: {error}.") from error
    except ValidationError as error:
        raise SettingsInvalid(listed(what, problems_of(error))) from error
    return table
