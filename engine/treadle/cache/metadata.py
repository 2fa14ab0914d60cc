"""What is noted of a call besides its arguments and result: times, environment, git commit, tags."""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pydantic import JsonValue


class Collector(Protocol):
    """Notes something of each call, under a name; values are JSON."""

    @property
    def name(self) -> str:
        """What its notes are filed under."""
        ...

    def begin(self) -> Finish:
        """Look at a call that is about to run; return what notes it when it has ended."""
        ...


class Finish(Protocol):
    """Notes a call that has ended."""

    def __call__(self) -> dict[str, JsonValue]:
        """Return what is noted."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """When a call began and ended, in seconds since 1970 UTC, and how many seconds it took.

    `walltime` is by the wall; `cputime` is this process's in user mode, and `systime` in the kernel, other
    threads included.
    """

    name: str = "runtime"

    def begin(self) -> Finish:
        """Look before the call; what is returned notes it after."""
        started, wall, cpu = time.time(), time.perf_counter(), os.times()

        def finish() -> dict[str, JsonValue]:
            ended = os.times()
            seconds = time.perf_counter() - wall
            return {
                "timestart": started,
                "timestop": started + seconds,
                "walltime": seconds,
                "cputime": ended.user - cpu.user,
                "systime": ended.system - cpu.system,
            }

        return finish


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a call ran: host, user, working directory, versions."""

    name: str = "environment"

    def begin(self) -> Finish:
        """Look before the call; what is returned notes it after."""
        found: dict[str, JsonValue] = {
            "hostname": platform.node(),
            "username": _username(),
            "cwd": _folder(),
            "treadle_version": _treadle_version(),
            "python_version": platform.python_version(),
        }
        return lambda: found


@dataclass(frozen=True, slots=True)
class Git:
    """The commit of the working directory: root, commit, branch, and whether files differ from it.

    All are None outside of a repository.
    """

    name: str = "git"

    def begin(self) -> Finish:
        """Look before the call; what is returned notes it after."""
        root = _git("rev-parse", "--show-toplevel")
        branch = _git("rev-parse", "--abbrev-ref", "HEAD")
        changed = _git("status", "--porcelain")
        found: dict[str, JsonValue] = {
            "root": root,
            "commit": _git("rev-parse", "HEAD"),
            "branch": branch,
            "dirty": None if changed is None else bool(changed),
        }
        return lambda: found


class Tags:
    """What somebody says of the calls within a context."""

    name = "tags"

    def __init__(self, values: Mapping[str, JsonValue]) -> None:
        self._values = dict(values)

    def begin(self) -> Finish:
        """Note nothing before the call."""
        return lambda: self._values


COLLECTORS: Mapping[str, Collector] = {"Runtime": Runtime(), "Environment": Environment(), "Git": Git()}
"""What configuration may name."""


def _username() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, a user may have no name
        return str(os.getuid())


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - as text
    except FileNotFoundError:
        return None


@cache
def _treadle_version() -> str:
    from importlib.metadata import version

    return version("treadle")


def _git(*words: str) -> str | None:
    """Return what git says, or None where it has nothing to say."""
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
