"""`treadle cancel`: the end of a run, from any terminal."""

from __future__ import annotations

import typer

from treadle.cli.options import AsJson, RunNumber

WAIT_SECONDS = 45.0


def cancel(run: RunNumber, as_json: AsJson = False) -> None:
    """End a run; what is done is kept, and the run can be resumed."""
    from treadle.cli.described import load_run, run_document
    from treadle.cli.output import note, print_json, print_line
    from treadle.cli.session import open_session
    from treadle.model.states import RUN_TRANSITIONS
    from treadle.runs.cancel import wait_until_ended

    with open_session() as session:
        before = load_run(session, run)
        record = wait_until_ended(session.ledger, run, WAIT_SECONDS)
    if as_json:
        print_json(run_document(record, []))
    else:
        print_line(f"Run {run}: {record.state}")
    if not RUN_TRANSITIONS[before.state]:
        note(f"Run {run} had ended before.")
    elif RUN_TRANSITIONS[record.state]:
        note(f"Run {run} was asked to end, but has not after {WAIT_SECONDS:.0f} s.")
        raise typer.Exit(1)
