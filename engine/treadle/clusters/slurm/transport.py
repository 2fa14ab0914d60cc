"""How a command reaches the machine where SLURM's commands are: the port, and this machine itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from treadle.errors import ControllerAway

NOT_FOUND = 127

_INHERITED = frozenset(
    {
        "HOME",
        "KRB5CCNAME",
        "LANG",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "SHELL",
        "SLURM_CONF",
        "TMPDIR",
        "TZ",
    }
)
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended.

    Attributes:
        status: Its exit status; below 0 the signal that killed it; 127 where there is no such command.
        stdout: What it printed.
        stderr: What it printed as errors.
    """

    status: int
    stdout: str
    stderr: str


class Transport(Protocol):
    """Runs commands on one machine, each in an environment that holds nothing of a surrounding job.

    `sbatch` hands its environment on to the job, unless the job's script says otherwise.
    """

    async def run(
        self,
        words: Sequence[str],
        stdin: bytes | None = None,
        *,
        variables: Mapping[str, str] = _NOTHING,
    ) -> Completed:
        """Run a command to its end, whatever that is; no shell reads the words. If cancelled, it is killed.

        Args:
            words: Name and arguments.
            stdin: What it reads; nothing if None.
            variables: Added to its environment.

        Raises:
            ControllerAway: It could not be started, or nobody knows how it ended. It may have done its work.
        """

    async def close(self) -> None:
        """Leave nothing behind."""


class LocalTransport:
    """Runs commands on this machine.

    Args:
        variables: Added to the environment of every command.
    """

    def __init__(self, variables: Mapping[str, str] = _NOTHING) -> None:
        self._variables = dict(variables)

    async def run(
        self,
        words: Sequence[str],
        stdin: bytes | None = None,
        *,
        variables: Mapping[str, str] = _NOTHING,
    ) -> Completed:
        """See `Transport`."""
        return await run_process(words, stdin, {**inherited(), **self._variables, **variables})

    async def close(self) -> None:
        """See `Transport`."""


def inherited() -> dict[str, str]:
    """Return what commands get of this process's environment: where they are, who calls, which SLURM."""
    return {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("LC_")}


async def run_process(words: Sequence[str], stdin: bytes | None, environment: dict[str, str]) -> Completed:
    """Run a process to its end; if cancelled, kill it and all it started.

    Raises:
        ControllerAway: It could not be started.
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *words,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    try:
        process = await asyncio.shield(starting)  # a start that is cancelled leaves what was started
        stdout, stderr = await process.communicate(stdin)
    except FileNotFoundError:
        return Completed(NOT_FOUND, "", f"{words[0]}: not found on PATH")
    except OSError as error:
        raise ControllerAway(f"{words[0]} could not be started: {error.strerror}.") from error
    except asyncio.CancelledError:
        with suppress(OSError):
            process = await starting
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
        raise
    status = await process.wait()
    return Completed(status, stdout.decode(errors="replace"), stderr.decode(errors="replace").strip())
