"""Checkouts of git repositories: one folder for each commit, which never changes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from treadle.collect.credentials import without_credentials
from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.staging import build_once
from treadle.collect.plugins.git_lines import GitLine
from treadle.collect.program import run_program
from treadle.collect.progress import Progress
from treadle.collect.storage import writing_below
from treadle.errors import SourceInvalid
from treadle.settings import Settings

_ALWAYS = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "core.fsmonitor=false")
_DROPPED = re.compile(r"TREADLE_|PREFECT_|DASK_|UV_|GIT_(?!SSH|SSL|HTTP|PROXY|ASKPASS|CONFIG)")
_READY = ".treadle-checkout"


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of a repository at one commit."""

    commit: str
    folder: Path


def check_out(line: GitLine, *, settings: Settings, progress: Progress) -> Checkout:
    """Resolve a line's reference to the commit that it means now, and have the files of that commit.

    A commit that was fetched before is not fetched again.

    Raises:
        SourceInvalid: It may not be fetched, cannot be, or has no such reference.
        StorageFull: The folder of checkouts may not be written.
        Cancelled: The progress was told to stop.
    """
    _check_allowed(line, settings)
    progress(f"asking {line.at(None)}")
    git = _Git(line, settings, progress)
    folder = settings.home / "checkouts"
    commit = line.commit or git.remote_commit()
    if commit and _is_ready(place := folder / _name(line, commit)):
        return Checkout(commit, place)
    with writing_below(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".clone-", dir=folder) as aside:
            clone = Path(aside) / "clone"
            commit = git.clone(clone, commit)
            place = folder / _name(line, commit)
            build_once(
                place,
                is_ready=_is_ready,
                build=lambda final: _take_files(clone, final),
                waiting=lambda: progress("waiting for another process that fetches the same commit"),
            )
    return Checkout(commit, place)


@dataclass(frozen=True, slots=True)
class _Git:
    line: GitLine
    settings: Settings
    progress: Progress

    def remote_commit(self) -> str | None:
        """The commit that branch or tag means now; None if the repository has neither."""
        ref = self.line.ref
        names = [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"] if ref else ["HEAD"]
        answer = self._run(["ls-remote", "--quiet", "--", self.line.url, *names], self.settings.home)
        pairs = (text.split("\t", 1) for text in answer.splitlines() if "\t" in text)
        commits = {name: commit for commit, name in pairs}
        return next((commits[name] for name in names if name in commits), None)

    def clone(self, folder: Path, commit: str | None) -> str:
        """Fetch the repository, check out a commit or the line's reference, and return the commit."""
        self.progress(f"fetching {self.line.at(None)}")
        apart = ["--quiet", "--no-checkout", "--template=", "--no-recurse-submodules"]
        self._run(["clone", *apart, "--", self.line.url, str(folder)], folder.parent)
        wanted = commit or self.line.ref or "HEAD"
        verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}"]
        try:
            found = self._run(verify, folder).strip()
        except SourceInvalid as error:
            raise SourceInvalid(
                f"{self.line.at(None)} has no branch, tag or commit {wanted}.", remedy="Check the line."
            ) from error
        self._run(["checkout", "--quiet", "--force", "--detach", found], folder)
        return found

    def _run(self, arguments: Sequence[str], folder: Path) -> str:
        try:
            ended = run_program(
                ["git", *_ALWAYS, *arguments],
                folder=folder,
                environment=_environment(os.environ, self.settings.git_schemes),
                seconds=self.settings.build_seconds,
                progress=self.progress,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceInvalid(f"{self.line} took longer than {error.timeout:.0f} seconds.") from error
        except OSError as error:
            raise SourceInvalid(f"git cannot be started: {error.strerror}.") from error
        if ended.status != 0:
            words = without_credentials(ended.errors.strip())
            raise SourceInvalid(
                f"{self.line} could not be fetched.",
                remedy="Check the address, and that this machine may read it.",
                detail=words,
            )
        return ended.output


def _check_allowed(line: GitLine, settings: Settings) -> None:
    if line.scheme not in settings.git_schemes:
        raise SourceInvalid(
            f"{line} may not be fetched: {line.scheme} is not among the allowed schemes.",
            remedy=f"Allowed are {', '.join(settings.git_schemes)} (git_schemes).",
        )
    if line.scheme != "file" and not any(
        fnmatchcase(line.host, pattern.lower()) for pattern in settings.git_hosts
    ):
        raise SourceInvalid(
            f"{line} may not be fetched: {line.host} is not among the allowed hosts.",
            remedy=f"Allowed are {', '.join(settings.git_hosts)} (git_hosts).",
        )


def _environment(inherited: Mapping[str, str], schemes: Sequence[str]) -> dict[str, str]:
    kept = {name: value for name, value in inherited.items() if not _DROPPED.match(name)}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": ":".join(schemes)}


def _name(line: GitLine, commit: str) -> str:
    return tagged_digest("Checkout", without_credentials(line.url), commit)


def _is_ready(folder: Path) -> bool:
    return (folder / _READY).is_file()


def _take_files(clone: Path, final: Path) -> None:
    """Move the files of a clone to their place; what git itself needs is left behind."""
    shutil.rmtree(clone / ".git")
    (clone / _READY).touch()
    clone.rename(final)
