from __future__ import annotations

import pytest

from treadle.errors import AlreadyExists, UnknownName
from treadle.ledger import Ledger, workflows
from treadle.model.task import TaskRef
from treadle.model.workflow import Step, Workflow

TASK = TaskRef(pkg_name="p", version="1", name="t")
WORKFLOW = Workflow(
    name="segment",
    description="from images to labels",
    steps=(
        Step(name="b", task=TASK, args_parallel={"z": [1, 2.0, None], "a": {"k": True}}),
        Step(name="a", task=TASK, type_filters={"3d": False}, needs=("b",)),
    ),
)


def save(ledger: Ledger, workflow: Workflow, *, replace: bool = False) -> int:
    with ledger.writing() as tx:
        return workflows.save_workflow(tx, workflow, replace)


def test_a_workflow_comes_back_as_it_was(ledger: Ledger) -> None:
    workflow_id = save(ledger, WORKFLOW)
    with ledger.reading() as tx:
        assert repr(workflows.load_workflow(tx, "segment")) == repr((workflow_id, WORKFLOW))


def test_a_name_is_taken_once(ledger: Ledger) -> None:
    save(ledger, WORKFLOW)
    with pytest.raises(AlreadyExists, match="'segment'"):
        save(ledger, WORKFLOW)


def test_a_replaced_workflow_keeps_its_id_and_its_time_of_creation(ledger: Ledger) -> None:
    first = save(ledger, WORKFLOW, replace=True)
    with ledger.reading() as tx:
        [before] = workflows.list_workflows(tx)
    shorter = Workflow(name="segment", steps=WORKFLOW.steps[:1])
    assert save(ledger, shorter, replace=True) == first
    with ledger.reading() as tx:
        [after] = workflows.list_workflows(tx)
        assert workflows.load_workflow(tx, "segment") == (first, shorter)
    assert (before.steps, after.steps) == (("b", "a"), ("b",))
    assert (before.description, after.description) == ("from images to labels", None)
    assert after.created_at == before.created_at < after.changed_at


def test_workflows_are_listed_by_name(ledger: Ledger) -> None:
    for name in ("b", "a"):
        save(ledger, Workflow(name=name))
    with ledger.reading() as tx:
        assert [row.name for row in workflows.list_workflows(tx)] == ["a", "b"]


def test_an_unknown_name_lists_those_that_exist(ledger: Ledger) -> None:
    save(ledger, WORKFLOW)
    with ledger.reading() as tx, pytest.raises(UnknownName, match="'segment'"):
        workflows.load_workflow(tx, "segmentation")
