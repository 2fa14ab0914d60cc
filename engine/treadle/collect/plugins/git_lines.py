"""Lines that name git repositories of plugins: `git+URL[@ref][#[…&]subdirectory=[/]folder[&…]]`.

Source: QHAna 3.2 and 5.4; where pip knows such an address, it is read as pip reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

from treadle.collect.credentials import without_credentials

_FORM = "Write git+https://host/path@ref#subdirectory=folder; ref and subdirectory may be left out."
_WITHOUT_SCHEME = re.compile(r"(?P<host>[\w.-]+@[\w.-]+):(?P<path>[^/\s][^\s]*)")
_NO_REF = re.compile(r"^-|^/|/$|\.\.|@\{|[\x00-\x20\x7f~^:?*\[\\]")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class GitLine:
    """One line that names a repository, or a folder or file in one.

    Attributes:
        number: Which line it is, from 1 on.
        url: Address for git itself; may hold credentials, so it is neither shown nor stored.
        ref: Branch, tag or commit; None: the repository's default branch.
        subdirectory: Folder or file in the repository, relative; nothing for the repository itself.
    """

    number: int
    url: str = field(repr=False)
    ref: str | None = None
    subdirectory: str = ""

    @property
    def scheme(self) -> str:
        """How git speaks with the repository."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """The machine that has the repository; empty for this one."""
        return urlsplit(self.url).hostname or ""

    @property
    def commit(self) -> str | None:
        """The reference, if it is a whole commit and so can never mean another."""
        return self.ref if self.ref and _COMMIT.fullmatch(self.ref) else None

    @property
    def repository(self) -> str:
        """The repository's own name: the last part of its path without `.git`."""
        return PurePosixPath(urlsplit(self.url).path).name.removesuffix(".git")

    def at(self, ref: str | None) -> str:
        """The place as it is shown and stored, at this reference, without credentials."""
        folder = f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        return f"git+{without_credentials(self.url)}{f'@{ref}' if ref else ''}{folder}"

    def __str__(self) -> str:
        return self.at(self.ref)


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line that names no repository: its number, its text without credentials, and why."""

    number: int
    text: str
    problem: str


def parse_git_lines(lines: Sequence[str]) -> tuple[list[GitLine], list[LineProblem]]:
    """Read lines; an empty one says nothing, and one that cannot be read hinders no other."""
    good, bad = [], []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            good.append(_parse(number, text.strip()))
        except ValueError as error:
            bad.append(LineProblem(number, without_credentials(text.strip()), f"{error} {_FORM}"))
    return good, bad


def _parse(number: int, text: str) -> GitLine:
    if not text.startswith("git+"):
        raise ValueError("It does not begin with git+.")
    address, _, fragment = text.removeprefix("git+").partition("#")
    if "://" not in address:
        address = _with_scheme(address)
    parts = urlsplit(address)
    _ = parts.port
    path, at, ref = parts.path.rpartition("@")
    if not at:
        path, ref = ref, ""
    if at and (not ref or _NO_REF.search(ref)):
        raise ValueError(f"{ref!r} is neither a branch, a tag nor a commit.")
    _check_address(parts, path)
    url = parts._replace(path=path).geturl()
    return GitLine(number, url, ref or None, _subdirectory(fragment))


def _with_scheme(address: str) -> str:
    """Write `user@host:path` as the URL that git takes it for."""
    match = _WITHOUT_SCHEME.fullmatch(address)
    if match is None:
        raise ValueError("It names no URL.")
    return f"ssh://{match['host']}/{match['path']}"


def _check_address(parts: SplitResult, path: str) -> None:
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"}:
            raise ValueError("It names files of another machine.")
    elif not parts.hostname or parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        raise ValueError("It names no host.")
    if not path.strip("/"):
        raise ValueError("It names no repository.")
    if re.search(r"[\x00-\x20\x7f]", path + parts.netloc):
        raise ValueError("It holds a blank.")


def _subdirectory(fragment: str) -> str:
    named = [part.partition("=")[2] for part in fragment.split("&") if part.startswith("subdirectory=")]
    if len(set(named)) > 1:
        raise ValueError("It names several subdirectories.")
    folder = PurePosixPath(*(part for name in named[:1] for part in name.split("/") if part not in {"", "."}))
    if ".." in folder.parts or ".git" in folder.parts:
        raise ValueError("Its subdirectory is outside of the repository's own files.")
    return "" if folder == PurePosixPath() else str(folder)
