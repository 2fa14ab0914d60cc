"""Running git: apart from terminals and hooks, with credentials where no list of processes shows them."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from treadle.collect.credentials import without_credentials
from treadle.collect.program import run_program
from treadle.collect.progress import Progress
from treadle.collect.sources.git_url import GitUrl
from treadle.errors import SourceInvalid
from treadle.settings import Settings

_DROPPED = re.compile(
    r"(GIT_(?!SSH|SSL|PROXY|HTTP|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)$)|UV_|TREADLE_|PREFECT_|DASK_)"
)
_ALWAYS = {
    "protocol.ext.allow": "never",
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ALLOW_PROTOCOL": "file"}
"""Nobody's configuration: no filters such as those of large files, no changed line ends, no templates."""


class GitFailed(Exception):
    """Git ended with an error; `words` is its own explanation, without credentials."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Git:
    """How git is run for one repository, which it knows as `origin`.

    Attributes:
        place: The repository, with its credentials.
        settings: Limits.
        progress: Hears git's lines, and tells when to stop.
    """

    place: GitUrl
    settings: Settings
    progress: Progress

    def fetch(self, arguments: Sequence[str], *, folder: Path) -> None:
        """Fetch, with the configuration of whoever runs this: keys, certificates, proxies.

        Raises:
            GitFailed: It did not work, or took too long.
            SourceInvalid: Git is not installed.
            Cancelled: The progress was told to stop.
        """
        self._run(["fetch", *arguments], folder, {"GIT_ALLOW_PROTOCOL": ":".join(self.settings.git_schemes)})

    def alone(self, arguments: Sequence[str], *, folder: Path) -> str:
        """Run a command on copies of ours, with nobody's configuration, and return what it printed.

        Raises:
            GitFailed: It did not work, or took too long.
            SourceInvalid: Git is not installed.
            Cancelled: The progress was told to stop.
        """
        return self._run(arguments, folder, _ALONE)

    def _run(self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> str:
        program = shutil.which("git")
        if program is None:
            raise SourceInvalid("git is not installed.", remedy="Install it, or collect a wheel instead.")
        configuration = _configuration(self.place, self.settings)
        try:
            ended = run_program(
                [program, *arguments],
                folder=folder,
                environment={**_environment(os.environ, configuration), **variables},
                seconds=self.settings.build_seconds,
                progress=self.progress,
            )
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"It was stopped after {error.timeout:.0f} seconds (build_seconds).") from error
        if ended.status != 0:
            raise GitFailed(without_credentials(ended.errors.strip()))
        return ended.output


def _configuration(place: GitUrl, settings: Settings) -> dict[str, str]:
    """What git has to know beside its arguments."""
    parts = urlsplit(place.url)
    follow = {} if "*" in settings.git_hosts else {"http.followRedirects": "false"}
    always = {**_ALWAYS, **follow, "remote.origin.url": place.public_url}
    if place.scheme == "ssh" or not parts.username:
        return always
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    header = f"Authorization: Basic {base64.b64encode(user.encode()).decode()}"
    return {**always, f"http.{place.public_url}.extraHeader": header}


def _environment(inherited: Mapping[str, str], configuration: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in inherited.items() if not _DROPPED.match(name)}
    for name in ("SSH_ASKPASS", "DISPLAY"):
        kept.pop(name, None)
    counted = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (name, value) in enumerate(configuration.items()):
        counted |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return {**kept, **counted, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "LC_ALL": "C.UTF-8"}
