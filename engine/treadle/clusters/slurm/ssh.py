"""SLURM's commands on another machine, by the system's own ssh."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from treadle.clusters.private_folder import private_folder
from treadle.clusters.slurm.transport import Completed, inherited, run_process
from treadle.errors import HostUnreachable

_FAILED = 255
_KEEP_APART = '"$@"; status=$?; [ "$status" -ne 255 ] || status=254; exit "$status"'
"""Run on the other side, so that 255 is always ssh's own failure; the words come as arguments of it."""

_ALWAYS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ControlMaster": "auto",
    "ControlPersist": "60",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "LogLevel": "ERROR",
}
_REMEDIES = {
    "Host key verification failed": "Put its key, after you have checked it, into the file of known hosts.",
    "Permission denied": "Its user must accept the key, and the key must need no password.",
    "Could not resolve hostname": "Correct the name of the host.",
}
_OTHERWISE = "Jobs that run go on, and the connection is tried again."
_NOTHING: Mapping[str, str] = {}


class SshTransport:
    """Runs commands on another machine over one connection, which stays open for a minute of silence.

    Nobody is asked for a password, and only a host whose key is known is spoken with. What the user's own
    configuration of ssh says of the host (another port, a machine between) holds.

    Args:
        host: Name of the machine.
        user: Who to be there; None leaves it to ssh.
        port: Its port; None leaves it to ssh.
        key_file: The only private key to offer; None leaves it to ssh.
        known_hosts: The only file of host keys to trust; None leaves it to ssh.
        variables: Added to the environment of every command.
    """

    def __init__(
        self,
        host: str,
        *,
        user: str | None = None,
        port: int | None = None,
        key_file: Path | None = None,
        known_hosts: Path | None = None,
        variables: Mapping[str, str] = _NOTHING,
    ) -> None:
        options = dict(_ALWAYS)
        if user is not None:
            options["User"] = user
        if port is not None:
            options["Port"] = str(port)
        if key_file is not None:
            options |= {"IdentityFile": _quoted(key_file), "IdentitiesOnly": "yes"}
        if known_hosts is not None:
            options |= {"UserKnownHostsFile": _quoted(known_hosts), "GlobalKnownHostsFile": "/dev/null"}
        self._host = host
        self._options = options
        self._variables = dict(variables)
        self._folder: Path | None = None
        self._exit = ExitStack()
        self._connecting = asyncio.Lock()
        self._is_connected = False

    async def run(
        self,
        words: Sequence[str],
        stdin: bytes | None = None,
        *,
        variables: Mapping[str, str] = _NOTHING,
    ) -> Completed:
        """See `Transport`. A status of 255 arrives as 254; a killed command as ssh's own failure.

        Raises:
            HostUnreachable: There is no connection, or it broke. The command may have done its work.
        """
        settings = [f"{name}={value}" for name, value in {**self._variables, **variables}.items()]
        remote = shlex.join(["env", *settings, "sh", "-c", _KEEP_APART, "sh", *words])
        if self._is_connected:
            return await self._ssh(remote, stdin)
        async with self._connecting:  # one connection, however many commands are the first
            done = await self._ssh(remote, stdin)
            self._is_connected = True
            return done

    async def close(self) -> None:
        """See `Transport`; the connection is closed."""
        if self._folder is None:
            return
        await run_process([*self._command(), "-O", "exit", "--", self._host], None, _environment())
        self._exit.close()
        self._folder = None
        self._is_connected = False

    async def _ssh(self, remote: str, stdin: bytes | None) -> Completed:
        done = await run_process([*self._command(), "--", self._host, remote], stdin, _environment())
        if done.status != _FAILED and done.status >= 0:
            return done
        self._is_connected = False
        remedy = next((todo for words, todo in _REMEDIES.items() if words in done.stderr), _OTHERWISE)
        what = f"There is no SSH connection with {self._host}, or it broke."
        raise HostUnreachable(what, remedy=remedy, detail=done.stderr)

    def _command(self) -> list[str]:
        if self._folder is None:
            self._folder = self._exit.enter_context(private_folder())  # nobody else can enter it
        options = {**self._options, "ControlPath": _quoted(self._folder / "master")}
        return ["ssh", "-T", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def _quoted(path: Path) -> str:
    """Return a path as ssh's configuration takes it, which expands `%` and splits at spaces."""
    return f'"{str(path).replace("%", "%%")}"'


def _environment() -> dict[str, str]:
    agent = os.environ.get("SSH_AUTH_SOCK")
    return inherited() | ({"SSH_AUTH_SOCK": agent} if agent else {})
