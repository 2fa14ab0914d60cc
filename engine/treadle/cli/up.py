"""`treadle up`: the server, until it is interrupted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.api import Server

RUNS_LOOKED_AT = 200


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on; TREADLE_HOST if not given.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port, 0 for any free one; TREADLE_PORT if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the server and its web pages; Ctrl-C ends them, but no run that is on its way."""
    from contextlib import ExitStack

    from treadle.api import serve, serving_deployments
    from treadle.cli.output import note, print_json, print_line
    from treadle.settings import load_settings

    settings = load_settings({"host": host, "port": port})
    settings.create_home()

    def ready(server: Server) -> None:
        stack.enter_context(serving_deployments(settings, server))
        if as_json:
            print_json({"ui_url": server.ui_url, "api_url": server.api_url})
        else:
            print_line(f"Open {server.ui_url}")
        sys.stdout.flush()
        note("That URL carries the server's secret: give it to nobody. Ctrl-C ends.")

    note("Starting the server ...")
    with ExitStack() as stack:
        serve(settings, ready)
    for line in _going_on():
        note(line)
    note("Ended.")


def _going_on() -> list[str]:
    """Say of each run and each collection that is on its way how it is followed and ended."""
    from treadle.cli.session import open_session
    from treadle.compile.identity import is_gone
    from treadle.ledger import activities, leases, runs
    from treadle.model.states import RUN_TRANSITIONS

    with open_session() as session, session.ledger.reading() as tx:
        driven = [
            run
            for run in runs.list_runs(tx, RUNS_LOOKED_AT)
            if RUN_TRANSITIONS[run.state] and leases.holder_of(tx, run.id, is_gone=is_gone) is not None
        ]
        busy = activities.under_way(tx, is_gone=is_gone)
    return [
        *(
            f"Run {run.id} of {run.workflow!r} on {run.dataset!r} goes on, and the server with it: "
            f"follow it with treadle follow {run.id}, end it with treadle cancel {run.id}."
            for run in driven
        ),
        *(
            f"Activity {activity.id} ({activity.action} {activity.source}) goes on: "
            f"see treadle activity show {activity.id}, end it with treadle activity cancel {activity.id}."
            for activity in busy
        ),
    ]
