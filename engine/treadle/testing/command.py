"""The `treadle` command on a home folder of its own, as a test or a script calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Command:
    """Calls `treadle` as a user would, in a process of its own.

    Attributes:
        home: Folder that takes the place of `~/.treadle`.
        variables: Environment variables that it gets besides.
    """

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self, *words: str, code: int = 0, as_json: bool = True, timeout_seconds: float | None = None
    ) -> Answer:
        """Run one command to its end.

        Raises:
            AssertionError: Its exit status is not `code`; the text holds both streams.
            TimeoutExpired: It took longer, and is killed.
        """
        done = subprocess.run(
            self.words(*words, as_json=as_json),
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )
        if done.returncode != code:
            said = f"{done.stderr}{done.stdout}"
            raise AssertionError(f"treadle {' '.join(words)} ended with {done.returncode}:\n{said}")
        return Answer(done.returncode, done.stdout, done.stderr)

    def words(self, *words: str, as_json: bool = True) -> list[str]:
        """Return the whole command, for a caller that starts the process itself."""
        return [sys.executable, "-m", "treadle", *words, *(["--json"] if as_json else [])]

    @property
    def environment(self) -> dict[str, str]:
        """The caller's variables without those of Treadle and Prefect, the home folder, and `variables`."""
        foreign = {k: v for k, v in os.environ.items() if not k.startswith(("TREADLE_", "PREFECT_"))}
        own = {"TREADLE_HOME": str(self.home), "TREADLE_PORT": "0", "TREADLE_WORKERS": "2"}
        return foreign | own | dict(self.variables)
