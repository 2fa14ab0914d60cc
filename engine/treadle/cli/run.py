"""`treadle run`: a workflow on a dataset, on this machine or a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle.cli import placing
from treadle.cli.driver_option import Driver, Place
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
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Run also the units that would be reused; keep what they leave instead."
        ),
    ] = False,
    cluster: placing.Cluster = "local",
    cpus: placing.Cpus = None,
    memory: placing.Memory = None,
    time: placing.Time = None,
    gpus: placing.Gpus = None,
    partition: placing.Partition = None,
    account: placing.Account = None,
    constraint: placing.Constraint = None,
    directive: placing.Directives = None,
    driver: Driver = Place.HERE,
    as_json: AsJson = False,
) -> None:
    """Run a workflow on a dataset."""
    from treadle.cli.driver_job import check_driver, drive_in_job
    from treadle.cli.output import print_json
    from treadle.cli.planned import plan_document, print_plan
    from treadle.cli.running import Request, report_outcome, run_here, server_meanwhile
    from treadle.cli.session import open_session

    overrides = placing.overrides(
        cpus=cpus,
        memory=memory,
        time=time,
        gpus=gpus,
        partition=partition,
        account=account,
        constraint=constraint,
        directives=directive or None,
    )
    request = Request(
        workflow,
        dataset,
        type_filters(types or []),
        attribute_filters(where or []),
        first=first,
        last=last,
        cluster=cluster,
        overrides=overrides,
        refresh=refresh,
    )
    with open_session() as session:
        if driver is Place.JOB:
            check_driver(session, cluster)
        planned = request.plan(session)
        if plan:
            if as_json:
                print_json(plan_document(planned, session.settings))
            else:
                print_plan(planned, session.settings)
            return
        if driver is Place.JOB:
            record = drive_in_job(session, request.submit(session))
        else:
            with server_meanwhile(session.settings) as ready_server:
                record = run_here(request, session, ready_server)
        status = report_outcome(session, record, as_json=as_json)
    raise typer.Exit(status)
