"""Running uv: the one place that starts it and reads its refusals."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from treadle.collect.cache import cache_variables
from treadle.collect.credentials import secrets_of, without_credentials
from treadle.collect.program import Ended, run_program
from treadle.collect.progress import Progress
from treadle.collect.storage import REFUSALS, storage_full
from treadle.collect.uv_building import apart_from_secrets, may_build
from treadle.errors import StorageFull
from treadle.settings import Settings

_ALWAYS = ("--no-config", "--no-progress", "--color", "never")
_KEPT = re.compile(
    r"UV_((DEFAULT_|EXTRA_)?INDEX|FIND_LINKS|NO_INDEX|OFFLINE|CACHE_DIR|LINK_MODE|EXCLUDE_NEWER|KEYRING_PROVIDER"
    r"|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|HTTP_|REQUEST_TIMEOUT|CONCURRENT_|LOCK_TIMEOUT|NETRC)"
)
"""Which of uv's own variables reach it: where packages come from and how, never which versions are chosen."""

_DROPPED = re.compile(r"(UV|TREADLE|PREFECT|DASK|PYTHON|VIRTUAL_ENV|CONDA)")
_UNREACHABLE = re.compile(r"Failed to fetch|error sending request|network was disabled")
_YES = frozenset({"1", "y", "yes", "t", "true", "on"})
_SYSTEM = re.compile(r"os error (\d+)\)")
_QUOTED_PATH = re.compile(r"`(/[^`]+)`")


class UvFailed(Exception):
    """Uv ended with an error; `words` is its own explanation, without credentials."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words

    @property
    def unreachable(self) -> bool:
        """Whether a package index could not be asked."""
        return _UNREACHABLE.search(self.words) is not None


@dataclass(frozen=True, slots=True)
class Uv:
    """How uv is run for one collection: apart from the user's configuration, with a limit of time.

    Attributes:
        settings: Limits, and where things are kept.
        progress: Gets each line that uv prints beside its answer, and tells when to stop.
    """

    settings: Settings
    progress: Progress

    def run(self, arguments: Sequence[str], *, folder: Path) -> str:
        """Run a command of uv and return what it printed as its answer.

        With `--no-binary` among its arguments it may run somebody's build code, which sees no secret of ours.

        Args:
            arguments: Command and options; `--no-config` and the like are added.
            folder: Working folder, which uv may also write to.

        Raises:
            UvFailed: It ended with an error, or took too long; the caller says what that means.
            StorageFull: It could not write; names the path if uv does.
            Cancelled: The progress was told to stop.
        """
        inherited = {**_environment(os.environ), **cache_variables(os.environ, self.settings)}
        if may_build(arguments):
            with apart_from_secrets(inherited) as (variables, options):
                ended = self._run([*arguments, *options], folder, variables)
        else:
            ended = self._run(arguments, folder, inherited)
        if ended.status == 0:
            return ended.output
        words = without_credentials(ended.errors.strip() or ended.output.strip(), secrets_of(inherited))
        refusal = _refusal(words, folder)
        if refusal is not None:
            raise refusal
        raise UvFailed(words)

    def _run(self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Ended:
        try:
            return run_program(
                [find_uv_bin(), *arguments, *_ALWAYS],
                folder=folder,
                environment=variables,
                seconds=self.settings.build_seconds,
                progress=self.progress,
            )
        except subprocess.TimeoutExpired as error:
            raise UvFailed(f"It was stopped after {error.timeout:.0f} seconds (build_seconds).") from error


def version() -> str:
    """What uv calls itself.

    Raises:
        OSError: It cannot be started.
        CalledProcessError: It does not work.
    """
    command = [find_uv_bin(), "--version", *_ALWAYS]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def asking_anew(name: str) -> list[str]:
    """Options that make uv ask the index for a package's versions anew, unless uv is told to stay offline."""
    offline = os.environ.get("UV_OFFLINE", "").lower() in _YES
    return [] if offline else ["--refresh-package", name]


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in inherited.items() if _KEPT.match(name) or not _DROPPED.match(name)}
    return {**kept, "UV_PYTHON_DOWNLOADS": "never"}


def _refusal(words: str, folder: Path) -> StorageFull | None:
    for line in words.splitlines():
        number = _SYSTEM.search(line)
        if number and int(number[1]) in REFUSALS:
            named = _QUOTED_PATH.search(line) or _QUOTED_PATH.search(words)
            path = Path(named[1]) if named else folder
            return storage_full(path, os.strerror(int(number[1])), detail=words)
    return None
