"""Who has the last word about what a unit gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from treadle.errors import UsageError, WorkflowInvalid
from treadle.model.overlay import NOTHING_SAID, Overlay
from treadle.model.placement import check_run, place, place_part, place_plan
from treadle.model.plan import Plan, PlannedStep
from treadle.model.profile import THIS_MACHINE, ClusterProfile
from treadle.model.resources import Origin, Resources, origins_of_meta, resources_from_meta
from treadle.model.task import Installed, InstalledTask, Part, Task, TaskPart, TaskType
from treadle.model.workflow import Step, Workflow
from treadle.testing import strategies


def planned_step(task_meta: dict[str, Any], step_meta: dict[str, Any]) -> PlannedStep:
    part = TaskPart(executable="a.py", meta=task_meta)
    task = Task(package="p", version="1", name="A", type=TaskType.PARALLEL, parallel=part)
    installed = Installed(environment="e", python="/python", root="/root")
    return PlannedStep(
        step=Step(name="first", task=task.ref, meta_parallel=step_meta),
        task=InstalledTask(id=1, task=task, installed=installed),
        resources={Part.PARALLEL: resources_from_meta(task_meta, step_meta)},
        origins={Part.PARALLEL: origins_of_meta(task_meta, step_meta)},
        type_filters={},
        units=3,
    )


def a_plan(
    task_meta: dict[str, Any],
    step_meta: dict[str, Any],
    *,
    cluster: str = "slurm",
    run: Overlay = NOTHING_SAID,
) -> Plan:
    planned = planned_step(task_meta, step_meta)
    return Plan(
        workflow=Workflow(name="w", steps=(planned.step,)),
        dataset="d",
        zarr_dir="/data",
        attribute_filters={},
        type_filters={},
        steps=(planned,),
        cluster=cluster,
        overrides=run,
    )


PROFILE = ClusterProfile(
    defaults=Overlay(cpus=2, memory=1000, partition="short", time="30", prologue=("module load a",)),
    gpu=Overlay(partition="gpu", gpus="1", prologue=("module load cuda",), memory=9000),
    force=Overlay(constraint="", account="lab", directives=("--qos=site",)),
)


@pytest.mark.parametrize(
    ("task_meta", "step_meta", "run", "cpus", "who"),
    [
        ({}, {}, NOTHING_SAID, 2, Origin.PROFILE_DEFAULTS),
        ({"cpus_per_task": 1}, {}, NOTHING_SAID, 1, Origin.TASK),
        ({"cpus_per_task": 1}, {"cpus_per_task": 3}, NOTHING_SAID, 3, Origin.STEP),
        ({"cpus_per_task": 1}, {"cpus_per_task": None}, NOTHING_SAID, 2, Origin.PROFILE_DEFAULTS),
        ({}, {"cpus_per_task": 3}, Overlay(cpus=4), 4, Origin.RUN),
    ],
)
def test_the_later_one_that_names_a_value_has_it(
    task_meta: dict[str, Any], step_meta: dict[str, Any], run: Overlay, cpus: int, who: Origin
) -> None:
    """A task that asks for one CPU asked for it: the default does not take its place."""
    plan = a_plan(task_meta, step_meta, run=run)
    placed = place_part(plan, plan.steps[0], Part.PARALLEL, PROFILE)
    assert (placed.resources.cpus, placed.origins["cpus"]) == (cpus, (who,))


def test_force_beats_the_step_and_the_command_line_beats_force() -> None:
    needed, said = Resources(constraint="a100"), {"constraint": Origin.STEP}
    forced = place(needed, said, PROFILE, NOTHING_SAID)
    assert (forced.resources.constraint, forced.origins["constraint"]) == (None, (Origin.PROFILE_FORCE,))
    own = place(needed, said, PROFILE, Overlay(constraint="v100", account="other"))
    assert (own.resources.constraint, own.resources.account) == ("v100", "other")
    assert own.origins["account"] == (Origin.RUN,)


def test_units_that_need_a_gpu_get_what_the_profile_has_for_them_unless_they_say_more() -> None:
    placed = place(
        Resources(needs_gpu=True, memory_mb=500), {"memory_mb": Origin.TASK}, PROFILE, NOTHING_SAID
    )
    assert (placed.resources.partition, placed.resources.gpus) == ("gpu", "1")
    assert placed.origins["partition"] == (Origin.PROFILE_GPU,)
    assert placed.resources.memory_mb == 500
    assert place(Resources(), {}, PROFILE, NOTHING_SAID).resources.partition == "short"


def test_a_gpu_named_on_the_command_line_wants_the_profiles_settings_for_it() -> None:
    placed = place(Resources(), {}, PROFILE, Overlay(gpus="2")).resources
    assert (placed.needs_gpu, placed.gpus, placed.partition) == (True, "2", "gpu")


def test_lines_are_added_but_those_for_gpus_take_the_place_of_the_defaults() -> None:
    needed = Resources(extra_lines=("export A=1",), needs_gpu=True)
    run = Overlay(prologue=("export B=2",), directives=("--exclusive",))
    placed = place(needed, {"extra_lines": Origin.STEP}, PROFILE, run)
    assert placed.resources.extra_lines == ("module load cuda", "export A=1", "export B=2")
    assert placed.origins["extra_lines"] == (Origin.PROFILE_GPU, Origin.STEP, Origin.RUN)
    assert placed.resources.directives == ("--qos=site", "--exclusive")
    plain = place(needed.model_copy(update={"needs_gpu": False}), {}, PROFILE, NOTHING_SAID)
    assert plain.resources.extra_lines == ("module load a", "export A=1")


def test_no_lines_for_gpus_takes_the_defaults_away() -> None:
    profile = PROFILE.model_copy(update={"gpu": Overlay(prologue=())})
    assert place(Resources(needs_gpu=True), {}, profile, NOTHING_SAID).resources.extra_lines == ()


@given(strategies.resources(), strategies.cluster_profiles(), strategies.overlays())
def test_what_the_run_says_holds_whatever_others_say(
    needed: Resources, profile: ClusterProfile, run: Overlay
) -> None:
    placed = place(needed, {}, profile, run)
    for name, value in run.given().items():
        if name in {"directives", "extra_lines"}:
            lines = getattr(placed.resources, name)
            assert lines[len(lines) - len(value or ()) :] == (value or ())  # type: ignore[arg-type]  # lines
        else:
            assert getattr(placed.resources, name) == value
            assert placed.origins[name] == (Origin.RUN,)
    assert Resources.model_validate_json(placed.resources.model_dump_json()) == placed.resources


@given(strategies.resources())
def test_nothing_said_by_a_profile_leaves_what_units_need(needed: Resources) -> None:
    placed = place(needed, {}, ClusterProfile(), NOTHING_SAID)
    assert placed.resources == needed
    assert set(placed.origins.values()) <= {(Origin.TASK,)}


def test_a_plan_is_placed_step_by_step_and_says_what_no_job_can_run() -> None:
    plan = a_plan({"mem": "2G"}, {"cpus_per_task": 4})
    placed = place_plan(plan, PROFILE)
    resources = placed.steps[0].resources[Part.PARALLEL]
    assert (resources.cpus, resources.memory_mb, resources.partition) == (4, 2000, "short")
    assert placed.model_copy(update={"steps": plan.steps}) == plan
    with pytest.raises(WorkflowInvalid) as caught:
        place_plan(plan, ClusterProfile(max_cpus_per_job=2, max_memory_per_job=1000))
    assert "The cluster 'slurm' cannot run 'w'" in caught.value.what
    assert 'step "first", parallel: a unit has 4 CPUs, more than max_cpus_per_job' in caught.value.what
    assert "a unit has 2000 MB" in caught.value.what


def test_the_one_unit_of_a_single_call_gets_a_job_of_its_own_size() -> None:
    plan = a_plan({}, {})
    planned = plan.steps[0].model_copy(
        update={"resources": {part: Resources() for part in Part}, "origins": {}}
    )
    placed = {part: place_part(plan, planned, part, PROFILE).resources for part in Part}
    assert placed[Part.NON_PARALLEL].parallel_tasks_per_job == placed[Part.NON_PARALLEL].tasks_per_job == 1
    assert placed[Part.PARALLEL].parallel_tasks_per_job is None
    asked = planned.model_copy(
        update={"resources": {Part.NON_PARALLEL: Resources(tasks_per_job=2, parallel_tasks_per_job=2)}}
    )
    assert place_part(plan, asked, Part.NON_PARALLEL, PROFILE).resources.tasks_per_job == 2
    assert place_part(plan, planned, Part.NON_PARALLEL, THIS_MACHINE).resources == Resources()


def test_this_machine_takes_limits_of_a_run_and_nothing_of_a_queue() -> None:
    plan = a_plan({}, {"tasks_per_job": 4, "constraint": "a b"}, cluster="local", run=Overlay(memory=500))
    assert place_plan(plan, THIS_MACHINE).steps[0].resources[Part.PARALLEL].memory_mb == 500
    with pytest.raises(UsageError, match="This machine knows no partition of a run"):
        check_run(Overlay(partition="short", cpus=2), THIS_MACHINE)


def test_a_plan_written_before_there_were_clusters_is_one_for_this_machine() -> None:
    document = a_plan({"mem": 100}, {}, cluster="local").model_dump(
        mode="json", exclude={"cluster", "overrides"}
    )
    del document["steps"][0]["origins"]
    plan = Plan.model_validate(document)
    assert (plan.cluster, plan.overrides) == ("local", NOTHING_SAID)
    placed = place_part(plan, plan.steps[0], Part.PARALLEL, PROFILE)
    assert (placed.resources.memory_mb, placed.origins["memory_mb"]) == (100, (Origin.TASK,))
