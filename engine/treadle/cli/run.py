"""`treadle run`: a workflow on a dataset, on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle.cli.options import AsJson, FirstStep, LastStep, attribute_filters, type_filters


def run(
    workflow: Annotated[str, typer.Argument(help="Name of a stored workflow.")],
    dataset: Annotated[str, typer.Option(help="Name of the dataset.")],
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would run; start nothing.")] = False,
    first: FirstStep = None,
    last: LastStep = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only items with this attribute. A key given twice admits either value; "
            "a number in quotes is text: 'well=\"3\"'.",
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="NAME=true|false", help="Only items with, or without, this type."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a workflow on a dataset."""
    from treadle.cli.described import plan_document, print_plan
    from treadle.cli.output import print_json
    from treadle.cli.running import Request, report_outcome, run_here, server_meanwhile
    from treadle.cli.session import open_session

    request = Request(
        workflow, dataset, type_filters(types or []), attribute_filters(where or []), first=first, last=last
    )
    with open_session() as session:
        planned = request.plan(session)
        if plan:
            if as_json:
                print_json(plan_document(planned))
            else:
                print_plan(planned)
            return
        with server_meanwhile(session.settings) as ready_server:
            record = run_here(request, session, ready_server)
        status = report_outcome(session, record, as_json=as_json)
    raise typer.Exit(status)
