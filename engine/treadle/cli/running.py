"""A run on this machine, as a person sees it: how it goes, and its outcome."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from treadle.api import Server
from treadle.authoring import here
from treadle.authoring.here import Audience, Request, server_meanwhile
from treadle.cli.described import failure_text, load_failures, print_steps, run_document
from treadle.cli.output import note, print_json, print_line
from treadle.cli.progress import watching
from treadle.cli.session import Session
from treadle.clusters import Cluster
from treadle.compile.scope import Scope
from treadle.errors import Cancelled, RunFailed
from treadle.ledger.runs import RunRecord
from treadle.model.plan import Plan
from treadle.model.states import RunState

__all__ = ["Request", "report_outcome", "resume_here", "run_here", "server_meanwhile"]

_EXIT_STATUSES = {
    RunState.DONE: 0,
    RunState.FAILED: RunFailed.exit_code,
    RunState.CANCELLED: Cancelled.exit_code,
}

_ENDINGS = {RunState.DONE: "is done", RunState.FAILED: "failed", RunState.CANCELLED: "was cancelled"}


def run_here(request: Request, session: Session, ready_server: Callable[[], Server]) -> RunRecord:
    """Drive a run to its end, showing how it goes; see `treadle.authoring.here`."""
    return here.run_here(request, session, ready_server, _audience("Run {run} of"))


def resume_here(
    run: RunRecord, session: Session, ready_server: Callable[[], Server], scope: Scope
) -> RunRecord:
    """Drive a run that is not done to its end, showing how it goes; see `treadle.authoring.here`."""
    return here.resume_here(run, session, ready_server, _audience("Resuming run {run} of"), scope)


def _audience(doing: str) -> Audience:
    def began(run_id: int, plan: Plan, cluster: Cluster, server: Server) -> None:
        what = f"{doing.format(run=run_id)} {plan.workflow.name!r} on {plan.dataset!r}"
        note(f"{what}, {cluster.slots} units at once")
        if sys.stderr.isatty():
            note(f"Watch it at {server.ui_url}")

    return Audience(began, watching)


def report_outcome(
    session: Session, run: RunRecord, *, as_json: bool, more: Mapping[str, object] | None = None
) -> int:
    """Print the table of steps, and on standard error why the run is not done.

    Args:
        session: Settings and ledger.
        run: The run at its end.
        as_json: Print a JSON document instead of a table.
        more: What the JSON document holds besides the run.

    Returns:
        The exit status that belongs to the run's state.
    """
    failures = load_failures(session, run)
    if as_json:
        print_json({**run_document(run, failures), **(more or {})})
    else:
        print_steps(run)
        print_line(f"Run {run.id} {_ENDINGS[run.state]}. Results are in {run.plan.zarr_dir}")
    if run.state is RunState.FAILED:
        note(f"Error: run {run.id} failed.\n{failure_text(run, failures)}")
    elif run.state is RunState.CANCELLED:
        note(f"Cancelled: run {run.id}. What was done is kept; go on with treadle resume {run.id}")
    return _EXIT_STATUSES[run.state]
