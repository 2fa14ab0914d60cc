"""Checkouts of git repositories: one folder for each commit, which never changes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.staging import build_once
from treadle.collect.progress import Progress
from treadle.collect.sources.git_mirror import GitMirror
from treadle.collect.sources.git_url import GitUrl, check_allowed
from treadle.settings import Settings

_READY = ".treadle-checkout"


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of a repository at one commit."""

    commit: str
    folder: Path


def check_out(place: GitUrl, *, settings: Settings, progress: Progress) -> Checkout:
    """Resolve a reference to the commit that it means now, and have the files of that commit.

    A commit that was fetched before is not fetched again.

    Raises:
        SourceInvalid: It may not be fetched, or the repository has no such reference.
        BuildFailed: The repository cannot be fetched.
        StorageFull: The folder of checkouts may not be written.
        Cancelled: The progress was told to stop.
    """
    check_allowed(place, schemes=settings.git_schemes, hosts=settings.git_hosts)
    mirror = GitMirror(place, settings, progress)
    commit = mirror.resolve()

    def build(folder: Path) -> None:
        mirror.check_out(commit, folder)
        shutil.rmtree(folder / ".git")
        (folder / _READY).touch()

    folder = settings.checkouts_folder / tagged_digest("Checkout", place.public_url, commit)
    build_once(
        folder,
        is_ready=lambda final: (final / _READY).is_file(),
        build=build,
        waiting=lambda: progress("waiting for another process that fetches the same commit"),
        check=progress.check,
    )
    return Checkout(commit, folder)
