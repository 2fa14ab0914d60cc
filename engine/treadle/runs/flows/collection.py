"""A collection as a Prefect flow: its log, its progress and what it gave; cancelled and retried there, too.

Import this only when Prefect's address and secret are in the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from httpx import HTTPError
from prefect import Flow, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.flow_engine import run_flow
from prefect.runtime import flow_run
from prefect.states import Cancelled as CancelledState
from prefect.states import Completed, Failed, Pending

from treadle.collect import Collected, CollectOptions
from treadle.compile.identity import this_driver
from treadle.compile.prefect_runs import is_cancelled
from treadle.errors import Cancelled, ServerError, TreadleError
from treadle.ledger import Ledger, sqlite_url
from treadle.runs.activity import Watcher
from treadle.runs.collecting import collect_recorded
from treadle.settings import Settings, load_settings

FLOW = "Collect a package"
DEPLOYMENT = "collect"

_SHARES = {"building the wheel": 10.0, "resolving": 25.0, "building the environment": 40.0, "reading": 95.0}
"""How far a collection is when a phase begins, in per cent, by how the phase is told."""

Perform = Callable[[str, CollectOptions, Watcher], Collected]

_NO_VERSIONS: dict[str, str] = {}


def make_flow(perform: Perform) -> Flow[..., State[Any]]:
    """Return the flow of a collection; it ends as Completed, Failed or Cancelled."""

    def collect_package(  # noqa: PLR0917 - Prefect calls it by the names, and makes a form of them
        source: str,
        python: str = "",
        pins: dict[str, str] = _NO_VERSIONS,
        overrides: dict[str, str] = _NO_VERSIONS,
        exclude_newer: str = "",
        builds: tuple[str, ...] = (),
        editable: bool = False,
    ) -> State[Any]:
        """Give a task package an environment of its own and put its tasks into the ledger.

        Args:
            source: name[extra]==version, the path of a folder, wheel, archive or script, or git+URL@ref.
            python: Version out of the setting pythons, or path of an interpreter; empty: the default.
            pins: Versions, by the names of distributions, that the resolution has to keep to.
            overrides: Versions that are installed whatever the packages ask for.
            exclude_newer: Date or time; what the index got later is not seen.
            builds: Distributions of an index that may be built from source.
            editable: Use the folder's own files, not a copy of them.
        """
        options = CollectOptions(
            python=python or None,
            pins=pins,
            overrides=overrides,
            exclude_newer=exclude_newer or None,
            builds=builds,
            editable=editable,
        )
        try:
            with _shown() as watcher:
                collected = perform(source, options, watcher)
                create_markdown_artifact(_description(collected), key="collected", description=source)
        except Cancelled as error:
            return CancelledState(message=str(error))
        except TreadleError as error:
            get_run_logger().error("%s\n%s", error, error.detail)
            return Failed(message=str(error))
        return Completed(message=f"Collected {collected.package.name} {collected.package.version}.")

    return Flow(collect_package, name=FLOW, flow_run_name="{source}", persist_result=False)


def _perform_here(source: str, options: CollectOptions, watcher: Watcher) -> Collected:
    settings = load_settings()
    with Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite")) as ledger:
        return collect_recorded(source, options, settings=settings, ledger=ledger, watcher=watcher)


collect_package = make_flow(_perform_here)
"""What a worker calls for the deployment: settings and ledger are those of its own environment."""


def collect_in_flow(
    source: str,
    options: CollectOptions,
    *,
    settings: Settings,
    ledger: Ledger,
    tell: Callable[[str], None],
) -> Collected:
    """Collect in this process, within a new flow run.

    It is a run of the deployment if there is one, so that it can be retried in the UI.

    Args:
        source: The source's text, without credentials: Prefect keeps it.
        options: What is asked beside it.
        settings: Where things are kept.
        ledger: Where package and activity are recorded.
        tell: Takes what is under way.

    Raises:
        CollectError: As for `collect`.
        Cancelled: Somebody asked for the end.
        ServerError: Prefect's server did not take the flow run.
    """
    outcome: list[Collected | BaseException] = []

    def perform(source: str, options: CollectOptions, watcher: Watcher) -> Collected:
        try:
            collected = collect_recorded(
                source, options, settings=settings, ledger=ledger, watcher=_also_told(watcher, tell)
            )
        except BaseException as error:
            outcome.append(error)
            raise
        outcome.append(collected)
        return collected

    parameters = {"source": source, **options.model_dump(mode="json", exclude_defaults=True)}
    try:
        with get_client(sync_client=True) as client:
            run = _new_flow_run(client, parameters)
        run_flow(make_flow(perform), flow_run=run, parameters=parameters, return_type="state")
    except (PrefectException, HTTPError, RuntimeError) as error:
        if not outcome:
            raise _not_taken(str(error)) from error
    if not outcome:
        raise _not_taken("its flow run was ended before it began")
    (end,) = outcome
    if isinstance(end, BaseException):
        raise end
    return end


def _not_taken(why: str) -> ServerError:
    return ServerError(
        f"Prefect's server did not take the collection: {why}.",
        remedy="See server/server.log in Treadle's home folder, then collect again.",
    )


def _new_flow_run(client: SyncPrefectClient, parameters: dict[str, Any]) -> FlowRun:
    """Create a flow run that no worker takes: it is not scheduled, this process calls it.

    A worker that starts meanwhile watches this process as if it were a driver.
    """
    try:
        deployment = client.read_deployment_by_name(f"{FLOW}/{DEPLOYMENT}")
    except ObjectNotFound:
        return client.create_flow_run(collect_package, parameters=parameters, state=Pending())
    run = client.create_flow_run_from_deployment(
        deployment.id, parameters=parameters, state=Pending(), name=parameters["source"]
    )
    client.update_flow_run(run.id, infrastructure_pid=this_driver())
    return run


def _also_told(watcher: Watcher, tell: Callable[[str], None]) -> Watcher:
    def both(phase: str) -> None:
        tell(phase)
        watcher.tell(phase)

    return Watcher(both, watcher.log, watcher.wants_end, watcher.flow_run_id)


@contextmanager
def _shown() -> Iterator[Watcher]:
    """Show what is told in the flow run's log and in a progress artifact, and hear of its cancellation."""
    logger = get_run_logger()
    number = str(flow_run.get_id())
    artifact = create_progress_artifact(0.0, key="collection", description="collection")
    if not isinstance(artifact, UUID):
        raise TypeError("a flow's body is not asynchronous")

    def tell(phase: str) -> None:
        logger.info("%s", phase)
        share = next((share for words, share in _SHARES.items() if phase.startswith(words)), None)
        if share is not None:
            update_progress_artifact(artifact, progress=share, description=phase)

    def log(line: str) -> None:
        logger.info("%s", line)

    with get_client(sync_client=True) as client:
        yield Watcher(tell, log, lambda: is_cancelled(client, number), number)
    update_progress_artifact(artifact, progress=100.0, description="collected")


def _description(collected: Collected) -> str:
    package, environment = collected.package, collected.environment
    rows = "".join(f"| {task.name} | {task.type} |\n" for task in collected.tasks)
    return (
        f"**{package.name} {package.version}** from {package.source}, in {collected.seconds:.1f} s\n\n"
        f"Environment `{environment.id}`: Python {environment.python_version}, "
        f"{environment.size_bytes / 1e6:.0f} MB\n\n| task | type |\n| --- | --- |\n{rows}"
    )
