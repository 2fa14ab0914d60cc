"""Many who write at once: none is turned away because another wrote first."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from treadle.api import Server

pytestmark = pytest.mark.integration

WRITERS = 16
REQUESTS = 160


def test_requests_that_write_at_once_wait_for_each_other(server: Server) -> None:
    user, password = server.auth_string.split(":")
    with httpx2.Client(base_url=server.api_url, auth=(user, password), timeout=120) as client:
        flow = client.post("/flows/", json={"name": "pressed by many"}).raise_for_status().json()
        wanted = {"name": "form", "flow_id": flow["id"]}
        form = client.post("/deployments/", json=wanted).raise_for_status().json()

        def press(_: int) -> int:
            return client.post(f"/deployments/{form['id']}/create_flow_run", json={}).status_code

        with ThreadPoolExecutor(WRITERS) as writers:
            answers = Counter(writers.map(press, range(REQUESTS)))

        count = client.post("/flow_runs/count", json={"flows": {"id": {"any_": [flow["id"]]}}}).json()
    assert answers == {201: REQUESTS}
    assert count == REQUESTS
