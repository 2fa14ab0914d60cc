"""A run on this machine: the server and the cluster it needs, and its drive."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module

from treadle.api import Server, client_environment, local_server
from treadle.authoring.session import Session
from treadle.clusters import Cluster, open_cluster
from treadle.collect.lifecycle import heal
from treadle.compile.observer import Observer
from treadle.compile.scope import EVERYTHING, Scope
from treadle.ledger.runs import RunRecord
from treadle.model.filters import AttributeFilters
from treadle.model.overlay import NOTHING_SAID, Overlay
from treadle.model.plan import Plan
from treadle.model.profile import LOCAL
from treadle.model.workflow import Workflow
from treadle.runs.submit import Target, make_run_plan, submit
from treadle.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """A run as a person asks for it, with the first and last step where it is of a part.

    `workflow` is the name of a stored workflow, or one that need not be stored; `overrides` are the resources
    that the person names for all of its units; with `refresh` units run also where they would be reused.
    """

    workflow: str | Workflow
    dataset: str
    type_filters: dict[str, bool] = field(default_factory=dict)
    attribute_filters: AttributeFilters = field(default_factory=dict)
    first: str | None = None
    last: str | None = None
    cluster: str = LOCAL
    overrides: Overlay = NOTHING_SAID
    refresh: bool = False

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
            refresh=self.refresh,
        )

    def submit(self, session: Session, *, key: str | None = None) -> int:
        """Write it to the ledger and return the run's id; arguments and errors are those of `submit`."""
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
            refresh=self.refresh,
            key=key,
        )


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told how a run goes.

    Attributes:
        began: Called once, with the run's number, its plan, its cluster and the server, when all are there.
        watching: Takes the names of the steps; the run is driven in this context, and the observer told.
    """

    began: Callable[[int, Plan, Cluster, Server], None]
    watching: Callable[[list[str]], AbstractContextManager[Observer]]


@contextmanager
def server_meanwhile(settings: Settings) -> Iterator[Callable[[], Server]]:
    """Start the server and import its client beside other work; the server is there within the context.

    Yields:
        A function that waits until both is done and returns the server. It raises what `local_server` does.
    """
    with ExitStack() as stack, ThreadPoolExecutor(max_workers=1) as pool:

        def start() -> Server:
            server = stack.enter_context(local_server(settings))
            point_prefect_at(server)
            import_module("treadle.runs.drive")
            return server

        yield pool.submit(start).result


def point_prefect_at(server: Server) -> None:
    """Have Prefect's client in this process speak with a server, be it imported already or not."""
    os.environ.update(client_environment(server))
    if "prefect.context" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


def run_here(
    request: Request, session: Session, ready_server: Callable[[], Server], audience: Audience
) -> RunRecord:
    """Drive a run to its end on this machine's cluster.

    The run enters the ledger when server and cluster are up.

    Args:
        request: What to run.
        session: Settings and ledger.
        ready_server: Waits for the server that shows the run.
        audience: Who is told.

    Raises:
        TreadleError: The plan is wrong, or server or cluster did not start. A failed run is no error here.
    """
    plan = request.plan(session)
    return _drive_here(plan, session, ready_server, audience, get_run=lambda: request.submit(session))


def resume_here(
    run: RunRecord, session: Session, ready_server: Callable[[], Server], audience: Audience, scope: Scope
) -> RunRecord:
    """Drive a run that is not done to its end, as `run_here` does; `scope` says what is to be done of it.

    Raises:
        AlreadyDriven: Another process drives it.
        TreadleError: Server or cluster did not start. A failed run is no error here.
    """
    return _drive_here(run.plan, session, ready_server, audience, get_run=lambda: run.id, scope=scope)


def _drive_here(
    plan: Plan,
    session: Session,
    ready_server: Callable[[], Server],
    audience: Audience,
    *,
    get_run: Callable[[], int],
    scope: Scope = EVERYTHING,
) -> RunRecord:
    with open_cluster(plan.cluster, session.settings) as cluster:
        server = ready_server()
        from treadle.runs.drive import drive  # not before the server is known

        run_id = get_run()
        audience.began(run_id, plan, cluster, server)
        with audience.watching([planned.step.name for planned in plan.steps]) as observer:
            return drive(
                run_id,
                ledger=session.ledger,
                settings=session.settings,
                cluster=cluster,
                observer=observer,
                scope=scope,
            )
