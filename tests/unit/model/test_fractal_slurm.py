"""Fractal's SLURM configuration file."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from treadle.errors import SettingsInvalid
from treadle.model.fractal_slurm import fractal_profile
from treadle.model.overlay import NOTHING_SAID, Overlay
from treadle.model.placement import place
from treadle.model.resources import Resources

FILE: dict[str, Any] = {
    "default_slurm_config": {
        "partition": "main",
        "cpus_per_task": 1,
        "mem": "1G",
        "constraint": "ib",
        "time": "02:00:00",
        "account": "lab",
        "extra_lines": ["#SBATCH --hint=nomultithread", "module load a"],
        "pre_submission_commands": ["module load slurm"],
        "shebang_line": "#!/bin/sh",
        "use_mem_per_cpu": True,
    },
    "gpu_slurm_config": {
        "partition": "gpu",
        "gres": "gpu:1",
        "mem": 9000,
        "extra_lines": ["module load cuda"],
    },
    "batching_config": {
        "target_cpus_per_job": 8,
        "max_cpus_per_job": 16,
        "target_mem_per_job": "32G",
        "max_mem_per_job": 64_000,
        "target_num_jobs": 4,
        "max_num_jobs": 12,
    },
    "user_local_exports": {"CELLPOSE_LOCAL_MODELS_PATH": "CELLPOSE"},
}


def read(document: dict[str, Any]) -> Any:
    return fractal_profile(json.dumps(document), cache_folder="/home/ana/.cache")


def test_it_becomes_a_profile() -> None:
    profile = read(FILE)
    assert profile.defaults == Overlay(
        partition="main",
        cpus=1,
        memory=1000,
        constraint="ib",
        account="lab",
        prologue=("#SBATCH --hint=nomultithread", "module load a"),
    )
    assert profile.gpu == Overlay(partition="gpu", gres="gpu:1", memory=9000, prologue=("module load cuda",))
    assert profile.force == NOTHING_SAID
    assert (profile.target_cpus_per_job, profile.max_cpus_per_job) == (8, 16)
    assert (profile.target_memory_per_job, profile.max_memory_per_job) == (32_000, 64_000)
    assert (profile.max_jobs, profile.job_seconds) == (12, 7200)
    assert (profile.shebang, profile.memory_per_cpu) == ("#!/bin/sh", True)
    assert profile.exports == {"CELLPOSE_LOCAL_MODELS_PATH": "/home/ana/.cache/CELLPOSE"}


def test_a_step_beats_the_gpu_block_which_beats_the_default_block() -> None:
    """Fractal 1.9."""
    profile = read(FILE)
    placed = place(Resources(needs_gpu=True, gres="gpu:2"), {}, profile, NOTHING_SAID).resources
    assert (placed.partition, placed.memory_mb, placed.gres) == ("gpu", 9000, "gpu:2")
    assert (placed.constraint, placed.account) == ("ib", "lab")
    assert placed.extra_lines == ("module load cuda",)


def test_only_what_is_required_is_enough() -> None:
    document = {"default_slurm_config": {}, "batching_config": FILE["batching_config"]}
    profile = read(document | {"gpu_slurm_config": None, "user_local_exports": None})
    assert profile == read(document)
    assert (profile.defaults, profile.job_seconds) == (NOTHING_SAID, 3600)


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("colour",), "red", "colour: is not a known key"),
        (("default_slurm_config", "qos"), "x", "default_slurm_config.qos: is not a known key"),
        (("batching_config", "max_jobs"), 1, "batching_config.max_jobs: is not a known key"),
        (("batching_config", "max_num_jobs"), None, "batching_config.max_num_jobs: must be a whole number"),
        (("default_slurm_config",), None, "default_slurm_config: must be an object, found null"),
        (("gpu_slurm_config", "mem"), "1K", "gpu_slurm_config.mem: must be a whole number of MB"),
        (("gpu_slurm_config", "partition"), "a b", "gpu.partition: 'a b' must be one word"),
        (
            ("user_local_exports", "A"),
            "/root",
            "user_local_exports.A: must be a path inside the cache folder",
        ),
    ],
)
def test_what_it_cannot_be_is_named_with_its_place(
    place: tuple[str, ...], value: object, problem: str
) -> None:
    document = copy.deepcopy(FILE)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(SettingsInvalid) as caught:
        read(document)
    assert problem in caught.value.what


@pytest.mark.parametrize("missing", [*FILE["batching_config"]])
def test_all_six_values_of_batching_are_required(missing: str) -> None:
    document = copy.deepcopy(FILE)
    del document["batching_config"][missing]
    with pytest.raises(SettingsInvalid, match=f"batching_config.{missing}: is required"):
        read(document)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match=r"it is no JSON: .* line 1"):
        fractal_profile("{", cache_folder="/c")
