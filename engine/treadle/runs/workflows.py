"""Workflows in and out of the ledger, in Fractal's JSON form."""

from __future__ import annotations

from treadle.ledger import Ledger, workflows
from treadle.model.workflow import Workflow, workflow_from_json, workflow_to_json
from treadle.runs.builtin import register_builtin


def import_workflow(ledger: Ledger, data: object, *, replace: bool) -> int:
    """Store a workflow given as JSON data; return its id.

    Args:
        ledger: Where it is stored.
        data: The workflow, as the contract's part 1.8 has it.
        replace: Replace a workflow of the same name instead of refusing it. Earlier runs keep their plans.

    Raises:
        WorkflowInvalid: With every problem found, each with its place.
        AlreadyExists: The name is taken and `replace` is false.
    """
    return store_workflow(ledger, workflow_from_json(data), replace=replace)


def store_workflow(ledger: Ledger, workflow: Workflow, *, replace: bool) -> int:
    """Store a workflow, and the engine's own tasks if it names one; return its id.

    Raises:
        AlreadyExists: The name is taken and `replace` is false.
    """
    register_builtin(ledger, {step.task.pkg_name for step in workflow.steps})
    with ledger.writing() as tx:
        return workflows.save_workflow(tx, workflow, replace=replace)


def export_workflow(ledger: Ledger, name: str) -> dict[str, object]:
    """Return a stored workflow as JSON data that `import_workflow` accepts.

    Raises:
        UnknownName: No workflow of that name.
    """
    with ledger.reading() as tx:
        _, workflow = workflows.load_workflow(tx, name)
    return dict(workflow_to_json(workflow))
