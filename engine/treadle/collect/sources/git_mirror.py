"""Copies of git repositories: fetched into a mirror of ours, resolved to a commit, checked out from there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.progress import Progress
from treadle.collect.sources.git import Git, GitFailed
from treadle.collect.sources.git_url import GitUrl
from treadle.collect.storage import writing_below
from treadle.errors import BuildFailed, SourceInvalid
from treadle.settings import Settings

_FULL = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.IGNORECASE)
_SHORT = re.compile(r"[0-9a-f]{4,63}", re.IGNORECASE)
_POLL_SECONDS = 0.1
_HEAD = "refs/treadle/HEAD"


def is_full_commit(ref: str | None) -> bool:
    """Whether a reference is a commit written in full, which never moves."""
    return ref is not None and _FULL.fullmatch(ref) is not None


@dataclass(frozen=True, slots=True)
class GitMirror:
    """A bare copy of one repository below the home folder.

    Attributes:
        place: The repository; its subdirectory has no part in this.
        settings: Limits, and where things are kept.
        progress: Told of fetching; hears git's lines, and tells when to stop.
    """

    place: GitUrl
    settings: Settings
    progress: Progress

    @property
    def folder(self) -> Path:
        """Where the copy is, or will be."""
        return self.settings.home / "git" / f"{tagged_digest('GitMirror', self.place.public_url)}.git"

    @property
    def _git(self) -> Git:
        return Git(self.place, self.settings, self.progress)

    def resolve(self) -> str:
        """Fetch, unless the reference is a commit in full that is there, and name the commit.

        Raises:
            SourceInvalid: The repository has no such reference, or git is not installed.
            BuildFailed: The repository cannot be fetched.
            StorageFull: The home folder may not be written.
            Cancelled: The progress was told to stop.
        """
        ref = self.place.ref
        with self._locked():
            if ref is not None and is_full_commit(ref):
                return self._full_commit(ref.lower())
            self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", f"+HEAD:{_HEAD}")
            names = [_HEAD] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
            if ref is not None and _SHORT.fullmatch(ref):
                names.append(ref)
            commit = next(filter(None, map(self._commit, names)), None)
        if commit is None:
            raise self._unknown_ref()
        return commit

    def check_out(self, commit: str, folder: Path) -> None:
        """Write the files of a commit into a folder that does not exist yet, with the history they have here.

        Neither submodules nor large files kept elsewhere are fetched, and no hook is run.

        Raises:
            BuildFailed: Git could not.
        """
        clone = ["clone", "--quiet", "--shared", "--no-checkout", "--template="]
        try:
            self._git.alone([*clone, str(self.folder), str(folder)], folder=self.folder.parent)
            self._git.alone(["checkout", "--quiet", "--detach", commit], folder=folder)
        except GitFailed as error:
            raise BuildFailed(f"{self.place} could not be checked out.", detail=error.words) from error

    def time_of(self, commit: str) -> str:
        """When a commit of this copy was made, in seconds since 1970.

        Raises:
            BuildFailed: Git could not tell.
        """
        try:
            return self._git.alone(["show", "--no-patch", "--format=%ct", commit], folder=self.folder).strip()
        except GitFailed as error:
            raise BuildFailed(f"{self.place} could not be read.", detail=error.words) from error

    def _full_commit(self, ref: str) -> str:
        commit = self._commit(ref)
        if commit is None:
            self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            commit = self._commit(ref)
        if commit is None:
            try:
                self._fetch(f"+{ref}:refs/treadle/{ref}")
            except BuildFailed as error:
                raise self._unknown_ref(error.detail) from error
            commit = self._commit(ref)
        if commit is None:
            raise self._unknown_ref()
        return commit

    def _unknown_ref(self, detail: str = "") -> SourceInvalid:
        if self.place.ref is None:
            return SourceInvalid(f"{self.place} has no commit.", remedy="Name another repository.")
        return SourceInvalid(
            f"{self.place.public_url} has no branch, tag or commit {self.place.ref}.",
            remedy="Check its name; a shortened commit must be that of one commit alone.",
            detail=detail,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        locks = self.folder.parent / ".locks"
        with writing_below(locks):
            locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{self.folder.name}.lock")
        while not lock.is_locked:
            self.progress.check()
            with suppress(Timeout):
                lock.acquire(timeout=_POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def _fetch(self, *refspecs: str) -> None:
        self.progress(f"fetching {self.place.public_url}")
        for leftover in (*self.folder.glob("*.lock"), *self.folder.glob("refs/**/*.lock")):
            leftover.unlink(missing_ok=True)  # of a git that was killed: nobody else holds our lock
        options = ["--prune", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        init = ["init", "--quiet", "--bare", "--template=", str(self.folder)]
        try:
            if not (self.folder / "HEAD").is_file():
                self._git.alone(init, folder=self.folder.parent)
            self._git.fetch([*options, "origin", *refspecs], folder=self.folder)
        except GitFailed as error:
            raise BuildFailed(
                f"{self.place.public_url} could not be fetched.",
                remedy="Check the address, the network, and that git may read it here without a question.",
                detail=error.words,
            ) from error

    def _commit(self, name: str) -> str | None:
        if not (self.folder / "HEAD").is_file():
            return None
        question = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
        try:
            return self._git.alone(question, folder=self.folder).strip() or None
        except GitFailed:
            return None
