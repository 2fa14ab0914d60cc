"""Plans: everything checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import ArgumentsInvalid, NothingSelected, WorkflowInvalid
from treadle.model.dataset import Dataset, Item
from treadle.model.plan import Plan, make_plan
from treadle.model.resources import Resources
from treadle.model.task import Installed, InstalledTask, Part, Task, TaskRef, TaskType
from treadle.model.workflow import Step, Workflow
from treadle.testing import strategies

INSTALLED = Installed(environment="e", python="/e/bin/python", root="/e/pkg")
ITEMS = tuple(
    Item(zarr_url=f"/data/{name}", attributes={"well": name}, types={"3D": name != "c"}) for name in "abc"
)
DATASET = Dataset(name="d", zarr_dir="/data", items=ITEMS)


def a_task(
    name: str, kind: TaskType = TaskType.PARALLEL, meta: object = None, **fields: object
) -> InstalledTask:
    parts = {str(part): {"executable": "run.py", "meta": meta or {}} for part in kind.parts}
    task = Task.model_validate(
        {"package": "pkg", "version": "1.0", "name": name, "type": kind, **parts, **fields}
    )
    return InstalledTask(id=1, task=task, installed=INSTALLED)


def a_workflow(*tasks: InstalledTask, **fields: object) -> Workflow:
    """A chain of one step per task; `fields` go to the first."""
    names = [f"step {index}" for index in range(len(tasks))]
    steps = [
        Step.model_validate(
            {"name": name, "task": found.task.ref, "needs": names[max(index - 1, 0) : index]}
            | (fields if index == 0 else {})
        )
        for index, (name, found) in enumerate(zip(names, tasks, strict=True))
    ]
    return Workflow(name="w", steps=tuple(steps))


def known(*tasks: InstalledTask) -> dict[TaskRef, InstalledTask]:
    return {found.task.ref: found for found in tasks}


def plan(
    *tasks: InstalledTask, dataset: Dataset = DATASET, step: dict[str, object] | None = None, **run: Any
) -> Plan:
    return make_plan(a_workflow(*tasks, **(step or {})), dataset, known(*tasks), **run)


def test_a_plan_survives_its_way_through_json() -> None:
    made = plan(
        a_task("A", TaskType.COMPOUND, {"mem": "8G"}, output_types={"done": True}),
        a_task("B", input_types={"done": True}),
        type_filters={"3D": True},
        attribute_filters={"well": ["a", "b"], "flag": [True], "z": [1.0]},
        dataset=DATASET.model_copy(
            update={
                "items": tuple(
                    i.model_copy(update={"attributes": {**i.attributes, "flag": True, "z": 1}}) for i in ITEMS
                )
            }
        ),
    )
    again = Plan.model_validate_json(made.model_dump_json())
    assert again == made
    assert repr(again) == repr(made)


@given(strategies.workflows(), st.data())
def test_any_workflow_whose_tasks_are_known_has_its_steps_planned_in_order(
    workflow: Workflow, data: st.DataObject
) -> None:
    """Steps are pruned of what contradicts their tasks, which other tests give them."""
    steps = [
        step.model_copy(
            update={"task": TaskRef(pkg_name="pkg", version="1", name=step.task.name), "type_filters": {}}
            | {f"{kind}_{part}": None for kind in ("args", "meta") for part in Part}
        )
        for step in workflow.steps
    ]
    workflow = workflow.model_copy(update={"steps": tuple(steps)})
    kinds = {step.task: data.draw(st.sampled_from(TaskType)) for step in steps}
    tasks = {ref: a_task(ref.name, kind) for ref, kind in kinds.items()}
    if not steps:
        with pytest.raises(WorkflowInvalid, match="it has no steps"):
            make_plan(workflow, DATASET, tasks)
        return
    made = make_plan(workflow, DATASET, tasks)
    assert [planned.step for planned in made.steps] == list(workflow.ordered())
    for planned in made.steps:
        assert planned.resources.keys() == planned.task.task.type.parts
        single = planned.task.task.type in {TaskType.NON_PARALLEL, TaskType.CONVERTER_NON_PARALLEL}
        known_units = 3 if planned.task.task.type is TaskType.PARALLEL and not planned.step.needs else None
        assert planned.units == (1 if single else known_units)


def test_units_of_the_first_step_are_those_that_the_filters_leave() -> None:
    assert plan(a_task("A")).steps[0].units == 3
    assert plan(a_task("A", input_types={"3D": True})).steps[0].units == 2
    assert plan(a_task("A"), step={"type_filters": {"3D": False}}).steps[0].units == 1
    assert plan(a_task("A"), attribute_filters={"well": ["a", "z"]}).steps[0].units == 1


def test_type_filters_pass_from_step_to_step() -> None:
    made = plan(
        a_task("A", output_types={"corrected": True}),
        a_task("B", input_types={"3D": True}, output_types={"3D": False, "projected": True}),
        a_task("C"),
        type_filters={"corrected": False},
    )
    assert [planned.type_filters for planned in made.steps] == [
        {"corrected": False},
        {"corrected": True, "3D": True},
        {"corrected": True, "3D": False, "projected": True},
    ]


def test_a_part_begins_with_the_runs_type_filters_alone() -> None:
    """Types that the steps left out would have made are not asked for (Fractal 1.6)."""
    first = a_task("A", output_types={"corrected": True})
    second = a_task("B", input_types={"3D": True}, output_types={"projected": True})
    workflow = a_workflow(first, second, a_task("C"))
    part = workflow.part("step 1", None)
    made = make_plan(part, DATASET, known(second, a_task("C")), type_filters={"clean": False})
    assert [(planned.step.name, planned.units) for planned in made.steps] == [("step 1", 2), ("step 2", None)]
    assert [planned.step.needs for planned in made.steps] == [(), ("step 1",)]
    assert [planned.type_filters for planned in made.steps] == [
        {"clean": False, "3D": True},
        {"clean": False, "projected": True},
    ]


def test_resources_are_the_tasks_overlaid_by_the_steps() -> None:
    made = plan(a_task("A", meta={"cpus_per_task": 4, "mem": 100}), step={"meta_parallel": {"mem": "2G"}})
    assert made.steps[0].resources == {Part.PARALLEL: Resources(cpus=4, memory_mb=2000)}


def test_an_empty_selection_is_refused_with_the_filters_that_made_it() -> None:
    with pytest.raises(
        NothingSelected, match=r"'step 0' cannot run for an empty image list.*3D is true and well is in"
    ):
        plan(a_task("A", input_types={"3D": True}), attribute_filters={"well": ["c"]})


def test_a_converter_needs_no_items_and_what_follows_may_find_some() -> None:
    empty = Dataset(name="d", zarr_dir="/data")
    made = plan(a_task("A", TaskType.CONVERTER_NON_PARALLEL), a_task("B"), dataset=empty)
    assert [planned.units for planned in made.steps] == [1, None]
    with pytest.raises(NothingSelected, match="the dataset has no items"):
        plan(a_task("B"), dataset=empty)


def test_unknown_tasks_are_named_with_what_is_known() -> None:
    there, missing, other = a_task("A"), a_task("B"), a_task("C")
    with pytest.raises(WorkflowInvalid) as caught:
        make_plan(a_workflow(there, missing, other), DATASET, known(there))
    text = str(caught.value)
    assert "step \"step 1\": there is no task 'B' of pkg 1.0; known are: 'A' of pkg 1.0" in text
    assert "step \"step 2\": there is no task 'C'" in text


def test_a_task_without_version_is_never_resolved() -> None:
    found = a_task("A")
    step = Step(name="s", task=TaskRef(pkg_name="pkg", name="A"))
    with pytest.raises(
        WorkflowInvalid, match=r"no task 'A' of pkg \(no version\); known are: 'A' of pkg 1.0"
    ):
        make_plan(Workflow(name="w", steps=(step,)), DATASET, known(found))


def test_problems_of_filters_and_resources_are_told_with_their_steps_at_once() -> None:
    with pytest.raises(WorkflowInvalid) as caught:
        plan(
            a_task("A", input_types={"3D": True}),
            a_task("B", meta={"mem": "x"}),
            step={
                "type_filters": {"3D": False},
                "meta_parallel": {"cpus_per_task": 0, "account": "lab"},
                "meta_non_parallel": {"mem": 1},
            },
        )
    text = str(caught.value)
    for problem in [
        'step "step 0": the task wants 3D to be true',
        'step "step 0": meta_parallel.cpus_per_task: must be 1 or more',
        'step "step 0": meta_parallel.account: must not be set here',
        "step \"step 0\": meta_non_parallel: the task 'A' has no non_parallel part",
        'step "step 1": meta_parallel.mem: must be a whole number of MB',
    ]:
        assert problem in text


def test_arguments_of_all_steps_are_checked_before_anything_runs() -> None:
    schema = {"properties": {"sigma": {"type": "number"}}, "required": ["sigma"]}
    part = {"executable": "run.py", "args_schema": schema}
    checked = [a_task(name, parallel=part, args_schema_version="pydantic_v2") for name in ("A", "B")]
    with pytest.raises(ArgumentsInvalid) as caught:
        plan(*checked, step={"args_parallel": {"sigma": "x"}})
    text = str(caught.value)
    assert "step \"step 0\" args_parallel.sigma: 'x' is not of type 'number' (rule: type)" in text
    assert "step \"step 1\" args_parallel: 'sigma' is a required property (rule: required)" in text


def test_bad_filters_of_the_run_are_refused() -> None:
    with pytest.raises(WorkflowInvalid, match="mixes types for 'well'"):
        plan(a_task("A"), attribute_filters={"well": [1, "a"]})
    with pytest.raises(WorkflowInvalid, match="3D: must be true or false"):
        plan(a_task("A"), type_filters={"3D": "yes"})


def branches(join: dict[str, object], **outputs: dict[str, bool]) -> Plan:
    """A step, two branches whose tasks have these output types, and a step that needs both."""
    found = {
        name: a_task(name, output_types=types)
        for name, types in ({"begin": {}, "one": {}, "other": {}, "join": {}} | outputs).items()
    }
    needs = {"begin": [], "one": ["begin"], "other": ["begin"], "join": ["one", "other"]}
    steps = [
        Step.model_validate(
            {"name": name, "task": found[name].task.ref, "needs": wanted} | (join if name == "join" else {})
        )
        for name, wanted in needs.items()
    ]
    return make_plan(Workflow(name="w", steps=tuple(steps)), DATASET, known(*found.values()))


def test_a_branch_hears_nothing_of_the_types_of_the_other() -> None:
    made = branches({}, begin={"raw": True}, one={"flat": True}, other={"seen": True})

    assert [dict(planned.type_filters) for planned in made.steps] == [
        {},
        {"raw": True},
        {"raw": True},
        {"raw": True, "flat": True},
    ]
    assert made.steps[3].or_types == ({"raw": True, "seen": True},)


def test_a_join_takes_what_either_branch_hands_on() -> None:
    items = tuple(
        Item(zarr_url=f"/data/{name}", types=types)
        for name, types in {"a": {"flat": True}, "b": {"seen": True}, "c": {}}.items()
    )

    [*_, join] = branches({}, one={"flat": True}, other={"seen": True}).steps
    [*_, wide] = branches({}, one={"flat": True}).steps

    assert [item.zarr_url for item in join.select(items, {})] == ["/data/a", "/data/b"]
    assert (wide.type_filters, wide.or_types) == ({}, ())
    with pytest.raises(
        NothingSelected, match="none of the 1 items in the dataset flat is true or seen is true"
    ):
        join.select(items[2:], {})


def test_a_join_of_branches_that_set_a_type_to_opposite_values_must_say_which_it_wants() -> None:
    with pytest.raises(WorkflowInvalid) as caught:
        branches({}, one={"flat": True}, other={"flat": False})
    assert "step \"join\": it needs 'one' and 'other', which run side by side" in str(caught.value)
    assert "make flat true and false" in str(caught.value)

    made = branches({"type_filters": {"flat": False}}, one={"flat": True}, other={"flat": False})

    assert made.steps[3].type_filters == {"flat": False}


def test_every_step_that_needs_no_other_has_its_units_counted() -> None:
    found = [a_task("A"), a_task("B")]
    steps = tuple(Step(name=one.task.name, task=one.task.ref) for one in found)

    made = make_plan(Workflow(name="w", steps=steps), DATASET, known(*found))

    assert [planned.units for planned in made.steps] == [3, 3]
