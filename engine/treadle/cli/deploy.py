"""`treadle deploy`: a workflow with a form and schedules in Prefect's UI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson
from treadle.errors import UsageError

if TYPE_CHECKING:
    from treadle.runs.deployments.deployed import Deployed
    from treadle.runs.deployments.schedules import Schedule


class WhenFull(StrEnum):
    """What becomes of a run above the limit."""

    WAIT = "wait"
    CANCEL = "cancel"


def deploy(
    workflow: Annotated[str, typer.Argument(help="Name of a stored workflow.")],
    *,
    dataset: Annotated[
        str | None, typer.Option(help="Dataset chosen in the form; schedules need one.")
    ] = None,
    arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP.ARGUMENT=VALUE", help="An argument in place of the workflow's; JSON, else text."
        ),
    ] = None,
    cluster: Annotated[str | None, typer.Option(metavar="NAME", help="Where its units run.")] = None,
    cron: Annotated[
        list[str] | None, typer.Option(metavar="FIELDS", help="Start by five fields of cron: '0 3 * * *'.")
    ] = None,
    every: Annotated[
        list[str] | None, typer.Option(metavar="DURATION", help="Start again and again: 30m, 6h, 1d12h.")
    ] = None,
    rrule: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Start by a recurrence rule of iCalendar.")
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JSON",
            help="A schedule with parameters of its own, or @FILE with it: "
            '\'{"cron": "0 3 * * 1", "slug": "weekly", "parameters": {"dataset": "plate 2"}}\'.',
        ),
    ] = None,
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Zone of --cron, --every and --rrule: Europe/Zurich.")
    ] = "UTC",
    unscheduled: Annotated[
        bool, typer.Option("--unscheduled", help="Take all schedules away; without it and others they stay.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=0, help="Runs at once; 0 for any number.")] = None,
    when_full: Annotated[
        WhenFull | None, typer.Option(help="What a run above the limit does; wait if never said.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Tag of its runs.")] = None,
    paused: Annotated[
        bool | None, typer.Option("--paused/--active", help="Switch its schedules off, or on.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the deployment; the workflow's if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a workflow with Prefect: a form, schedules, a limit. What is not said stays as it is."""
    from treadle.cli.served import served
    from treadle.cli.session import open_session
    from treadle.compile.form_words import read_words
    from treadle.ledger import workflows
    from treadle.runs.submit import installed_tasks

    schedules = _schedules(cron or (), every or (), rrule or (), schedule or (), timezone)
    if unscheduled and schedules:
        raise UsageError("--unscheduled stands beside schedules.", remedy="Give one or the other.")
    with open_session() as session:
        with session.ledger.reading() as tx:
            _, stored = workflows.load_workflow(tx, workflow)
        values = read_words(stored, installed_tasks(session.ledger, stored), arg or ())
        with served(session.settings):
            from treadle.runs.deployments.deploying import Wanted  # not before the server is known
            from treadle.runs.deployments.deploying import deploy as register

            wanted = Wanted(
                dataset=dataset,
                arguments=values or None,
                cluster=cluster,
                schedules=schedules if schedules or unscheduled else None,
                limit=limit,
                cancels_new=None if when_full is None else when_full is WhenFull.CANCEL,
                tags=tag,
                paused=paused,
            )
            made = register(workflow, wanted, name=name, ledger=session.ledger, settings=session.settings)
    _tell(made, as_json=as_json)


def _schedules(
    cron: Sequence[str], every: Sequence[str], rrule: Sequence[str], texts: Sequence[str], timezone: str
) -> list[Schedule]:
    from treadle.cli.documents import read_json
    from treadle.runs.deployments.schedules import Schedule

    found = [Schedule(cron=text, timezone=timezone) for text in cron]
    found += [Schedule(every=text, timezone=timezone) for text in every]
    found += [Schedule(rrule=text, timezone=timezone) for text in rrule]
    for text in texts:
        data = read_json(Path(text[1:]), UsageError) if text.startswith("@") else _json(text)
        found.append(Schedule.from_json(data))
    return found


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--schedule is no JSON: {error}.", remedy='Write such as \'{"cron": "0 3 * * *"}\', or @FILE.'
        ) from error


app = typer.Typer(help="Deployments of workflows.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Deployment, or the workflow that it runs.")]
OneSchedule = Annotated[
    str | None, typer.Option("--schedule", metavar="SLUG", help="Only this one of its schedules.")
]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the deployments of workflows."""
    from treadle.cli.output import print_json, print_table
    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.deployments.deploying import list_deployments

        found = list_deployments(session.ledger, session.settings)
    if as_json:
        print_json({"deployments": [_document(deployment) for deployment in found]})
        return
    rows = [
        (
            deployment.path,
            deployment.parameters.get("dataset", ""),
            ", ".join(schedule.rule for schedule in deployment.schedules if schedule.active),
            "paused" if deployment.paused else "",
            deployment.problem,
        )
        for deployment in found
    ]
    print_table(
        ["deployment", "dataset", "schedules", "paused", "problem"],
        rows,
        empty="No deployment yet: make one with `treadle deploy`.",
    )


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a deployment with its schedules."""
    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.deployments.deployed import find_deployment
        from treadle.runs.deployments.deploying import list_deployments

        path = find_deployment(name).path
        known = list_deployments(session.ledger, session.settings)
    (found,) = (deployment for deployment in known if deployment.path == path)
    _tell(found, as_json=as_json)


@app.command()
def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a deployment with its schedules; its runs stay."""
    from treadle.cli.output import print_json, print_line
    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.deployments.deploying import remove_deployment

        gone = remove_deployment(name)
    if as_json:
        print_json({"removed": gone.path})
    else:
        print_line(f"Removed deployment {gone.path!r}.")


@app.command()
def pause(name: Name, schedule: OneSchedule = None, as_json: AsJson = False) -> None:
    """Switch the schedules of a deployment off."""
    _switch(name, schedule, paused=True, as_json=as_json)


@app.command()
def resume(name: Name, schedule: OneSchedule = None, as_json: AsJson = False) -> None:
    """Switch the schedules of a deployment on."""
    _switch(name, schedule, paused=False, as_json=as_json)


def _switch(name: str, schedule: str | None, *, paused: bool, as_json: bool) -> None:
    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.deployments.deploying import pause_deployment

        changed = pause_deployment(name, paused=paused, schedule=schedule)
    _tell(changed, as_json=as_json)


def _tell(deployment: Deployed, *, as_json: bool) -> None:
    from treadle.cli.output import note, print_json, print_line, print_table

    if as_json:
        print_json(_document(deployment))
        return
    limit = "" if deployment.limit is None else f", {deployment.limit} at once"
    paused = ", paused" if deployment.paused else ""
    print_line(f"Deployment {deployment.path!r} of workflow {deployment.workflow!r}{limit}{paused}.")
    rows = [
        (
            schedule.slug,
            schedule.rule,
            schedule.timezone,
            "" if schedule.active else "off",
            json.dumps(dict(schedule.parameters)) if schedule.parameters else "",
        )
        for schedule in deployment.schedules
    ]
    if rows:
        print_table(["schedule", "rule", "time zone", "", "parameters"], rows)
    if deployment.problem:
        note(f"Problem: {deployment.problem}")


def _document(deployment: Deployed) -> dict[str, object]:
    from dataclasses import asdict

    return {"path": deployment.path, **asdict(deployment)}
