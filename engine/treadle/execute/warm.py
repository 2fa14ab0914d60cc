"""Warm interpreters: one zygote an interpreter and environment, and the keepers that were forked from it."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

from treadle.execute.keepers import Keeper
from treadle.execute.launcher import Launcher
from treadle.execute.programs.frames import receive, send

PREPARE_SECONDS = 300.0
IDLE_SECONDS = 600.0
LARGEST_BYTES = 2_000_000_000
LAST_WORDS_CHARACTERS = 2_000

_numbers = itertools.count()


class NotForkable(Exception):
    """Why a task's units must be fresh processes."""


class _ZygoteLost(Exception):
    """It ended, or did not answer in time."""


@lru_cache(maxsize=1024)
def is_warmable(words: tuple[str, ...]) -> bool:
    """Whether a command is a Python file that an environment's package has installed.

    Such a file does not change, and neither does what it imports.
    """
    if len(words) < 2 or not sys.platform.startswith("linux"):
        return False
    python, file = Path(words[0]), Path(words[1])
    if not (python.is_absolute() and python.name.startswith("python") and file.suffix == ".py"):
        return False
    return "site-packages" in file.parts and python.parent.parent in file.parents and file.is_file()


class WarmPython:
    """A zygote, replaced when it dies, and its idle keepers; for any number of threads.

    Each time the zygote has imported more, a new generation of keepers begins.

    Args:
        launcher: Where its processes are started.
        python: Absolute path of the interpreter.
        environment: All variables of the units.
    """

    def __init__(self, launcher: Launcher, python: str, environment: Mapping[str, str]) -> None:
        self._launcher = launcher
        self._python = python
        self._environment = environment
        self._lock = threading.Lock()
        self._zygote: socket.socket | None = None
        self._pid = 0
        self._output = launcher.scratch / f"zygote-{next(_numbers)}"
        self._generation = 0
        self._prepared: set[str] = set()
        self._learnt: dict[str, dict[str, None]] = {}
        self._idle: list[Keeper] = []
        self._retired = False

    def lease(self, file: str) -> Keeper:
        """Return a keeper for units that run `file`.

        Raises:
            NotForkable: The file's units must be fresh processes.
            OSError: There is no room for another process.
            WorkerLost: The launcher has ended.
        """
        with self._lock:
            try:
                return self._lease(file)
            except _ZygoteLost:  # killed while it was idle, perhaps: a new one, once
                self._stop()
            try:
                return self._lease(file)
            except _ZygoteLost as lost:
                self._stop()
                raise NotForkable(
                    f"its warm interpreter ended, and said last: {self._last_words()}"
                ) from lost

    def give_back(self, keeper: Keeper, file: str, imported: Iterable[str]) -> None:
        """Take a keeper back, and note what the unit that ran `file` had to import."""
        with self._lock:
            learnt = self._learnt.setdefault(file, {})
            before = len(learnt)
            learnt.update(dict.fromkeys(imported))
            if len(learnt) > before:
                self._prepared.discard(file)
            if self._retired:
                keeper.close()
            else:
                self._idle.append(keeper)

    def retire(self) -> None:
        """End the zygote when the units that run have ended."""
        with self._lock:
            self._retired = True
            self._stop()

    def _lease(self, file: str) -> Keeper:
        if file not in self._prepared:
            self._prepare(file)
        while self._idle:
            keeper = self._idle.pop()
            if keeper.generation == self._generation and keeper.ready:
                return keeper
            keeper.close()
        folder = self._launcher.scratch / f"keeper-{next(_numbers)}"
        folder.mkdir(mode=0o700)
        ours, theirs = socket.socketpair()
        with ExitStack() as stack:
            stack.callback(ours.close)
            with theirs:
                answer = self._ask({"keep": str(folder)}, theirs)
            if "pid" not in answer:
                raise OSError(answer["errno"], os.strerror(answer["errno"]))
            stack.pop_all()
        return Keeper(ours, folder, self._generation)

    def _prepare(self, file: str) -> None:
        request = {"prepare": file, "modules": list(self._learnt.get(file, ()))}
        answer = self._ask(request)
        if answer["resident_bytes"] > LARGEST_BYTES and self._prepared:
            self._stop()  # what other files needed is in it too: begin again with this one
            answer = self._ask(request)
        self._generation += 1
        if answer["refused"] is not None:
            if answer["spoilt"]:
                self._stop()
            raise NotForkable(answer["refused"])
        self._prepared.add(file)

    def _ask(self, request: dict[str, Any], descriptor: socket.socket | None = None) -> dict[str, Any]:
        if self._zygote is None:
            self._zygote, self._pid = self._launcher.start_zygote(
                self._python, self._environment, self._output, idle_seconds=IDLE_SECONDS
            )
            self._zygote.settimeout(PREPARE_SECONDS)
        try:
            send(self._zygote, request, [descriptor.fileno()] if descriptor else [])
            answer = receive(self._zygote)
        except TimeoutError as error:
            os.kill(self._pid, signal.SIGKILL)
            self._stop()
            raise NotForkable(f"its imports took longer than {PREPARE_SECONDS:.0f} s") from error
        except OSError as error:
            raise _ZygoteLost from error
        if answer is None:
            raise _ZygoteLost
        return answer

    def _stop(self) -> None:
        """Let the zygote go; the keepers that run a unit hold it until that has ended."""
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None
        self._generation += 1
        self._prepared.clear()
        while self._idle:
            self._idle.pop().close()

    def _last_words(self) -> str:
        return self._output.read_text(errors="replace")[-LAST_WORDS_CHARACTERS:].strip() or "nothing"
