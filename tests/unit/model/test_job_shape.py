"""What a SLURM job asks for, from what its units need and what its cluster allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from treadle.errors import WorkersUnavailable
from treadle.model.job_shape import (
    JobShape,
    jobs_at_most,
    resolve,
    shape_problems,
    time_of_job,
    units_at_once,
)
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources
from treadle.testing import strategies

PROFILE = ClusterProfile(
    target_cpus_per_job=8,
    max_cpus_per_job=16,
    target_memory_per_job=32_000,
    max_memory_per_job=64_000,
    max_time="1-0",
    max_cores=40,
)


def test_a_cluster_of_which_nothing_is_known_gets_a_job_of_one_unit() -> None:
    assert resolve(Resources(), ClusterProfile()) == JobShape(
        slots=1, cpus=1, memory_mb=None, time_seconds=3600
    )


@pytest.mark.parametrize(
    ("needed", "slots", "who"),
    [
        ({"cpus": 1}, 8, "target_cpus_per_job"),
        ({"cpus": 3}, 2, "target_cpus_per_job"),
        ({"cpus": 12}, 1, "default"),
        ({"cpus": 1, "memory_mb": 8000}, 4, "target_memory_per_job"),
        ({"cpus": 4, "memory_mb": 8000}, 2, "target_cpus_per_job"),
        ({"cpus": 1, "memory_mb": 40_000}, 1, "default"),
        ({"cpus": 1, "needs_gpu": True}, 1, "needs_gpu"),
        ({"cpus": 2, "tasks_per_job": 10, "parallel_tasks_per_job": 5}, 5, "parallel_tasks_per_job"),
        ({"cpus": 2, "tasks_per_job": 3, "parallel_tasks_per_job": 5}, 3, "tasks_per_job"),
        ({"cpus": 2, "tasks_per_job": 4, "parallel_tasks_per_job": 4, "needs_gpu": True}, 1, "needs_gpu"),
    ],
)
def test_units_share_a_job_up_to_the_targets(needed: dict[str, Any], slots: int, who: str) -> None:
    """What task or step say holds; units on a GPU go one by one (Fractal 1.9)."""
    resources = Resources(**needed)
    shape = resolve(resources, PROFILE)
    assert (shape.slots, shape.cpus) == (slots, slots * resources.cpus)
    assert units_at_once(resources, PROFILE) == (slots, who)


def test_a_job_has_memory_for_its_units_and_its_worker_but_no_more_than_it_may() -> None:
    assert resolve(Resources(memory_mb=8000), PROFILE).memory_mb == 4 * 8000 + 300
    assert resolve(Resources(memory_mb=63_900), PROFILE).memory_mb == 64_000
    assert resolve(Resources(memory_mb=100), ClusterProfile(worker_memory=50)).memory_mb == 150


@pytest.mark.parametrize(
    ("time", "seconds", "who"),
    [
        (None, 3600, "job_time"),
        ("infinite", 3600, "job_time"),
        ("30", 3600, "job_time"),
        ("02:00:00", 7500, "time of a unit"),
        ("02:00:01", 7560, "time of a unit"),
        ("1-0", 86_400, "max_time"),
    ],
)
def test_a_job_lives_long_enough_to_begin_and_end_its_longest_unit(
    time: str | None, seconds: int, who: str
) -> None:
    assert resolve(Resources(time=time), PROFILE).time_seconds == seconds
    assert time_of_job(Resources(time=time), PROFILE) == (seconds, who)


def test_everything_else_is_passed_on() -> None:
    resources = Resources(
        partition="gpu",
        account="lab",
        constraint="a100",
        gres="gpu:1",
        gpus="1",
        nodelist="n1",
        exclude="n2",
        nodes="1",
        needs_gpu=True,
        directives=("--qos=long",),
        extra_lines=("#SBATCH --exclusive", "module load cuda", "#SBATCH --qos=long"),
    )
    shape = resolve(resources, ClusterProfile(exports={"B": "2", "A": "1 x"}, memory_per_cpu=True))
    assert shape.model_dump(exclude={"slots", "cpus", "memory_mb", "time_seconds"}) == {
        "partition": "gpu",
        "account": "lab",
        "constraint": "a100",
        "gres": "gpu:1",
        "gpus": "1",
        "nodelist": "n1",
        "exclude": "n2",
        "nodes": "1",
        "directives": ("--qos=long", "--exclusive"),
        "prologue": ("module load cuda",),
        "exports": (("A", "1 x"), ("B", "2")),
        "memory_per_cpu": True,
        "shebang": "#!/bin/bash",
    }


@pytest.mark.parametrize(
    ("needed", "problem"),
    [
        ({"cpus": 17}, "a unit has 17 CPUs, more than max_cpus_per_job of the cluster, 16"),
        ({"memory_mb": 64_001}, "a unit has 64001 MB, more than max_memory_per_job of the cluster, 64000 MB"),
        ({"time": "2-0"}, "a unit may take 2-0, longer than max_time of the cluster, 1-0"),
        ({"tasks_per_job": 2}, "tasks_per_job and parallel_tasks_per_job: one needs the other"),
        ({"parallel_tasks_per_job": 2}, "tasks_per_job and parallel_tasks_per_job: one needs the other"),
        (
            {"cpus": 5, "tasks_per_job": 4, "parallel_tasks_per_job": 4},
            "4 units of a job have 20 CPUs, more than max_cpus_per_job of the cluster, 16",
        ),
        (
            {"memory_mb": 20_000, "tasks_per_job": 4, "parallel_tasks_per_job": 4},
            "4 units of a job have 80000 MB, more than max_memory_per_job of the cluster, 64000 MB",
        ),
        ({"constraint": "a b"}, "constraint: 'a b' must be one word"),
        ({"extra_lines": ("#SBATCH --output=x",)}, "extra_lines: '--output=x': Treadle itself sets --output"),
    ],
)
def test_what_no_job_may_be_is_refused_by_name(needed: dict[str, Any], problem: str) -> None:
    """A maximum is a hard limit, for one unit and for what task or step ask for together (Fractal 1.9)."""
    with pytest.raises(WorkersUnavailable) as caught:
        resolve(Resources(**needed), PROFILE)
    assert problem in caught.value.what


def test_no_job_has_more_cpus_than_all_jobs_may() -> None:
    assert shape_problems(Resources(cpus=41), ClusterProfile(max_cores=40)) == [
        "a unit has 41 CPUs, more than max_cores of the cluster, 40"
    ]


@given(strategies.resources(), strategies.cluster_profiles())
def test_a_job_that_is_not_refused_keeps_within_the_limits(
    resources: Resources, profile: ClusterProfile
) -> None:
    assume(not shape_problems(resources, profile))
    shape = resolve(resources, profile)
    assert shape.slots == units_at_once(resources, profile)[0] >= 1
    assert shape.cpus == resources.cpus * shape.slots
    assert shape.cpus <= (profile.max_cpus_per_job or shape.cpus)
    assert shape.cpus <= (profile.max_cores or shape.cpus)
    assert (shape.memory_mb is None) == (resources.memory_mb is None)
    if shape.memory_mb is not None and resources.memory_mb is not None:
        assert resources.memory_mb * shape.slots <= shape.memory_mb
        assert shape.memory_mb <= (profile.max_memory_per_job or shape.memory_mb)
    assert shape.time_seconds % 60 == 0
    assert shape.time_seconds >= max(profile.job_seconds, resources.timeout_seconds or 0)
    assert shape == resolve(resources, profile)
    assert len({shape, resolve(resources, profile)}) == 1


def test_units_share_a_job_within_its_limits_where_a_target_would_break_them() -> None:
    profile = ClusterProfile(target_cpus_per_job=8, max_memory_per_job=32_000, max_cores=20)
    assert units_at_once(Resources(memory_mb=10_000), profile) == (3, "max_memory_per_job")
    assert units_at_once(Resources(memory_mb=40_000), profile) == (1, "default")
    by_memory = ClusterProfile(target_memory_per_job=8000, max_cpus_per_job=16)
    assert units_at_once(Resources(), by_memory) == (1, "default")


@given(strategies.resources(), strategies.cluster_profiles())
def test_a_unit_that_a_job_could_run_alone_is_never_refused(
    resources: Resources, profile: ClusterProfile
) -> None:
    """Targets are preferences (Fractal 1.9)."""
    resources = resources.model_copy(update={"tasks_per_job": None, "parallel_tasks_per_job": None})
    alone = profile.model_copy(update={"target_cpus_per_job": None, "target_memory_per_job": None})
    assert bool(shape_problems(resources, profile)) == bool(shape_problems(resources, alone))


@given(strategies.resources(), strategies.cluster_profiles(), st.none() | st.integers(1, 10_000))
def test_jobs_are_as_many_as_limits_allow_and_units_fill(
    resources: Resources, profile: ClusterProfile, units: int | None
) -> None:
    assume(not shape_problems(resources, profile))
    shape = resolve(resources, profile)
    jobs = jobs_at_most(shape, profile, units)
    assert 1 <= jobs <= profile.max_jobs
    assert jobs * shape.cpus <= (profile.max_cores or jobs * shape.cpus)
    if units is not None:
        assert (jobs - 1) * shape.slots < units


def test_the_label_says_what_people_ask_for() -> None:
    shape = JobShape(slots=2, cpus=2, memory_mb=4300, time_seconds=1800, partition="short")
    assert shape.label == "2 cpus, 4.3 GB, 00:30:00, short"
    assert JobShape(slots=1, cpus=1, memory_mb=None, time_seconds=90_000, gpus="1").label == (
        "1 cpu, 1-01:00:00, gpus 1"
    )
