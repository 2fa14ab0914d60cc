"""A run on this machine: the server and the cluster it needs, its drive, its outcome."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module

from treadle.api import Server, client_environment, local_server
from treadle.cli.described import failure_text, load_failures, print_steps, run_document
from treadle.cli.output import note, print_json, print_line
from treadle.cli.progress import watching
from treadle.cli.session import Session
from treadle.clusters import open_cluster
from treadle.collect.lifecycle import heal
from treadle.compile.scope import EVERYTHING, Scope
from treadle.errors import Cancelled, RunFailed
from treadle.ledger.runs import RunRecord
from treadle.model.filters import AttributeFilters
from treadle.model.overlay import NOTHING_SAID, Overlay
from treadle.model.plan import Plan
from treadle.model.profile import LOCAL
from treadle.model.states import RunState
from treadle.runs.submit import Target, make_run_plan, submit
from treadle.settings import Settings

_EXIT_STATUSES = {
    RunState.DONE: 0,
    RunState.FAILED: RunFailed.exit_code,
    RunState.CANCELLED: Cancelled.exit_code,
}

_ENDINGS = {RunState.DONE: "is done", RunState.FAILED: "failed", RunState.CANCELLED: "was cancelled"}


@dataclass(frozen=True, slots=True)
class Request:
    """A run as a person asks for it, with the first and last step where it is of a part.

    `overrides` are the resources that the person names for all of its units.
    """

    workflow: str
    dataset: str
    type_filters: dict[str, bool] = field(default_factory=dict)
    attribute_filters: AttributeFilters = field(default_factory=dict)
    first: str | None = None
    last: str | None = None
    cluster: str = LOCAL
    overrides: Overlay = NOTHING_SAID

    def target(self, settings: Settings) -> Target:
        """Return where it is to run.

        Raises:
            UnknownName: There is no such cluster.
        """
        return Target(self.cluster, settings.cluster(self.cluster), self.overrides)

    def plan(self, session: Session) -> Plan:
        """Resolve it; nothing is written. Errors are those of `make_run_plan`."""
        heal(session.settings, session.ledger)
        return make_run_plan(
            session.ledger,
            workflow=self.workflow,
            dataset=self.dataset,
            type_filters=self.type_filters,
            attribute_filters=self.attribute_filters,
            first=self.first,
            last=self.last,
            target=self.target(session.settings),
        )

    def submit(self, session: Session) -> int:
        """Write it to the ledger and return the run's id. Errors are those of `make_run_plan`."""
        heal(session.settings, session.ledger)
        return submit(
            session.ledger,
            workflow=self.workflow,
            dataset=self.dataset,
            type_filters=self.type_filters,
            attribute_filters=self.attribute_filters,
            first=self.first,
            last=self.last,
            target=self.target(session.settings),
        )


@contextmanager
def server_meanwhile(settings: Settings) -> Iterator[Callable[[], Server]]:
    """Start the server and import its client beside other work; the server is there within the context.

    Yields:
        A function that waits until both is done and returns the server. It raises what `local_server` does.
    """
    with ExitStack() as stack, ThreadPoolExecutor(max_workers=1) as pool:

        def start() -> Server:
            server = stack.enter_context(local_server(settings))
            os.environ.update(client_environment(server))  # Prefect reads it when it is first imported
            import_module("treadle.runs.drive")
            return server

        yield pool.submit(start).result


def run_here(request: Request, session: Session, ready_server: Callable[[], Server]) -> RunRecord:
    """Drive a run to its end on this machine's cluster, showing how it goes.

    The run enters the ledger when server and cluster are up.

    Args:
        request: What to run.
        session: Settings and ledger.
        ready_server: Waits for the server that shows the run.

    Raises:
        TreadleError: The plan is wrong, or server or cluster did not start. A failed run is no error here.
    """
    plan = request.plan(session)
    return _drive_here(
        plan, session, ready_server, get_run=lambda: request.submit(session), doing="Run {run} of"
    )


def resume_here(
    run: RunRecord, session: Session, ready_server: Callable[[], Server], scope: Scope
) -> RunRecord:
    """Drive a run that is not done to its end, as `run_here` does; `scope` says what is to be done of it.

    Raises:
        AlreadyDriven: Another process drives it.
        TreadleError: Server or cluster did not start. A failed run is no error here.
    """
    return _drive_here(
        run.plan,
        session,
        ready_server,
        get_run=lambda: run.id,
        doing="Resuming run {run} of",
        scope=scope,
    )


def _drive_here(
    plan: Plan,
    session: Session,
    ready_server: Callable[[], Server],
    *,
    get_run: Callable[[], int],
    doing: str,
    scope: Scope = EVERYTHING,
) -> RunRecord:
    with open_cluster(plan.cluster, session.settings) as cluster:
        server = ready_server()
        from treadle.runs.drive import drive  # not before the server is known

        run_id = get_run()
        what = f"{doing.format(run=run_id)} {plan.workflow.name!r} on {plan.dataset!r}"
        note(f"{what}, {cluster.slots} units at once")
        if sys.stderr.isatty():
            note(f"Watch it at {server.ui_url}")
        with watching([planned.step.name for planned in plan.steps]) as observer:
            return drive(
                run_id,
                ledger=session.ledger,
                settings=session.settings,
                cluster=cluster,
                observer=observer,
                scope=scope,
            )


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
