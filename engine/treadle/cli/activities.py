"""`treadle activity`: collections and changes of packages, under way and past."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.ledger.activities import ActivityRecord

app = typer.Typer(help="Collections and changes of packages, under way and past.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of the activity.")]
POLL_SECONDS = 0.5


@app.command("list")
def list_activities(
    limit: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 20, as_json: AsJson = False
) -> None:
    """List the latest activities, without their logs."""
    from treadle.cli.output import print_json, print_table
    from treadle.cli.session import open_session
    from treadle.compile.identity import is_gone
    from treadle.ledger import activities

    with open_session() as session, session.ledger.writing() as tx:
        activities.end_lost(tx, is_gone=is_gone)
        found = activities.list_activities(tx, limit)
    if as_json:
        print_json({"activities": found})
        return
    rows = [
        (entry.id, entry.action, entry.state, entry.source, entry.phase, entry.created_at) for entry in found
    ]
    columns = ["activity", "action", "state", "source", "phase", "asked for"]
    print_table(columns, rows, empty="No activity yet: collect a package with `treadle collect`.")


@app.command("show")
def show_activity(
    number: Number,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an activity and its log."""
    from treadle.cli.output import print_json, print_line

    record = _load(number)
    if as_json:
        print_json(record)
        return
    print_line(f"{record.action} {record.source}: {record.state}")
    _print_log(record, 0)
    while follow and record.ended_at is None:
        time.sleep(POLL_SECONDS)
        before, record = record, _load(number)
        _print_log(record, len(before.log))
    if record.error:
        print_line(f"Error: {record.error}")


@app.command("cancel")
def cancel_activity(number: Number, as_json: AsJson = False) -> None:
    """Ask for the end of an activity; what is half built is removed."""
    from treadle.cli.output import print_json, print_line
    from treadle.cli.session import open_session
    from treadle.ledger import activities

    with open_session() as session, session.ledger.writing() as tx:
        record = activities.request_cancel(tx, number)
    asked = record.state in activities.UNDER_WAY
    if as_json:
        print_json({"activity": number, "asked": asked, "state": record.state})
    elif asked:
        print_line(f"Activity {number} was asked to end.")
    else:
        print_line(f"Activity {number} has ended already: {record.state}.")


def _print_log(record: ActivityRecord, start: int) -> None:
    from treadle.cli.output import print_line

    for line in record.log[start:].splitlines():
        print_line(line)


def _load(number: int) -> ActivityRecord:
    from treadle.cli.session import open_session
    from treadle.compile.identity import is_gone
    from treadle.ledger import activities

    with open_session() as session, session.ledger.writing() as tx:
        activities.end_lost(tx, is_gone=is_gone)
        return activities.load(tx, number)
