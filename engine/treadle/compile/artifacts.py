"""A progress artifact in Prefect for every step of a run, updated in place while it runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from treadle.compile.observer import Observer

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

UPDATE_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Progress:
    """What is known of a step, and what of it Prefect has."""

    name: str
    task_run_id: UUID
    units: int = 0
    done: int = 0
    failed: int = 0
    report: str = ""
    is_new: bool = True
    artifact_id: UUID | None = None

    @property
    def percent(self) -> float:
        return 100.0 * (self.done + self.failed) / self.units if self.units else 0.0


class StepArtifacts(Observer):
    """Tells Prefect how far the steps are; from a thread of its own, so that no step waits for it.

    A step that runs is told of every two seconds at most, one that has ended at once. What Prefect does not
    take is lost: the ledger has it.

    Args:
        run_id: The run.
        flow_run_id: The flow run that the artifacts belong to.
    """

    def __init__(self, run_id: int, flow_run_id: UUID) -> None:
        self._run_id = run_id
        self._flow_run_id = flow_run_id
        self._steps: dict[int, _Progress] = {}
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
            self._steps[position] = _Progress(name, task_run_id)

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

    def _keep(self) -> None:
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            is_last = False
            while not is_last:
                steps, is_last = self._wait()
                for position, step in steps.items():
                    self._tell(client, position, step)

    def _wait(self) -> tuple[dict[int, _Progress], bool]:
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

    def _tell(self, client: SyncPrefectClient, position: int, step: _Progress) -> None:
        from httpx import HTTPError
        from prefect.exceptions import PrefectException

        try:
            self._store(client, position, step)
        except (PrefectException, HTTPError) as error:
            logger.warning("artifact_not_stored run=%d step=%d error=%r", self._run_id, position, error)

    def _store(self, client: SyncPrefectClient, position: int, step: _Progress) -> None:
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

        text = self._text(step)
        if step.artifact_id is not None:
            client.update_artifact(step.artifact_id, ArtifactUpdate(data=step.percent, description=text))
            return
        created = client.create_artifact(
            ArtifactCreate(
                key=f"run-{self._run_id}-step-{position}",
                type="progress",
                description=text,
                data=step.percent,
                flow_run_id=self._flow_run_id,
                task_run_id=step.task_run_id,
            )
        )
        step.artifact_id = created.id

    def _text(self, step: _Progress) -> str:
        """Markdown, as Prefect shows it."""
        counts = f"{step.done} done, {step.failed} failed, of {step.units}"
        message, _, details = step.report.partition("\n")
        lines = [f"**{step.name}** of run {self._run_id}: {counts} units", message]
        if details:
            lines += [f"```\n{details}\n```", f"All they printed: `treadle logs {self._run_id} --failed`"]
        return "\n\n".join(line for line in lines if line)
