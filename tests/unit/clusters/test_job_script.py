"""The script of a job, word by word."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from treadle.clusters.slurm.script import render
from treadle.model.job_shape import JobShape, resolve, shape_problems
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources
from treadle.testing import strategies

SMALL = JobShape(slots=1, cpus=1, memory_mb=None, time_seconds=3600)
FULL = JobShape(
    slots=2,
    cpus=4,
    memory_mb=8300,
    time_seconds=90_000,
    partition="short",
    account="lab",
    constraint="[rack1|rack2]&fast",
    gres="gpu:1",
    gpus="1",
    nodelist="n[1-2]",
    exclude="n3",
    directives=("--qos=long", "--no-requeue=x"),
    prologue=("module load a", 'export B="$HOME/b"'),
    exports=(("A", "it's $HOME; rm"),),
    shebang="#!/bin/sh",
)


def test_a_job_that_asks_for_everything_is_this_script() -> None:
    command = ["/opt/python 3/bin/python", "-P", "-m", "treadle", "$(rm)", "it's"]
    assert render(FULL, name="treadle-7", command=command, log_file="/shared/my logs/%j.log") == (
        "#!/bin/sh\n"
        "\n"
        "#SBATCH -J treadle-7\n"
        "#SBATCH -p short\n"
        "#SBATCH -A lab\n"
        "#SBATCH -n 1\n"
        "#SBATCH --cpus-per-task=4\n"
        "#SBATCH --mem=7916M\n"
        "#SBATCH -t 1-01:00:00\n"
        "#SBATCH --constraint=[rack1|rack2]&fast\n"
        "#SBATCH --gres=gpu:1\n"
        "#SBATCH --gpus=1\n"
        "#SBATCH --nodelist=n[1-2]\n"
        "#SBATCH --exclude=n3\n"
        "#SBATCH --nodes=1\n"
        "#SBATCH --qos=long\n"
        "#SBATCH --no-requeue=x\n"
        "#SBATCH --output='/shared/my logs/%j.log'\n"
        "#SBATCH --no-requeue\n"
        "export A='it'\"'\"'s $HOME; rm'\n"
        "module load a\n"
        'export B="$HOME/b"\n'
        "exec '/opt/python 3/bin/python' -P -m treadle '$(rm)' 'it'\"'\"'s'\n"
    )


def test_a_job_that_asks_for_nothing_leaves_memory_and_partition_to_slurm() -> None:
    script = render(SMALL, name="j", command=["true"], log_file="/l/%j")
    assert "--mem" not in script
    assert "#SBATCH -p" not in script
    assert "#SBATCH -A" not in script
    assert script.endswith("#SBATCH --nodes=1\n#SBATCH --output=/l/%j\n#SBATCH --no-requeue\n\nexec true\n")


@pytest.mark.parametrize(("megabytes", "mebibytes"), [(1, 1), (1000, 954), (8000, 7630), (16_000, 15_259)])
def test_memory_is_whole_mebibytes_rounded_up(megabytes: int, mebibytes: int) -> None:
    shape = SMALL.model_copy(update={"memory_mb": megabytes})
    assert f"#SBATCH --mem={mebibytes}M\n" in render(shape, name="j", command=["x"], log_file="l")


def test_memory_can_be_asked_for_cpu_by_cpu() -> None:
    shape = FULL.model_copy(update={"memory_per_cpu": True})
    script = render(shape, name="j", command=["x"], log_file="l")
    assert "#SBATCH --mem-per-cpu=1979M\n" in script
    assert "--mem=" not in script


@pytest.mark.parametrize(
    ("name", "command", "log_file"),
    [
        ("a b", ["x"], "l"),
        ("a\n#SBATCH --wrap=x", ["x"], "l"),
        ("j", ["x", "y\nrm -r z"], "l"),
        ("j", ["x"], "l\n#SBATCH -p q"),
    ],
)
def test_nothing_that_is_given_can_become_a_line_of_its_own(
    name: str, command: list[str], log_file: str
) -> None:
    with pytest.raises(ValueError, match="must be one"):
        render(SMALL, name=name, command=command, log_file=log_file)


@given(
    strategies.resources(),
    strategies.cluster_profiles(),
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])), min_size=1, max_size=3),
)
def test_a_shell_reads_the_command_and_the_exports_as_they_were_given(
    resources: Resources, profile: ClusterProfile, command: list[str]
) -> None:
    assume(not shape_problems(resources, profile))
    shape = resolve(resources, profile)
    script = render(shape, name="j", command=command, log_file="/l/%j")
    body = [line for line in script.splitlines()[1:] if line and not line.startswith("#SBATCH ")]
    assert shlex.split(body[-1]) == ["exec", *command]
    exports = [f"{name}={value}" for name, value in shape.exports]
    assert [shlex.split(line) for line in body[: len(exports)]] == [["export", word] for word in exports]
    assert tuple(body[len(exports) : -1]) == shape.prologue


def run_python(code: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={
            "HOME": str(home),
            "DASK_JOBQUEUE__SLURM__QUEUE": "theirs",
            "DASK_JOBQUEUE__SLURM__EXTRA": "['-x']",
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


SCRIPT_OF_A_THREAD = """
import signal, threading
from treadle.clusters.slurm.script import render
from treadle.model.job_shape import JobShape

before = signal.getsignal(signal.SIGINT)
def make():
    shape = JobShape(slots=1, cpus=1, memory_mb=None, time_seconds=60)
    print(render(shape, name="j", command=["x"], log_file="l"))
thread = threading.Thread(target=make)
thread.start()
thread.join()
assert signal.getsignal(signal.SIGINT) is before
import dask_jobqueue.runner
assert dask_jobqueue.runner.Role.worker
"""


def test_a_script_can_be_made_in_a_thread_and_changes_neither_ctrl_c_nor_the_library(tmp_path: Path) -> None:
    """Settings for other clusters, in Dask's configuration, are not those of ours."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    script = run_python(SCRIPT_OF_A_THREAD, tmp_path)
    assert script.startswith("#!/bin/bash\n")
    assert script.endswith("exec x\n\n")
    assert "theirs" not in script


def test_the_room_is_imported_without_dask_jobqueue(tmp_path: Path) -> None:
    code = "import sys, treadle.clusters.slurm.script; print('dask_jobqueue' in sys.modules)"
    assert run_python(code, tmp_path) == "False\n"
