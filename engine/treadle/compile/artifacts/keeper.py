"""Keeps what Prefect shows of a run up to date while the run is driven."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from treadle.compile.artifacts.failures import failures_text
from treadle.compile.artifacts.links import timeline_path
from treadle.compile.artifacts.markdown import plain
from treadle.compile.artifacts.pictures import MOST_SHOWN, pictures_text
from treadle.compile.artifacts.plan import plan_text
from treadle.compile.artifacts.progress import Progress, progress_artifact
from treadle.compile.artifacts.store import Artifact, ArtifactStore
from treadle.compile.artifacts.tables import outcome_rows, run_rows
from treadle.compile.context import RunContext
from treadle.compile.naming import flow_run_name, flow_run_tags, name_flow_run
from treadle.compile.observer import Observer
from treadle.errors import TreadleError
from treadle.ledger import runs, usage
from treadle.ledger.pictures import pictures_of_step
from treadle.ledger.runs import RunRecord
from treadle.model.figures import StepFigures
from treadle.model.states import RunState, StepState

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

UPDATE_SECONDS = 2.0
TABLES_SECONDS = 20.0
TABLES_SHARE = 0.05
"""Of the time, to read the figures of very many units while they run."""

logger = logging.getLogger(__name__)


class RunArtifacts(Observer):
    """Tells Prefect how a run goes; from a thread of its own, so that no step waits for it.

    At the beginning: names, tags, plan and timeline. Of a step that runs, its progress every two seconds at
    most and its figures every twenty; of one that has ended, both at once, with the pictures that its units
    declared. At the end of a failed run, why. What Prefect does not take is lost: the ledger has it.

    Args:
        context: The run.
        flow_run_id: The flow run that the artifacts belong to.
        record: The run as it was taken up: what of it was done before.
        is_whole: The flow run is this run, and not somebody's own flow of which the run is a part.
    """

    def __init__(
        self, context: RunContext, flow_run_id: UUID, record: RunRecord, *, is_whole: bool = True
    ) -> None:
        self._context = context
        self._flow_run_id = flow_run_id
        self._record = record
        self._is_whole = is_whole
        self._steps: dict[int, Progress] = {}
        self._figures: dict[int, StepFigures] = {}
        self._unread: dict[int, Progress] = {}
        self._tables_due = 0.0
        self._changed = threading.Condition()
        self._closed = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the artifacts up to date as long as the context lasts; their last form is there at its end."""
        thread = threading.Thread(target=self._keep, name="treadle-artifacts", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify()
            thread.join()

    def begin(self, position: int, name: str, task_run_id: UUID) -> None:
        """A step has begun, as this task run."""
        with self._changed:
            self._steps[position] = Progress(name, task_run_id, cached=self._record.steps[position].done)

    def end(self, position: int, report: str) -> None:
        """A step has ended; the report says how, with the ends of the errors of its units."""
        with self._changed:
            self._steps[position].report = report
            self._steps[position].is_new = True
            self._changed.notify()

    def units_planned(self, position: int, count: int) -> None:
        """Count."""
        with self._changed:
            self._steps[position].units += count
            self._steps[position].is_new = True

    def units_ended(self, position: int, done: int, failed: int) -> None:
        """Count."""
        with self._changed:
            self._steps[position].done += done
            self._steps[position].failed += failed
            self._steps[position].is_new = True

    def units_reused(self, position: int, count: int) -> None:
        """Count."""
        with self._changed:
            self._steps[position].cached += count
            self._steps[position].is_new = True

    def _keep(self) -> None:
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            store = ArtifactStore(client, self._flow_run_id, self._record.id)
            store.recall()
            if self._is_whole:
                self._introduce(client, store)
            is_last = False
            while not is_last:
                steps, is_last = self._wait()
                try:
                    self._tell(store, steps, is_last=is_last)
                except TreadleError as error:  # the ledger does not answer; it is asked again the next time
                    logger.warning("artifacts_not_told run=%d error=%s", self._record.id, error)

    def _introduce(self, client: SyncPrefectClient, store: ArtifactStore) -> None:
        plan, run_id = self._record.plan, self._record.id
        name = flow_run_name(plan.workflow.name, run_id)
        name_flow_run(client, self._flow_run_id, name, flow_run_tags(plan, run_id))
        text = plan_text(self._record, self._context.profile)
        store.put(Artifact("plan", "markdown", text, "What the run does"))
        store.put(Artifact("timeline", "image", timeline_path(run_id), "Steps and workers over time"))

    def _wait(self) -> tuple[dict[int, Progress], bool]:
        """Return the steps of which there is something to tell, once it is time to."""
        deadline = time.monotonic() + UPDATE_SECONDS
        with self._changed:
            while not self._closed and time.monotonic() < deadline:
                if any(step.is_new and step.report for step in self._steps.values()):
                    break
                self._changed.wait(deadline - time.monotonic())
            is_time = self._closed or time.monotonic() >= deadline
            new = {p: step for p, step in self._steps.items() if step.is_new and (is_time or step.report)}
            for step in new.values():
                step.is_new = False
            return new, self._closed

    def _tell(self, store: ArtifactStore, steps: Mapping[int, Progress], *, is_last: bool) -> None:
        for position, step in steps.items():
            store.put(progress_artifact(self._record.id, position, step))
        self._unread.update(steps)
        is_due = is_last or time.monotonic() >= self._tables_due
        wanted = {place: step for place, step in self._unread.items() if is_due or step.report}
        begun = time.monotonic()
        if wanted or is_due:
            self._tell_figures(store, wanted, is_last=is_last)
        if is_due:
            now = time.monotonic()
            self._tables_due = now + max(TABLES_SECONDS, (now - begun) / TABLES_SHARE)

    def _tell_figures(self, store: ArtifactStore, steps: Mapping[int, Progress], *, is_last: bool) -> None:
        for position, step in steps.items():
            self._tell_step(store, position, step)
            del self._unread[position]
        with self._context.ledger.reading() as tx:
            run = runs.load_run(tx, self._record.id)
            failures = failures_text(tx, run, self._figures) if is_last and _has_failed(run) else ""
        rows = json.dumps(run_rows(run.steps, self._figures))
        store.put(Artifact("steps", "table", rows, "Figures of all steps"))
        if failures:
            store.put(Artifact("failures", "markdown", failures, "Why the run failed"))

    def _tell_step(self, store: ArtifactStore, position: int, step: Progress) -> None:
        run_id, name = self._record.id, plain(step.name)
        with self._context.ledger.reading() as tx:
            outcomes = usage.outcomes(tx, run_id, position).get(position, [])
            shown, declaring = pictures_of_step(tx, run_id, position, MOST_SHOWN) if step.report else ([], 0)
        figures = self._figures[position] = StepFigures(outcomes, step.cached)
        rows, what = json.dumps(outcome_rows(figures)), f"How units of **{name}** ended"
        store.put(Artifact(f"step-{position}-figures", "table", rows, what, step.task_run_id))
        if shown:
            text = pictures_text(run_id, position, shown, declaring, self._record.plan.zarr_dir)
            what = f"Pictures of **{name}**"
            store.put(Artifact(f"step-{position}-pictures", "markdown", text, what, step.task_run_id))


def _has_failed(run: RunRecord) -> bool:
    return run.state is RunState.FAILED or any(step.state is StepState.FAILED for step in run.steps)
