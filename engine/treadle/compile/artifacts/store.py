"""Writes artifacts to Prefect's server without the events with which its client announces each write.

A progress bar that moves every two seconds would otherwise fill the server's database with events.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

Kind = Literal["progress", "table", "markdown", "image"]
NOTHING_YET: dict[Kind, float | str] = {"progress": 0.0, "table": "[]", "markdown": "", "image": ""}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact as Prefect shows it.

    Attributes:
        name: Its name within the run; its key in Prefect has the run's number before it.
        kind: How Prefect shows the data.
        data: Percent, rows as JSON text, markdown, or a picture's URL.
        description: Markdown beside it.
        task_run_id: The step that it belongs to; None for the whole run.
    """

    name: str
    kind: Kind
    data: float | str
    description: str = ""
    task_run_id: UUID | None = None


class ArtifactStore:
    """The artifacts of one run, in one flow run.

    Args:
        client: Speaks with Prefect's server.
        flow_run_id: The flow run.
        run_id: The run.
    """

    def __init__(self, client: SyncPrefectClient, flow_run_id: UUID, run_id: int) -> None:
        self._client = client
        self._flow_run_id = flow_run_id
        self._run_id = run_id
        self._ids: dict[tuple[str, UUID | None], UUID] = {}
        self._written: dict[str, Artifact] = {}

    def recall(self) -> None:
        """Find the artifacts that an earlier drive of the same flow run left, to bring them up to date."""
        from httpx import HTTPError
        from prefect.exceptions import PrefectException

        asked = {"artifacts": {"flow_run_id": {"any_": [str(self._flow_run_id)]}}, "sort": "CREATED_DESC"}
        try:
            found = self._client.request("POST", "/artifacts/filter", json=asked).json()
        except (PrefectException, HTTPError) as error:
            logger.warning("artifacts_not_found prefect_run=%s error=%r", self._flow_run_id, error)
            return
        for known in found:
            task_run = known["task_run_id"]
            self._ids.setdefault((known["key"], UUID(task_run) if task_run else None), UUID(known["id"]))

    def put(self, artifact: Artifact) -> None:
        """Create an artifact or bring it up to date; what Prefect does not take is lost."""
        from httpx import HTTPError
        from prefect.exceptions import PrefectException

        key = self._key(artifact)
        if self._written.get(key) == artifact:
            return
        try:
            self._write(artifact)
        except (PrefectException, HTTPError) as error:
            logger.warning("artifact_not_stored key=%s error=%r", key, error)
        else:
            self._written[key] = artifact

    def _write(self, artifact: Artifact) -> None:
        from prefect.client.schemas.actions import ArtifactUpdate

        place = (self._key(artifact), artifact.task_run_id)
        if place not in self._ids:
            self._ids[place] = self._create(artifact)
        change = ArtifactUpdate(data=artifact.data, description=artifact.description)
        document = change.model_dump(mode="json", exclude_unset=True)
        known = {"id": self._ids[place]}
        self._client.request("PATCH", "/artifacts/{id}", path_params=known, json=document)

    def _create(self, artifact: Artifact) -> UUID:
        """Create an artifact without its content, which the server would keep in an event too."""
        from prefect.client.schemas.actions import ArtifactCreate

        new = ArtifactCreate(
            key=self._key(artifact),
            type=artifact.kind,
            data=NOTHING_YET[artifact.kind],
            flow_run_id=self._flow_run_id,
            task_run_id=artifact.task_run_id,
        )
        answer = self._client.request(
            "POST", "/artifacts/", json=new.model_dump(mode="json", exclude_unset=True)
        )
        return UUID(answer.json()["id"])

    def _key(self, artifact: Artifact) -> str:
        return f"run-{self._run_id}-{artifact.name}"
