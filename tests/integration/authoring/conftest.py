"""Scripts of an author, run on the session's home, and what Prefect says of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from treadle.api import Server
from treadle.testing.command import Command

Ask = Callable[..., Any]


class Script:
    """A script in a folder of its own; what it prints last is a JSON document."""

    def __init__(self, treadle: Command, folder: Path) -> None:
        self.treadle = treadle
        self.folder = folder

    def write(self, text: str, name: str = "study.py") -> Path:
        """Write a file of the script."""
        file = self.folder / name
        file.write_text(text)
        return file

    def words(self, *arguments: str) -> list[str]:
        """Return the command that runs it."""
        return [sys.executable, "-W", "error::UserWarning:treadle", str(self.folder / "study.py"), *arguments]

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which it runs: the home's, and nothing of Prefect."""
        return self.treadle.environment

    def execute(self, *arguments: str) -> Any:
        """Run it with `treadle exec`, and return what it printed last."""
        words = self.treadle.words("exec", *self.words(*arguments), as_json=False)
        return self._answer(words)

    def run(self, text: str, *arguments: str) -> Any:
        """Write it, run it to its end and return what it printed last."""
        self.write(text)
        return self._answer(self.words(*arguments))

    def _answer(self, words: list[str]) -> Any:
        done = subprocess.run(
            words,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def script(treadle: Command, tmp_path: Path) -> Script:
    return Script(treadle, tmp_path)


@pytest.fixture(scope="session")
def ask_prefect(server: Server) -> Ask:
    """Asks Prefect's server; with a document it posts that."""
    user, password = server.auth_string.split(":")

    def ask(path: str, document: Any = None) -> Any:
        with httpx2.Client(base_url=server.api_url, auth=(user, password)) as client:
            answer = client.get(path) if document is None else client.post(path, json=document)
            return answer.raise_for_status().json()

    return ask
