"""The programs of Debian's packages: whether they are here, how they are installed, how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
from fcntl import LOCK_EX, flock
from pathlib import Path

from development_slurm.errors import ClusterError

PACKAGES = {
    "slurmctld": "slurm-wlm",
    "slurmdbd": "slurmdbd",
    "munged": "munge",
    "mariadbd": "mariadb-server",
}
PLUGIN, PLUGIN_PACKAGE = "*/slurm-wlm/accounting_storage_mysql.so", "slurm-wlm-mysql-plugin"
LIBRARIES = Path("/usr/lib")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def find(name: str) -> str:
    """Return the path of a program.

    Raises:
        ClusterError: It is not installed.
    """
    path = shutil.which(name, path=PATH)
    if path is None:
        raise ClusterError(f"{name} is not installed.", "Root on Debian installs it: cluster install")
    return path


def missing() -> list[str]:
    """Return the packages of programs that are not here."""
    packages = [package for program, package in PACKAGES.items() if shutil.which(program, path=PATH) is None]
    return packages if any(LIBRARIES.glob(PLUGIN)) else [*packages, PLUGIN_PACKAGE]


def install() -> None:
    """Install what is missing.

    Raises:
        ClusterError: Not root, not Debian, or the packages could not be had.
    """
    if not missing():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"Not here: {', '.join(missing())}.", "Only root on Debian can install them.")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    with Path(__file__).open() as lock:
        flock(lock, LOCK_EX)  # several may be at it at the same time
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *missing()]):
            call(["apt-get", *words], environment=environment, seconds=600)


def call(command: list[str], *, environment: dict[str, str], seconds: float = 30) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        ClusterError: It failed, or took too long.
    """
    line = " ".join(command)
    try:
        done = subprocess.run(
            [find(command[0]), *command[1:]],
            check=False,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{line} did not end within {seconds:g} s.") from error
    if done.returncode != 0:
        raise ClusterError(f"{line} ended with {done.returncode}.", done.stdout[-4000:])
    return done.stdout
