"""What `treadle run --plan` says of jobs on a cluster, and what a run's own resources do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

Prepare = Callable[..., tuple[str, str]]

PROFILE = """
[clusters.slurm]
max_jobs = 6
max_cpus_per_job = 8
target_cpus_per_job = 4
job_time = "02:00:00"
exports = {SITE = "it's ours"}

[clusters.slurm.defaults]
partition = "short"
memory = "1G"
prologue = ["module load python"]

[clusters.slurm.gpu]
partition = "gpu"
gpus = 1

[clusters.slurm.force]
account = "lab"
"""


def step(task: str, meta: dict[str, Any], **args: object) -> dict[str, Any]:
    part = "non_parallel" if task == "Create Items" else "parallel"
    ref = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": task}
    return {"task": ref, f"args_{part}": args, f"meta_{part}": meta}


@pytest.fixture
def profile(treadle: Command) -> Iterator[None]:
    """A home folder whose treadle.toml describes a cluster."""
    file = treadle.home / "treadle.toml"
    file.write_text(PROFILE)
    yield
    file.unlink()


def check_script(script: str, folder: Path) -> None:
    """A shell takes it."""
    file = folder / "job.sh"
    file.write_text(script)
    subprocess.run(["bash", "-n", str(file)], check=True)


@pytest.mark.usefixtures("profile")
def test_the_plan_has_each_jobs_script_and_says_who_said_what(
    treadle: Command, prepare: Prepare, tmp_path: Path
) -> None:
    # Given a step of two CPUs and one that needs a GPU
    workflow, dataset = prepare(
        step("Create Items", {}, count=3),
        step("Act on Item", {"cpus_per_task": 2, "time": "00:30:00"}),
        step("Mark Item", {"needs_gpu": True, "extra_lines": ["#SBATCH --exclusive", "module load cuda"]}),
    )
    words = ["run", workflow, "--dataset", dataset, "--plan", "--cluster", "slurm", "--memory", "2G"]

    # When its plan is asked for, with more memory
    plan = treadle(*words).data
    text = treadle(*words, as_json=False).stdout

    # Then each part has its jobs, and each value the one who said it
    assert plan["cluster"] == "slurm"
    create, act, mark = plan["steps"]
    jobs = act["jobs"]["parallel"]
    assert jobs["class"] == "4 cpus, 4.3 GB, 02:00:00, short"
    assert (jobs["at_most"], jobs["each"]["slots"]) == (6, 2)
    assert jobs["origins"] == {"slots": "target_cpus_per_job", "time_seconds": "job_time"}
    assert act["origins"]["parallel"] == {
        "account": ["profile force"],
        "cpus": ["step"],
        "extra_lines": ["profile defaults"],
        "memory_mb": ["command line"],
        "partition": ["profile defaults"],
        "time": ["step"],
    }
    assert (create["jobs"]["non_parallel"]["at_most"], create["jobs"]["non_parallel"]["each"]["cpus"]) == (
        1,
        1,
    )
    assert (mark["jobs"]["parallel"]["each"]["gpus"], mark["jobs"]["parallel"]["each"]["slots"]) == ("1", 1)

    # And the script is what sbatch would read
    script = mark["jobs"]["parallel"]["script"]
    assert "#SBATCH -p gpu\n#SBATCH -A lab\n" in script
    assert "#SBATCH --mem=2194M\n#SBATCH -t 0-02:00:00\n#SBATCH --gpus=1\n" in script
    assert "#SBATCH --exclusive\n" in script
    assert "module load python\nmodule load cuda\nexec " in script
    for found in (create, act, mark):
        for part in found["jobs"].values():
            check_script(part["script"], tmp_path)

    # And people read the same: each kind of job once
    assert "on the cluster 'slurm'" in text
    assert "cpus=2 (step), memory_mb=2000 (command line), time=00:30:00 (step), partition=short" in text
    assert "at most 6, each 4 cpus, 4.3 GB, 02:00:00, short: 2 units at once by target_cpus_per_job" in text
    assert text.count("#!/bin/bash") == 3
    assert "   #SBATCH --mem=2194M" in text


@pytest.mark.usefixtures("profile")
def test_what_no_job_of_the_cluster_may_be_is_refused_before_anything_is_submitted(
    treadle: Command, prepare: Prepare
) -> None:
    workflow, dataset = prepare(
        step("Create Items", {"cpus_per_task": 9}), step("Mark Item", {"tasks_per_job": 2})
    )
    words = ["run", workflow, "--dataset", dataset, "--cluster", "slurm"]
    before = len(treadle("runs", "--limit", "1000").data["runs"])
    answer = treadle(*words, code=2).stderr
    assert 'step "Create Items", non_parallel: a unit has 9 CPUs, more than max_cpus_per_job' in answer
    assert 'step "Mark Item", parallel: tasks_per_job and parallel_tasks_per_job: one needs' in answer
    assert len(treadle("runs", "--limit", "1000").data["runs"]) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "pbs"], "There is no cluster 'pbs'.\nChoose one of local, slurm"),
        (["--partition", "short"], "This machine knows no partition of a run"),
        (["--cluster", "slurm", "--memory", "much"], "--memory: must be a whole number of MB"),
        (["--cluster", "slurm", "--partition", "a b"], "--partition: 'a b' must be one word"),
        (["--cluster", "slurm", "--directive", "--output=x"], "Treadle itself sets --output"),
        (["--time", "soon"], "--time: must be a time limit"),
    ],
)
def test_a_place_or_a_resource_that_cannot_be_is_a_mistake_of_the_caller(
    treadle: Command, prepare: Prepare, words: list[str], said: str
) -> None:
    workflow, dataset = prepare(step("Create Items", {}))
    assert said in treadle("run", workflow, "--dataset", dataset, "--plan", *words, code=2).stderr


def test_resources_of_a_run_hold_for_its_units_on_this_machine_too(
    treadle: Command, prepare: Prepare
) -> None:
    """The step's own limit would end the unit; the run's does not, and it holds when the run is resumed."""
    # Given a step whose units may take a second, and take longer
    workflow, dataset = prepare(
        step("Create Items", {}, count=1), step("Act on Item", {"time": "0:01"}, sleep_seconds=3)
    )
    words = ["run", workflow, "--dataset", dataset]

    # When it runs as it is, and with more time
    refused = treadle(*words, code=1).data
    granted = treadle(*words, "--time", "00:05:00", "--from", "Act on Item").data

    # Then the one fails and the other is done, and both are resumed as they were begun
    assert [entry["state"] for entry in refused["steps"]] == ["done", "failed"]
    assert granted["state"] == "done"
    again = treadle("resume", str(refused["id"]), code=1).data
    assert [entry["state"] for entry in again["steps"]] == ["done", "failed"]
    plan = json.dumps(treadle(*words, "--time", "00:05:00", "--from", "Act on Item", "--plan").data)
    assert '"time": "00:05:00"' in plan
    assert '["command line"]' in plan
