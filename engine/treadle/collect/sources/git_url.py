"""Addresses of git repositories as pip writes them, and which of them may be fetched from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urlsplit

from treadle.collect.credentials import without_credentials
from treadle.errors import SourceInvalid

_FORM = "Write git+https://host/path@ref#subdirectory=folder; ref and subdirectory may be left out."
_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:\[\]-]*")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")
_NO_REF = re.compile(r"^-|^/|/$|\.\.|@\{|[\x00-\x20\x7f~^:?*\[\\]")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class GitUrl:
    """A place in a git repository.

    Attributes:
        url: Address for git itself; may hold credentials, so it is neither shown nor stored.
        ref: Branch, tag or commit; None: the repository's default branch.
        subdirectory: Folder in the repository, relative, or nothing for the repository itself.
    """

    url: str = field(repr=False)
    ref: str | None = None
    subdirectory: str = ""

    @property
    def scheme(self) -> str:
        """How git speaks with the repository."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Machine that has the repository; empty for this one."""
        return urlsplit(self.url).hostname or ""

    @property
    def public_url(self) -> str:
        """The address without what is secret in it: only the user name of SSH stays."""
        user = urlsplit(self.url).username if self.scheme == "ssh" else None
        plain = without_credentials(self.url)
        return plain.replace("://", f"://{user}@", 1) if user else plain

    def at(self, commit: str) -> GitUrl:
        """The same place at another reference."""
        return replace(self, ref=commit)

    def __str__(self) -> str:
        """The whole place as it is shown and stored, without credentials."""
        ref = f"@{self.ref}" if self.ref else ""
        return f"git+{self.public_url}{ref}{self.fragment}"

    @property
    def fragment(self) -> str:
        """The subdirectory as it stands at the end of an address, or nothing."""
        return f"#subdirectory={quote(self.subdirectory)}" if self.subdirectory else ""


def parse_git_url(text: str) -> GitUrl:
    """Read `git+URL[@ref][#[…&]subdirectory=folder[&…]]`; nothing is looked up.

    As for pip, the reference stands after the last `@` of the path, and other parts of the fragment do not
    count. A slash before the folder is left out.

    Raises:
        SourceInvalid: It is not written so, or has a reference or folder that no repository can have.
    """
    stripped = text.strip()
    shown = without_credentials(stripped)
    address, _, fragment = stripped.partition("#")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise SourceInvalid(f"{shown} is no address: {error}.", remedy=_FORM) from error
    scheme = parts.scheme.lower()
    if not scheme.startswith("git+") or "://" not in address or _CONTROL.search(stripped):
        raise SourceInvalid(f"{shown} is not the address of a git repository.", remedy=_FORM)
    parts = parts._replace(scheme=scheme.removeprefix("git+"))
    _check_place(parts, shown)
    path, at, ref = parts.path.rpartition("@")
    if at:
        parts = parts._replace(path=path)
        _check_ref(ref, shown)
    return GitUrl(_joined(parts), ref or None if at else None, _subdirectory(fragment, shown))


def check_allowed(place: GitUrl, *, schemes: Sequence[str], hosts: Sequence[str]) -> None:
    """Refuse what a site does not let git fetch from.

    Args:
        place: What is to be fetched.
        schemes: Schemes that are allowed.
        hosts: Patterns of hosts that are allowed, as in file names; they do not concern this machine's files.

    Raises:
        SourceInvalid: Scheme or host is not among them.
    """
    if place.scheme not in schemes:
        raise SourceInvalid(
            f"{place} may not be fetched: {place.scheme} is not among the allowed schemes.",
            remedy=f"Use one of {', '.join(schemes)}, or let a site's administrator add it to git_schemes.",
        )
    if place.scheme != "file" and not any(fnmatchcase(place.host, pattern.lower()) for pattern in hosts):
        raise SourceInvalid(
            f"{place} may not be fetched: {place.host} is not among the allowed hosts.",
            remedy=f"Allowed are {', '.join(hosts) or 'none'} (git_hosts).",
        )


def _check_place(parts: SplitResult, shown: str) -> None:
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"}:
            raise SourceInvalid(f"{shown} names files of another machine.", remedy="Use ssh or https.")
    elif not parts.hostname or not _HOST.fullmatch(parts.netloc.rpartition("@")[2]):
        raise SourceInvalid(f"{shown} names no host.", remedy=_FORM)
    elif parts.scheme == "ssh" and parts.username and not _USER.fullmatch(parts.username):
        raise SourceInvalid(f"{shown} has a user name that no machine has.", remedy=_FORM)
    if not parts.path.strip("/"):
        raise SourceInvalid(f"{shown} names no repository.", remedy=_FORM)


def _check_ref(ref: str, shown: str) -> None:
    if not ref or _NO_REF.search(ref):
        raise SourceInvalid(
            f"{shown} has {ref!r} where a branch, a tag or a commit belongs.",
            remedy="Name one as git writes it, or leave out the @.",
        )


def _subdirectory(fragment: str, shown: str) -> str:
    named = {
        unquote(part.partition("=")[2]) for part in fragment.split("&") if part.startswith("subdirectory=")
    }
    if len(named) > 1:
        raise SourceInvalid(f"{shown} names two subdirectories.", remedy=_FORM)
    folder = PurePosixPath(*(part for name in named for part in name.split("/") if part not in {"", "."}))
    if ".." in folder.parts or ".git" in folder.parts or _CONTROL.search(str(folder).replace(" ", "")):
        raise SourceInvalid(
            f"{shown} has a subdirectory outside of the repository's own files.",
            remedy="Name a folder of the repository, such as #subdirectory=packages/tasks.",
        )
    return "" if folder == PurePosixPath() else str(folder)


def _joined(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"
