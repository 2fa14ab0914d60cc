"""Site profiles, as `[clusters.NAME]` has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from treadle.model.overlay import Overlay
from treadle.model.problems import problems_of
from treadle.model.profile import THIS_MACHINE, ClusterProfile
from treadle.testing import strategies


@given(strategies.cluster_profiles())
def test_a_profile_survives_json(profile: ClusterProfile) -> None:
    assert ClusterProfile.model_validate_json(profile.model_dump_json()) == profile


def test_a_profile_that_says_nothing_is_one_of_slurm_with_limits() -> None:
    profile = ClusterProfile()
    assert (profile.kind, profile.max_jobs, profile.job_seconds, profile.max_seconds) == (
        "slurm",
        10,
        3600,
        None,
    )
    assert profile.defaults == profile.gpu == profile.force == Overlay()


def test_memory_and_times_are_read_as_people_write_them() -> None:
    profile = ClusterProfile.model_validate(
        {
            "target_memory_per_job": "8G",
            "max_memory_per_job": 16_000,
            "job_time": 30,
            "max_time": "1-0",
            "defaults": {"memory": "500M", "time": 5, "gpus": 1, "cpus": 2},
        }
    )
    assert (profile.target_memory_per_job, profile.max_memory_per_job) == (8000, 16_000)
    assert (profile.job_seconds, profile.max_seconds) == (1800, 86_400)
    assert profile.defaults == Overlay(memory=500, time="5", gpus="1", cpus=2)


def test_an_empty_text_says_that_there_is_to_be_none() -> None:
    overlay = Overlay(constraint="", partition="short", memory=100, prologue=())
    assert overlay.given() == {
        "constraint": None,
        "partition": "short",
        "memory_mb": 100,
        "extra_lines": None,
    }
    assert Overlay().given() == {}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"partition": "short"}, "partition: is not a known key"),
        ({"defaults": {"qos": "x"}}, "defaults.qos: is not a known key"),
        ({"defaults": {"partition": "a b"}}, "defaults.partition: 'a b' must be one word"),
        ({"defaults": {"cpus": 0}}, "defaults.cpus: must be 1 or more"),
        ({"force": {"time": "soon"}}, "force.time: must be a time limit"),
        ({"force": {"memory": "8g"}}, "force.memory: must be a whole number of MB"),
        ({"gpu": {"directives": ["qos=x"]}}, "gpu.directives[0]: 'qos=x' must be one line"),
        ({"gpu": {"prologue": ["#SBATCH -J x"]}}, "gpu.prologue: '-J x': Treadle itself sets -J"),
        ({"job_time": "0"}, "job_time: must end at some time"),
        ({"job_time": "2:00:00", "max_time": "1:00:00"}, "more than its max_time of 1:00:00"),
        ({"target_cpus_per_job": 8, "max_cpus_per_job": 4}, "has a target_cpus_per_job of 8, more than"),
        ({"shebang": "bash"}, "shebang: "),
        ({"shebang": "#!/bin/sh\nrm"}, "shebang: "),
        ({"exports": {"A B": "x"}}, "exports.A B: 'A B' must be the name"),
        ({"exports": {"A": "x\ny"}}, "exports.A: must be one line"),
        ({"python": "python3"}, "python: must be an absolute path"),
        ({"max_jobs": 0}, "max_jobs: must be 1 or more"),
        ({"ssh": {"host": "-oProxyCommand=x"}}, "ssh.host: '-oProxyCommand=x' must be one word"),
        ({"ssh": {}}, "ssh.host: is required"),
        ({"kind": "local", "max_jobs": 2}, "is this machine, which has no max_jobs"),
        ({"kind": "pbs"}, "kind: must be one of"),
    ],
)
def test_what_a_profile_cannot_be_is_named_with_its_place(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ClusterProfile.model_validate(table)
    assert problem in "\n".join(problems_of(caught.value)).replace('["A B"]', ".A B")


def test_this_machine_has_a_profile_too() -> None:
    assert THIS_MACHINE.kind == "local"
    assert ClusterProfile.model_validate_json(THIS_MACHINE.model_dump_json()) == THIS_MACHINE
