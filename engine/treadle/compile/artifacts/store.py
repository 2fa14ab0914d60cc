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

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact as Prefect shows it.

    Attributes:
        key: Its name; what has the same key later takes its place.
        kind: How Prefect shows the data.
        data: Percent, rows as JSON text, markdown, or a picture's URL.
        description: Markdown beside it.
        task_run_id: The step that it belongs to; None for the whole run.
    """

    key: str
    kind: Kind
    data: float | str
    description: str = ""
    task_run_id: UUID | None = None


class ArtifactStore:
    """The artifacts of one flow run.

    Args:
        client: Speaks with Prefect's server.
        flow_run_id: The flow run.
    """

    def __init__(self, client: SyncPrefectClient, flow_run_id: UUID) -> None:
        self._client = client
        self._flow_run_id = flow_run_id
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

        if self._written.get(artifact.key) == artifact:
            return
        try:
            self._write(artifact)
        except (PrefectException, HTTPError) as error:
            logger.warning("artifact_not_stored key=%s error=%r", artifact.key, error)
        else:
            self._written[artifact.key] = artifact

    def _write(self, artifact: Artifact) -> None:
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

        known = self._ids.get((artifact.key, artifact.task_run_id))
        if known is not None:
            change = ArtifactUpdate(data=artifact.data, description=artifact.description)
            document = change.model_dump(mode="json", exclude_unset=True)
            self._client.request("PATCH", "/artifacts/{id}", path_params={"id": known}, json=document)
            return
        new = ArtifactCreate(
            key=artifact.key,
            type=artifact.kind,
            description=artifact.description,
            data=artifact.data,
            flow_run_id=self._flow_run_id,
            task_run_id=artifact.task_run_id,
        )
        answer = self._client.request(
            "POST", "/artifacts/", json=new.model_dump(mode="json", exclude_unset=True)
        )
        self._ids[artifact.key, artifact.task_run_id] = UUID(answer.json()["id"])
