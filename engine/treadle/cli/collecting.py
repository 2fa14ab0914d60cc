"""Collecting from the command line: in a flow run of Prefect where a server shows it, else by itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from treadle.cli.output import note
from treadle.collect import Collected, CollectOptions
from treadle.collect.collection import find_collected
from treadle.collect.credentials import without_credentials
from treadle.collect.progress import Progress
from treadle.collect.sources.grammar import PathSource, parse_source
from treadle.errors import CollectError

if TYPE_CHECKING:
    from treadle.cli.session import Session


def collect_here(source: str, options: CollectOptions, session: Session) -> Collected:
    """Collect a package, telling on standard error how it goes.

    What is new becomes a flow run where the home's server runs, unless the source carries credentials, which
    Prefect must not keep. Errors are those of `collect`.
    """
    from treadle.api import client_environment, running_server

    source = _absolute(source)
    tell = _each_once()
    with running_server(session.settings) as server:
        if server is None or without_credentials(source) != source:
            return _collect_alone(source, options, session, tell)
        there = _find(source, options, session, tell)
        if there is not None:
            return there
        os.environ.update(client_environment(server))  # Prefect reads it when it is first imported
        from treadle.runs.flows.collection import collect_in_flow

        return collect_in_flow(source, options, settings=session.settings, ledger=session.ledger, tell=tell)


def _absolute(source: str) -> str:
    """Return a path as one that another process finds too; any other source as it is."""
    asked = parse_source(source)
    return str(asked.path.expanduser().absolute()) if isinstance(asked, PathSource) else source


def _each_once() -> Callable[[str], None]:
    """Tell a phase when it begins for the first time: what was prepared to look is not prepared again."""
    told = set()

    def tell(phase: str) -> None:
        if phase not in told:
            told.add(phase)
            note(phase)

    return tell


def _find(
    source: str, options: CollectOptions, session: Session, tell: Callable[[str], None]
) -> Collected | None:
    """Look for it; what is wrong with the source is told where it is collected."""
    try:
        return find_collected(
            source,
            settings=session.settings,
            ledger=session.ledger,
            progress=Progress(tell),
            options=options,
        )
    except CollectError:
        return None


def _collect_alone(
    source: str, options: CollectOptions, session: Session, tell: Callable[[str], None]
) -> Collected:
    from treadle.runs.activity import Watcher
    from treadle.runs.collecting import collect_recorded

    return collect_recorded(
        source, options, settings=session.settings, ledger=session.ledger, watcher=Watcher(tell=tell)
    )
