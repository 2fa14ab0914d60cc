"""Workflows, as they were imported or last replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from treadle.errors import AlreadyExists
from treadle.ledger.columns import now
from treadle.ledger.database import Transaction
from treadle.ledger.names import unknown_name
from treadle.ledger.people import default_project, local_user
from treadle.ledger.tables import workflows
from treadle.model.workflow import Workflow


@dataclass(frozen=True, slots=True)
class WorkflowSummary:
    """A workflow without its steps' content; `steps` are their names in the order of the workflow."""

    id: int
    name: str
    description: str | None
    steps: tuple[str, ...]
    created_at: datetime
    changed_at: datetime


def save_workflow(tx: Transaction, workflow: Workflow, replace: bool) -> int:
    """Store a workflow under its name and return its id, which replacing it does not change.

    Raises:
        AlreadyExists: The name is taken and `replace` is false.
    """
    project, saved = default_project(tx), now()
    definition = workflow.model_dump(mode="json")
    named = (workflows.c.project_id == project, workflows.c.name == workflow.name)
    if replace:
        change = update(workflows).where(*named).values(definition=definition, changed_at=saved)
        replaced = tx.scalars(change.returning(workflows.c.id)).one_or_none()
        if replaced is not None:
            return replaced
    row = insert(workflows).values(
        owner_id=local_user(tx),
        project_id=project,
        name=workflow.name,
        definition=definition,
        created_at=saved,
        changed_at=saved,
    )
    try:
        return tx.scalars(row.returning(workflows.c.id)).one()
    except IntegrityError as error:
        raise AlreadyExists(
            f"There is a workflow named {workflow.name!r} already.",
            remedy="Choose another name, or replace it.",
        ) from error


def load_workflow(tx: Transaction, name: str) -> tuple[int, Workflow]:
    """The id of a workflow, and the workflow.

    Raises:
        UnknownName: No workflow has this name; lists those that exist.
    """
    project = default_project(tx)
    query = select(workflows.c.id, workflows.c.definition).where(
        workflows.c.project_id == project, workflows.c.name == name
    )
    found = tx.execute(query).one_or_none()
    if found is None:
        known = tx.scalars(select(workflows.c.name).where(workflows.c.project_id == project)).all()
        raise unknown_name("workflow", name, known)
    workflow_id, definition = found
    return workflow_id, Workflow.model_validate(definition)


def list_workflows(tx: Transaction) -> list[WorkflowSummary]:
    """All workflows by name."""
    query = (
        select(workflows.c.id, workflows.c.definition, workflows.c.created_at, workflows.c.changed_at)
        .where(workflows.c.project_id == default_project(tx))
        .order_by(workflows.c.name)
    )
    return [
        _summary(workflow_id, Workflow.model_validate(definition), created_at, changed_at)
        for workflow_id, definition, created_at, changed_at in tx.execute(query)
    ]


def _summary(
    workflow_id: int, workflow: Workflow, created_at: datetime, changed_at: datetime
) -> WorkflowSummary:
    return WorkflowSummary(
        id=workflow_id,
        name=workflow.name,
        description=workflow.description,
        steps=tuple(step.name for step in workflow.steps),
        created_at=created_at,
        changed_at=changed_at,
    )
