"""How artifacts get to Prefect's server."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

from treadle.compile.artifacts.store import Artifact, ArtifactStore

FLOW_RUN = UUID(int=7)
TASK_RUN = UUID(int=8)


class Server:
    """Takes the requests of a client, or cannot be reached."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.rows: list[dict[str, Any]] = []
        self.is_down = False

    def request(
        self, method: str, path: str, *, path_params: dict[str, Any] | None = None, json: dict[str, Any]
    ) -> httpx.Response:
        """Answer as the artifacts' API does."""
        self.requests.append((method, path, json))
        if self.is_down:
            raise httpx.ConnectError("down")
        if path.endswith("/filter"):
            return httpx.Response(200, json=self.rows)
        if method == "POST":
            self.rows.append({"id": str(uuid4()), "task_run_id": None, **json})
            return httpx.Response(201, json=self.rows[-1])
        [row] = [row for row in self.rows if row["id"] == str((path_params or {})["id"])]
        row.update(json)
        return httpx.Response(204)


@pytest.fixture
def server() -> Server:
    return Server()


def new_store(server: Server) -> ArtifactStore:
    return ArtifactStore(cast("SyncPrefectClient", server), FLOW_RUN, 3)


def test_an_artifact_is_made_empty_and_then_filled(server: Server) -> None:
    new_store(server).put(Artifact("plan", "markdown", "text " * 100, "what", TASK_RUN))

    created, filled = server.requests
    assert created[2] == {
        "key": "run-3-plan",
        "type": "markdown",
        "data": "",
        "flow_run_id": str(FLOW_RUN),
        "task_run_id": str(TASK_RUN),
    }
    assert filled[0] == "PATCH"
    assert server.rows[0]["data"] == "text " * 100


def test_it_is_changed_in_place_and_only_if_it_is_another(server: Server) -> None:
    store = new_store(server)
    for data in (0.0, 50.0, 50.0, 100.0):
        store.put(Artifact("step-0", "progress", data))

    assert [method for method, _, _ in server.requests] == ["POST", "PATCH", "PATCH", "PATCH"]
    assert [row["data"] for row in server.rows] == [100.0]


def test_those_of_an_earlier_drive_are_found_again(server: Server) -> None:
    new_store(server).put(Artifact("steps", "table", "[1]"))
    again = new_store(server)

    again.recall()
    again.put(Artifact("steps", "table", "[2]"))
    again.put(Artifact("steps", "table", "[3]", task_run_id=TASK_RUN))

    assert [(row["data"], row["task_run_id"]) for row in server.rows] == [
        ("[2]", None),
        ("[3]", str(TASK_RUN)),
    ]


def test_a_server_that_is_down_is_left_alone_for_a_while(server: Server) -> None:
    store = new_store(server)
    server.is_down = True
    store.recall()

    store.put(Artifact("a", "progress", 1.0))
    store.put(Artifact("b", "progress", 1.0))

    assert len(server.requests) == 2
