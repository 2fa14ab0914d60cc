"""`treadle follow`: a run that is driven elsewhere."""

from __future__ import annotations

import typer

from treadle.cli.options import AsJson, RunNumber


def follow(run: RunNumber, as_json: AsJson = False) -> None:
    """Show how a run goes on, until its end; stopping to look does not stop it."""
    from treadle.cli.driver_job import follow_shown
    from treadle.cli.running import report_outcome
    from treadle.cli.session import open_session

    with open_session() as session:
        status = report_outcome(session, follow_shown(session, run), as_json=as_json)
    raise typer.Exit(status)
