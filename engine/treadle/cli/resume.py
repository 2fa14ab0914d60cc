"""`treadle resume`: a run that is not done goes on where it ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from treadle.cli.driver_option import Driver, Place
from treadle.cli.options import AsJson, FirstStep, LastStep, RunNumber


class Only(StrEnum):
    """What `--only` takes."""

    FAILED = "failed"


def resume(
    run: RunNumber,
    *,
    only: Annotated[
        Only | None,
        typer.Option(
            help="failed: only units that failed, also of steps that are done in spite of it; "
            "no step after them is begun."
        ),
    ] = None,
    first: FirstStep = None,
    last: LastStep = None,
    driver: Driver = Place.HERE,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that failed, was cancelled or lost its driver; what is done is not done again."""
    from treadle.cli.described import load_run
    from treadle.cli.driver_job import check_driver, drive_in_job
    from treadle.cli.output import note
    from treadle.cli.running import report_outcome, resume_here, server_meanwhile
    from treadle.cli.session import open_session
    from treadle.collect.lifecycle import heal
    from treadle.model.states import RunState
    from treadle.runs.resume import check_resumable, is_fulfilled, scope_of

    with open_session() as session:
        record = load_run(session, run)
        if record.state is RunState.DONE and only is None:
            note(f"Run {run} is done: nothing is left to do.")
            raise typer.Exit(report_outcome(session, record, as_json=as_json))
        heal(session.settings, session.ledger)
        check_resumable(session.ledger, run)
        scope = scope_of(record, only_failed=only is Only.FAILED, first=first, last=last)
        if driver is Place.JOB:
            check_driver(session, record.plan.cluster)
            given = {"--only": only, "--from": first, "--to": last}
            options = [f"{name}={value}" for name, value in given.items() if value is not None]
            record = drive_in_job(session, run, options)
        else:
            with server_meanwhile(session.settings) as ready_server:
                record = resume_here(record, session, ready_server, scope)
        status = report_outcome(session, record, as_json=as_json)
    raise typer.Exit(0 if is_fulfilled(record, scope) else status)
