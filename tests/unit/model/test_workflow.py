"""Workflows, their order and their JSON."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from treadle.errors import UnknownName, UsageError, WorkflowInvalid
from treadle.model.task import Part, TaskRef
from treadle.model.workflow import Step, Workflow, workflow_from_json, workflow_to_json
from treadle.testing import strategies

REF = TaskRef(pkg_name="pkg", version="1.0", name="T")


def a_step(name: str, *needs: str) -> Step:
    return Step(name=name, task=REF, needs=needs)


def an_entry(name: str = "T", **fields: object) -> dict[str, object]:
    return {"task": {"pkg_name": "pkg", "version": "1.0", "name": name}, **fields}


def a_document(*entries: object, **fields: object) -> dict[str, object]:
    return {"name": "w", "task_list": list(entries), **fields}


def refusal(document: object) -> str:
    with pytest.raises(WorkflowInvalid) as caught:
        workflow_from_json(document)
    return str(caught.value)


@given(strategies.workflows())
def test_what_was_exported_is_imported_unchanged(workflow: Workflow) -> None:
    document = json.loads(json.dumps(workflow_to_json(workflow)))
    again = workflow_from_json(document)
    assert again == workflow
    assert repr(again) == repr(workflow)


@given(strategies.workflows())
def test_a_workflow_survives_its_way_through_json(workflow: Workflow) -> None:
    assert Workflow.model_validate_json(workflow.model_dump_json()) == workflow


@given(strategies.workflows())
def test_every_step_comes_once_and_after_all_it_needs(workflow: Workflow) -> None:
    done: set[str] = set()
    for step in workflow.ordered():
        assert set(step.needs) <= done
        done.add(step.name)
    assert len(workflow.ordered()) == len(done) == len(workflow.steps)


@given(strategies.workflows().filter(lambda workflow: workflow.steps), st.data())
def test_a_part_has_the_steps_from_one_to_another_in_the_same_order(
    workflow: Workflow, data: st.DataObject
) -> None:
    """What they need of the steps before is taken as done; what they need of one another stays."""
    names = [step.name for step in workflow.ordered()]
    begin = data.draw(st.integers(0, len(names) - 1))
    end = data.draw(st.integers(begin, len(names) - 1))
    part = workflow.part(names[begin], names[end])
    kept = part.ordered()
    assert [step.name for step in kept] == names[begin : end + 1]
    for step, whole in zip(kept, workflow.ordered()[begin : end + 1], strict=True):
        assert step == whole.model_copy(update={"needs": step.needs})
        assert set(step.needs) == set(whole.needs) & set(names[begin : end + 1])
    assert workflow.part(None, None) == workflow
    assert workflow.part(names[begin], None) == workflow.part(names[begin], names[-1])
    assert workflow.part(None, names[end]) == workflow.part(names[0], names[end])


def test_a_part_of_steps_that_are_not_there_or_the_wrong_way_round_is_refused() -> None:
    workflow = Workflow(name="w", steps=(a_step("b", "a"), a_step("a")))
    for first, last in [("c", None), (None, "c")]:
        with pytest.raises(UnknownName, match=r"Workflow 'w' has no step 'c'.*'a', 'b'"):
            workflow.part(first, last)
    with pytest.raises(UsageError, match=r"has step 'b' after step 'a'.*'a', 'b'"):
        workflow.part("b", "a")


@given(strategies.workflows())
def test_of_the_steps_that_are_ready_the_first_listed_goes_first(workflow: Workflow) -> None:
    waiting = list(workflow.steps)
    expected = []
    while waiting:
        names = {step.name for step in expected}
        ready = next(step for step in waiting if set(step.needs) <= names)
        waiting.remove(ready)
        expected.append(ready)
    assert list(workflow.ordered()) == expected


@given(strategies.workflows())
def test_an_export_says_only_what_is_unusual(workflow: Workflow) -> None:
    previous: list[str] = []
    entries: Any = workflow_to_json(workflow)["task_list"]
    for step, entry in zip(workflow.steps, entries, strict=True):
        assert ("needs" in entry) == (list(step.needs) != previous)
        assert ("alias" in entry) == (step.name != step.task.name)
        assert "id" not in entry
        assert None not in [value for key, value in entry.items() if key != "task"]
        previous = [step.name]


def test_a_chain_is_told_from_other_graphs() -> None:
    chain = (a_step("a"), a_step("b", "a"), a_step("c", "b"))
    assert Workflow(name="w", steps=chain).is_chain
    assert Workflow(name="w", steps=tuple(reversed(chain))).is_chain
    assert not Workflow(name="w", steps=(a_step("a"), a_step("b"))).is_chain
    assert not Workflow(name="w", steps=(a_step("a"), a_step("b", "a"), a_step("c", "a", "b"))).is_chain


def test_steps_form_a_chain_if_nothing_is_said() -> None:
    workflow = workflow_from_json(a_document(an_entry("A"), an_entry("B"), an_entry("C")))
    assert [step.needs for step in workflow.steps] == [(), ("A",), ("B",)]


def test_needs_name_steps_and_may_be_empty() -> None:
    workflow = workflow_from_json(
        a_document(
            an_entry("A"), an_entry("B", needs=[]), an_entry("C", needs=["A", "B"]), an_entry("D", needs=None)
        )
    )
    assert [step.needs for step in workflow.steps] == [(), (), ("A", "B"), ("C",)]


def test_a_step_is_named_by_its_alias_else_by_its_task_and_numbered_where_taken() -> None:
    workflow = workflow_from_json(
        a_document(
            an_entry(), an_entry(alias=" mine "), an_entry(), an_entry(alias="T"), an_entry(alias=None)
        )
    )
    assert [step.name for step in workflow.steps] == ["T", "mine", "T (2)", "T (3)", "T (4)"]
    assert workflow.steps[3].needs == ("T (2)",)


def test_fractals_own_export_is_read() -> None:
    """Every key of the format, as fractal-server 2.26 writes it."""
    document = {
        "name": " Plate ",
        "description": "from the web client",
        "task_list": [
            {
                "task": {"pkg_name": "pkg", "version": "1.0", "name": "Convert"},
                "args_parallel": None,
                "args_non_parallel": {" zarr_name ": "x"},
                "meta_parallel": {},
                "meta_non_parallel": {"cpus_per_task": 2},
                "type_filters": {"3D": True},
                "alias": None,
                "description": None,
            }
        ],
    }
    (step,) = workflow_from_json(document).steps
    assert step.args(Part.NON_PARALLEL) == {"zarr_name": "x"}
    assert step.args(Part.PARALLEL) == {}
    assert step.meta(Part.NON_PARALLEL) == {"cpus_per_task": 2}
    assert step.meta(Part.PARALLEL) == {}
    assert step.type_filters == {"3D": True}


def test_an_empty_arguments_object_is_none() -> None:
    (step,) = workflow_from_json(a_document(an_entry(args_parallel={}))).steps
    assert step.args_parallel is None


@pytest.mark.parametrize("legacy", [{"attributes": {}, "types": {"3D": True}}, {"types": {"3D": True}}])
def test_legacy_filters_become_type_filters(legacy: dict[str, object]) -> None:
    (step,) = workflow_from_json(a_document(an_entry(input_filters=legacy))).steps
    assert step.type_filters == {"3D": True}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"input_filters": {"attributes": {"plate": "p"}}}, "[0].input_filters.attributes: must be empty"),
        ({"input_filters": {"types": {}}, "type_filters": {}}, "[0].input_filters: must not stand beside"),
        ({"type_filters": {"3D": None}}, "[0].type_filters.3D: must be true or false, found null"),
        ({"args_parallel": [1]}, "[0].args_parallel: must be an object, found a list"),
        ({"args_parallel": {"a": 1, "a ": 2}}, "[0].args_parallel: has the key 'a' twice"),
        ({"args_parallel": {"a": {"b": [float("nan")]}}}, "[0].args_parallel: holds nan at a.b[0]"),
        ({"args_parallel": {"a": {1: 2}}}, "[0].args_parallel: has the key 1 at a, which is not a string"),
        ({"meta_parallel": "x"}, "[0].meta_parallel: must be an object, found a string"),
        ({"alias": ""}, "[0].alias: must be a non-empty string"),
        ({"needs": "T"}, "[0].needs: must be a list, found a string"),
        ({"needs": ["T"]}, "[0]: is in a cycle: 'T' needs 'T'"),
        ({"needs": ["U"]}, "[0]: needs 'U', which is not a step of this workflow"),
        ({"order": 0}, "[0].order: is not a known key"),
        (
            {"task": {"pkg_name": "p", "version": "1", "name": "T", "id": 3}},
            "[0].task.id: is not a known key",
        ),
        ({"task": {"version": "1", "name": "T"}}, "[0].task.pkg_name: is required"),
        ({"task": {"pkg_name": "p", "version": 1, "name": "T"}}, "[0].task.version: must be a string"),
        ({"task": None}, "[0].task: must be an object, found null"),
    ],
)
def test_a_bad_step_is_refused_with_its_place(fields: dict[str, object], problem: str) -> None:
    assert f"task_list{problem}" in refusal(a_document({**an_entry(), **fields}))


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "must be an object, found a list"),
        ({"task_list": []}, "name: is required"),
        ({"name": "w"}, "task_list: is required"),
        ({"name": "w", "task_list": {}}, "task_list: must be a list"),
        ({"name": "w", "task_list": [], "id": 1}, "id: is not a known key"),
        ({"name": "w", "task_list": [3]}, "task_list[0]: must be an object, found a number"),
    ],
)
def test_a_bad_workflow_is_refused(document: object, problem: str) -> None:
    assert problem in refusal(document)


def test_a_cycle_is_spelled_out() -> None:
    document = a_document(
        an_entry("A", needs=["C"]),
        an_entry("B", needs=["A"]),
        an_entry("C", needs=["B"]),
        an_entry("D", needs=["A", "A"]),
    )
    text = refusal(document)
    (cycle,) = [line for line in text.splitlines() if "is in a cycle" in line]
    names = cycle.split("cycle: ")[1].split(" needs ")
    needs = {"'A'": "'C'", "'B'": "'A'", "'C'": "'B'"}
    assert all(needs[one] == other for one, other in pairwise(names))
    assert names[0] == names[-1]
    assert "task_list[3]: needs 'A' more than once" in text


def test_problems_of_fields_and_of_the_graph_are_told_at_once() -> None:
    text = refusal(a_document(an_entry("A", args_parallel=3), an_entry("B", needs=["X"]), 5, description=1))
    for problem in [
        "description: ",
        "task_list[0].args_parallel: ",
        "task_list[1]: needs 'X'",
        "task_list[2]: must be",
    ]:
        assert problem in text


def test_a_workflow_made_in_code_keeps_the_rules_of_graphs() -> None:
    with pytest.raises(ValidationError, match="step 'a' has the name 'a' of an earlier step"):
        Workflow(name="w", steps=(a_step("a"), a_step("a")))
    with pytest.raises(ValidationError, match="step 'a' needs 'b', which is not a step"):
        Workflow(name="w", steps=(a_step("a", "b"),))


@given(st.lists(st.sampled_from(["A", "B", "A (2)"]), max_size=8))
def test_names_are_always_made_unique(names: list[str]) -> None:
    workflow = workflow_from_json(a_document(*(an_entry(name) for name in names)))
    made = [step.name for step in workflow.steps]
    assert len(set(made)) == len(made)
    assert workflow.is_chain
