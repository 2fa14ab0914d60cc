"""What Prefect does by itself when a run ends: real calls to real listeners on this machine."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from treadle.api import Server, client_environment
from treadle.testing.command import Command
from treadle.testing.steps import CREATE, mock_step

pytestmark = pytest.mark.integration

MARK = "Mark Item"
SECRET = "token-of-the-hook"
PASSWORD = "word-of-the-post"
DEADLINE_SECONDS = 90


def wait_for(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return value


class Hook(socketserver.StreamRequestHandler):
    """Takes one HTTP request and keeps its path and its body."""

    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        length = 0
        while line := self.rfile.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = self.rfile.read(length)
        self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        self.server.got.append((path, json.loads(body)))  # type: ignore[attr-defined]


class Post(socketserver.StreamRequestHandler):
    """Takes mails by the few words of SMTP that one needs for that, and keeps what was said."""

    def handle(self) -> None:
        said: list[str] = []
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.decode().strip()
            said.append(word)
            if word.upper().startswith("EHLO"):
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif word.upper().startswith("AUTH"):
                self.wfile.write(b"235 welcome\r\n")
            elif word.upper() == "DATA":
                self.wfile.write(b"354 go on\r\n")
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    said.append(text)
                self.wfile.write(b"250 taken\r\n")
            elif word.upper() == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                break
            else:
                self.wfile.write(b"250 well\r\n")
        self.server.got.append(said)  # type: ignore[attr-defined]


@contextmanager
def listening(handler: type[socketserver.StreamRequestHandler]) -> Iterator[tuple[int, list[Any]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        got: list[Any] = []
        server.got = got  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], got
        finally:
            server.shutdown()
            thread.join()


def names(treadle: Command) -> list[str]:
    return [found["name"] for found in treadle("notify", "list").data["notifications"]]


def block_names(prefect: httpx2.Client) -> set[str]:
    found = prefect.post("/block_documents/filter", json={}).raise_for_status().json()
    return {block["name"] for block in found}


def test_a_failed_run_calls_the_webhook_and_sends_the_mail_and_no_text_has_their_secrets(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client, tmp_path: Any
) -> None:
    bench.prepare(mock_step(CREATE, count=1), mock_step(MARK, fail_on=["item_0000"]))
    word = tmp_path / "password"
    word.write_text(f"{PASSWORD}\n")
    before = block_names(prefect)
    with listening(Hook) as (hook, called), listening(Post) as (post, mailed):
        # Given both on request, and asked for twice
        url = f"http://127.0.0.1:{hook}/{SECRET}"
        login = ["--user", "me", "--password-file", str(word), "--from", "treadle@here"]
        smtp = ["--host", "127.0.0.1", "--port", str(post), "--security", "none", *login]
        answers = [
            treadle("notify", *words, "--workflow", bench.name)
            for words in (["webhook", url], ["mail", "you@there", *smtp])
            for _ in range(2)
        ]
        made = {answer.data["name"] for answer in answers}
        assert len(made) == 2
        assert made <= set(names(treadle))

        # When a run fails
        run = bench.run(code=1)

        # Then each has heard of it once
        ((path, told),) = wait_for(lambda: called)
        assert path == f"/{SECRET}"
        assert (told["workflow"], told["state"]) == (bench.name, "failed")
        assert told["run"] == f"{bench.name} {run['id']}"
        assert "Mark Item" in told["message"]
        assert f"run:{run['id']}" in told["tags"]
        assert told["url"].endswith(run["prefect_flow_run_id"])
        (said,) = wait_for(lambda: mailed)
        assert any(word.startswith("AUTH PLAIN") for word in said)
        assert "rcpt to:<you@there>" in [line.lower() for line in said]
        mail = email.message_from_string(
            "\n".join(said[said.index("data") + 1 : -1]), policy=email.policy.SMTP
        )
        assert mail["subject"] == f"{bench.name} {run['id']}: Failed"
        assert "Mark Item" in mail.get_content()
        assert told["url"] in mail.get_content()

        # And the secrets are in no text, nor in what Prefect's API tells
        blocks = prefect.post("/block_documents/filter", json={}).text
        automations = prefect.post("/automations/filter", json={}).text
        log = (server.folder / "server.log").read_text()
        texts = [answer.stdout + answer.stderr for answer in answers]
        for text in (blocks, automations, log, *texts):
            assert SECRET not in text
            assert PASSWORD not in text

        # And they are removed with their blocks
        assert len(block_names(prefect) - before) == 2
        for name in made:
            treadle("notify", "remove", name)
        assert made.isdisjoint(names(treadle))
        assert block_names(prefect) == before


def test_workflows_whose_names_differ_in_punctuation_alone_have_webhooks_of_their_own(
    treadle: Command, prefect: httpx2.Client, tmp_path: Path
) -> None:
    before = block_names(prefect)
    file = tmp_path / "workflow.json"
    made = []
    for number, workflow in enumerate(("one two", "one-two", "One Two")):
        file.write_text(json.dumps({"name": workflow, "task_list": [mock_step(CREATE, count=1)]}))
        treadle("workflow", "import", str(file))
        url = f"http://127.0.0.1:9/{number}"
        made.append(treadle("notify", "webhook", url, "--workflow", workflow).data["name"])

    assert len(block_names(prefect) - before) == 3
    for name in made:
        treadle("notify", "remove", name)
    assert block_names(prefect) == before


def test_a_run_that_is_done_starts_another_deployment_on_the_same_dataset(
    bench: Any, treadle: Command, prefect: httpx2.Client
) -> None:
    bench.prepare(mock_step(CREATE, count=1))
    other = treadle("deploy", bench.name, "--name", "next").data
    made = treadle("notify", "start", other["path"], "--after", bench.name, "--same-dataset").data

    run = bench.run()

    def follow_ups() -> list[dict[str, Any]]:
        asked = {"deployments": {"id": {"any_": [other["id"]]}}, "flow_runs": {"state": {}}}
        asked["flow_runs"] = {"state": {"type": {"any_": ["SCHEDULED"]}}}
        found: list[dict[str, Any]] = prefect.post("/flow_runs/filter", json=asked).json()
        return found

    (started,) = wait_for(follow_ups)
    assert started["parameters"]["dataset"] == run["dataset"] == bench.name
    treadle("notify", "remove", made["name"])
    treadle("deployment", "remove", other["path"])


def test_a_flow_run_that_falls_silent_is_called_crashed(
    treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    program = "from datetime import timedelta; from treadle.runs.automations import detect_zombies; "
    subprocess.run(
        [sys.executable, "-c", f"{program}detect_zombies(timedelta(seconds=10))"],
        env=treadle.environment | client_environment(server),
        check=True,
    )
    assert "zombies" in names(treadle)
    flow = prefect.post("/flows/", json={"name": f"silent {uuid4()}"}).json()
    running = {"flow_id": flow["id"], "state": {"type": "RUNNING", "name": "Running"}}
    flow_run = prefect.post("/flow_runs/", json=running).json()
    heartbeat = {
        "event": "prefect.flow-run.heartbeat",
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{flow_run['id']}"},
    }
    prefect.post("/events", json=[heartbeat]).raise_for_status()

    wait_for(lambda: prefect.get(f"/flow_runs/{flow_run['id']}").json()["state_type"] == "CRASHED")

    treadle("notify", "remove", "zombies")


def test_a_mistake_is_told_in_one_sentence(treadle: Command) -> None:
    for words, said in (
        (["webhook", "ftp://here"], "none of http or https"),
        (["webhook", "http://here", "--on", "late"], "'late' is not a valid Moment"),
        (["webhook", "http://here", "--workflow", "nothing"], "no workflow"),
        (["start", "nothing", "--after", "nothing"], "no workflow"),
        (["remove", "nothing"], "no notification 'nothing'"),
        (["mail", "you@there", "--host", "h", "--from", "me@here", "--security", "some"], "security"),
    ):
        answer = treadle("notify", *words, code=2)
        assert said.lower() in answer.stderr.lower()
        assert "Traceback" not in answer.stderr
