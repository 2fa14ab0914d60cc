"""The exact script of a job, as dask-jobqueue writes it; nothing else of dask-jobqueue is used."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Protocol

from treadle.model.job_shape import JobShape
from treadle.model.sbatch_lines import check_line, check_word
from treadle.model.slurm_time import limit_text

BYTES_PER_MB = 1000 * 1000
BYTES_PER_MIB = 1024 * 1024

_SECTION = "treadle"
_LOOKED_UP = (
    "account cores death-timeout env-extra extra header-skip interface job-cpu job-extra "
    "job-extra-directives job-mem job-script-prologue local-directory log-directory memory name "
    "processes project python queue shebang walltime worker-command worker-extra-args"
)


def render(shape: JobShape, *, name: str, command: Sequence[str], log_file: str) -> str:
    """Return the script of a job, for `sbatch` to read from standard input.

    Whatever is given here is one word to the shell; shell text are the lines of `shape.prologue` alone.

    Args:
        shape: What the job asks for.
        name: Name of the job.
        command: Words of the worker's command; it takes the shell's place.
        log_file: Where both streams go; `%j` stands for the job's id.

    Raises:
        ValueError: The name is not one word, or a word or the path has a control character.
    """
    for word in (*command, log_file):
        check_line(word)
    exports = (f"export {variable}={shlex.quote(value)}" for variable, value in shape.exports)
    job = _job_class()(
        command=f"exec {shlex.join(command)}",
        job_name=check_word(name),
        queue=shape.partition,
        account=shape.account,
        job_cpu=shape.cpus,
        job_mem=None if shape.memory_mb is None else f"{_mebibytes(shape.memory_mb)}M",
        job_directives_skip=["#SBATCH --mem="] if shape.memory_mb is None or shape.memory_per_cpu else [],
        walltime=limit_text(shape.time_seconds),
        job_extra_directives=list(_directives(shape, log_file)),
        job_script_prologue=[*exports, *shape.prologue],
        shebang=shape.shebang,
    )
    return job.job_script()


def worker_command(python: str, folder: str, name: str, shape: JobShape) -> list[str]:
    """Return the words that start a worker in a job.

    Args:
        python: Interpreter that has Treadle, on the nodes.
        folder: The cluster's private folder on storage that the nodes share.
        name: Name of the job and of its worker.
        shape: What the job asks for.
    """
    module = "treadle.clusters.slurm.worker"
    return [python, "-P", "-m", module, folder, name, str(shape.slots), str(shape.time_seconds)]


def preview(shape: JobShape, *, python: str, folder: str) -> str:
    """Return a job's script before there is a run; its name stands for those that the jobs will have."""
    name = "treadle-RUN-JOB"
    own = f"{folder}/treadle-RUN"
    command = worker_command(python, own, name, shape)
    return render(shape, name=name, command=command, log_file=f"{own}/{name}.out")


def _directives(shape: JobShape, log_file: str) -> Iterator[str]:
    """Of an option that occurs twice SLURM takes the last: those that must hold come last."""
    if shape.memory_mb is not None and shape.memory_per_cpu:
        yield f"--mem-per-cpu={_mebibytes(shape.memory_mb / shape.cpus)}M"
    for option in ("constraint", "gres", "gpus", "nodelist", "exclude"):
        if value := getattr(shape, option):
            yield f"--{option}={value}"
    yield f"--nodes={shape.nodes or 1}"
    yield from shape.directives
    yield "--no-requeue"
    yield f"--output={shlex.quote(log_file)}"


def _mebibytes(megabytes: float) -> int:
    return math.ceil(megabytes * BYTES_PER_MB / BYTES_PER_MIB)


class _Job(Protocol):
    def __init__(self, *, command: str, **options: object) -> None: ...

    def job_script(self) -> str: ...


@cache
def _job_class() -> type[_Job]:
    """Import dask-jobqueue, which takes a second, and have its job write our command.

    What a job is not given it looks up in Dask's configuration; a section of our own, in which nothing is
    set, keeps a person's settings for other clusters out of the script.
    """
    import dask.config

    with _without_runner():
        from dask_jobqueue.slurm import SLURMJob
    dask.config.update_defaults({"jobqueue": {_SECTION: dict.fromkeys(_LOOKED_UP.split())}})

    class WorkerJob(SLURMJob):
        """A job that is only written: it is submitted and watched elsewhere."""

        def __init__(self, *, command: str, **options: object) -> None:
            unused = {"cores": 1, "processes": 1, "memory": "1MB", "worker_extra_args": []}
            super().__init__(config_name=_SECTION, **unused, **options)  # type: ignore[no-untyped-call]  # it has no types
            self._command_template = command

    return WorkerJob


@contextmanager
def _without_runner() -> Iterator[None]:
    """Keep a module of dask-jobqueue from being imported: it takes Ctrl-C over, and fails in a thread.

    Issues 667 and 696 of dask-jobqueue. What others import later is the module itself.
    """
    name = "dask_jobqueue.runner"
    if name in sys.modules:
        yield
        return
    standing_in = ModuleType(name)
    vars(standing_in).update(Role=object, BaseRunner=object)
    sys.modules[name] = standing_in
    try:
        yield
    finally:
        del sys.modules[name]
