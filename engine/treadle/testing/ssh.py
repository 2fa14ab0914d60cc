"""A real SSH server on loopback, with keys of its own, for as long as a test needs it."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from treadle.errors import ClusterError
from treadle.testing.cluster import wait_until

HOST = "127.0.0.1"
_NOTHING: Mapping[str, str] = {}
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class LoopbackSsh:
    """An `sshd` that lets this user in with one key; a context manager around its life.

    Args:
        folder: There already; takes its keys and configuration.
        variables: In the environment of every session; no spaces in them.

    Attributes:
        host: Its address.
        port: Its port, the same from `start` to `start`.
        user: Who is let in.
        key_file: The private key that is let in.
        known_hosts: A file with its own public key.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] = _NOTHING) -> None:
        self.host = HOST
        self.port = _free_port()
        self.user = getpass.getuser()
        self.key_file = folder / "user_key"
        self.known_hosts = folder / "known_hosts"
        self._folder = folder
        self._variables = dict(variables)
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with the keys it had before if there are any; returns when it listens.

        Raises:
            ClusterError: It is not installed, or did not come up.
        """
        program = shutil.which("sshd", path=_PATH)
        if program is None:
            raise ClusterError("sshd is not installed.", remedy="Debian's package is openssh-server.")
        self._make_keys()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it insists on that folder
        log = self._folder / "log"
        words = [program, "-D", "-f", str(self._configure()), "-E", str(log)]
        self._server = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        server = self._server
        wait_until(lambda: server.poll() is not None or _listens(self.port))
        if server.poll() is not None:
            raise ClusterError("sshd did not start.", detail=log.read_text(errors="replace"))

    def stop(self) -> None:
        """Stop it and break every connection."""
        if self._server is not None:
            sessions = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text()
            for pid in (str(self._server.pid), *sessions.split()):
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            self._server.wait()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_keys(self) -> None:
        for name in ("host_key", self.key_file.name):
            if not (self._folder / name).exists():
                words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / name)]
                subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        public = (self._folder / "host_key.pub").read_text()
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {public}")

    def _configure(self) -> Path:
        file = self._folder / "sshd_config"
        lines: dict[str, object] = {
            "ListenAddress": f"{self.host}:{self.port}",
            "HostKey": self._folder / "host_key",
            "AuthorizedKeysFile": self.key_file.with_suffix(".pub"),
            "AllowUsers": self.user,
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "UsePAM": "no",
            "StrictModes": "no",
            "PidFile": "none",
        }
        if self._variables:
            lines["SetEnv"] = " ".join(f"{name}={value}" for name, value in self._variables.items())
        file.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return file


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port: int = taken.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((HOST, port)) == 0
