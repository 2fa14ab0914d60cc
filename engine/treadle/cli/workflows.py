"""`treadle workflow`: workflows in and out, as Fractal's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from treadle.cli.options import AsJson

app = typer.Typer(help="Workflows.", no_args_is_help=True)


@app.command("import")
def import_workflow(
    file: Annotated[
        Path, typer.Argument(help="JSON file of the workflow: Fractal's, or a recording in WfFormat.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a workflow of the same name; runs keep their own copy.")
    ] = False,
    time_scale: Annotated[
        float, typer.Option("--time-scale", min=0, help="Factor of the times of a recording.")
    ] = 1.0,
    size_scale: Annotated[
        float, typer.Option("--size-scale", min=0, help="Factor of the sizes of a recording's files.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Store a workflow from a JSON file.

    Of a recording in WfFormat (WfCommons) each task becomes a step that takes the time, uses the cpu, reads
    and writes the files that the task did.
    """
    from treadle.cli.documents import read_json
    from treadle.cli.output import print_json, print_line
    from treadle.cli.session import open_session
    from treadle.errors import WorkflowInvalid
    from treadle.model.wfcommons import is_wfformat, recording_from_json, replayed_workflow
    from treadle.model.workflow import workflow_from_json
    from treadle.runs.workflows import store_workflow

    data = read_json(file, WorkflowInvalid)
    if is_wfformat(data):
        recording = recording_from_json(data)
        workflow = replayed_workflow(recording, time_scale=time_scale, size_scale=size_scale)
    else:
        workflow = workflow_from_json(data)
    with open_session() as session:
        number = store_workflow(session.ledger, workflow, replace=replace)
    if as_json:
        print_json({"id": number, "name": workflow.name, "steps": [step.name for step in workflow.steps]})
    else:
        print_line(f"Stored workflow {workflow.name!r} with {len(workflow.steps)} steps.")


@app.command("export")
def export_workflow(
    name: Annotated[str, typer.Argument(help="Name of the workflow.")], as_json: AsJson = False
) -> None:
    """Print a workflow as the JSON that `import` takes."""
    del as_json  # it is JSON for people too
    from treadle.cli.output import print_json
    from treadle.cli.session import open_session
    from treadle.runs.workflows import export_workflow as export

    with open_session() as session:
        print_json(export(session.ledger, name))


@app.command("list")
def list_workflows(as_json: AsJson = False) -> None:
    """List the stored workflows."""
    from treadle.cli.output import print_json, print_table
    from treadle.cli.session import open_session
    from treadle.ledger import workflows

    with open_session() as session, session.ledger.reading() as tx:
        found = workflows.list_workflows(tx)
    if as_json:
        print_json({"workflows": found})
        return
    rows = [(entry.name, " > ".join(entry.steps), entry.changed_at) for entry in found]
    print_table(
        ["workflow", "steps", "changed"],
        rows,
        empty="No workflow yet: store one with `treadle workflow import`.",
    )
