"""Fingerprints of files and folders: cheap to take, and another one as soon as anything below changes.

A file counts by its size and the time of its last change; the small documents of OME-Zarr, which are often
written anew without being changed, by what is in them. Links count as what they lead to.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blake3 import blake3
from pydantic import JsonValue

from treadle.errors import Indigestible

LISTED = 32
"""How many files or folders a fingerprint tells apart."""

MOST_FILES = 1_000_000
SMALL_BYTES = 65_536
DOCUMENTS = frozenset({".zattrs", ".zarray", ".zgroup", ".zmetadata", "zarr.json"})
"""Files that count by their content if they are small."""

ABSENT = "absent"
NAMED = 5
"""How many files a change names."""

_DEPTHS = (4, 3, 2, 1)
_PART_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file or folder was like.

    Attributes:
        digest: Equal as long as nothing has changed; `ABSENT` where nothing was.
        files: How many files there were.
        size: Their bytes.
        newest: The latest change of one of them, in nanoseconds since 1970.
        parts: Short digests of the files, or of folders of files where there are many, by relative path.
    """

    digest: str
    files: int = 0
    size: int = 0
    newest: int = 0
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """How many files there were, in words."""
        return "1 file" if self.files == 1 else f"{self.files} files"

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        if self.digest == ABSENT:
            return {"digest": ABSENT}
        return {
            "digest": self.digest,
            "files": self.files,
            "size": self.size,
            "newest": self.newest,
            "parts": dict(self.parts),
        }


def file_changes(before: Fingerprint, now: Fingerprint) -> list[str]:
    """Return which files, or folders of files where there are many, are another, new or gone."""
    if before.digest == now.digest:
        return []
    if ABSENT in {before.digest, now.digest}:
        return ["is gone" if now.digest == ABSENT else "is new"]
    if not (before.parts and now.parts):
        return ["changed"]
    named = []
    for path in dict.fromkeys([*before.parts, *now.parts]):
        if path not in now.parts or path not in before.parts:
            named.append(f"{path} is {'new' if path in now.parts else 'gone'}")
        elif before.parts[path] != now.parts[path]:
            named.append(f"{path} changed")
    if not named:
        return ["an empty folder is new or gone"]
    more = [f"and {len(named) - NAMED} more"] if len(named) > NAMED else []
    return named[:NAMED] + more


def read_fingerprint(value: JsonValue) -> Fingerprint:
    """Read the JSON of a fingerprint."""
    return Fingerprint(**value) if isinstance(value, dict) else Fingerprint(ABSENT)  # type: ignore[arg-type]


def fingerprint(url: str, *, by_content: bool = False, listed: bool = True) -> Fingerprint:
    """Take the fingerprint of a file or folder.

    Args:
        url: Its absolute path.
        by_content: Every file counts by what is in it, which is then read.
        listed: Tell its files apart; else only the whole is told.

    Raises:
        Indigestible: It is remote, cannot be read, or has too many files.
    """
    if not url.startswith("/"):
        raise Indigestible(f"{url} is not in a file system, so nobody can tell whether it has changed.")
    try:
        status = os.stat(url)  # noqa: PTH116 - called for every file of every unit
    except FileNotFoundError:
        return Fingerprint(ABSENT)
    except OSError as error:
        raise _unreadable(url, error) from error
    try:
        if stat.S_ISDIR(status.st_mode):
            return _of_folder(url, by_content=by_content, listed=listed)
        token = _token(url, os.path.basename(url), status, by_content=by_content)  # noqa: PTH119 - see above
        return Fingerprint(blake3(token).hexdigest(), 1, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise _unreadable(url, error) from error


def _of_folder(root: str, *, by_content: bool, listed: bool) -> Fingerprint:
    tokens: list[tuple[str, bytes]] = []
    files = size = newest = 0
    start = len(root.rstrip("/")) + 1
    for path, name, found in _walk(root):
        if found is None:
            tokens.append((path[start:], b"folder"))
            continue
        tokens.append((path[start:], _token(path, name, found, by_content=by_content)))
        files += 1
        size += found.st_size
        newest = max(newest, found.st_mtime_ns)
        if files > MOST_FILES:
            raise Indigestible(
                f"{root} has more than {MOST_FILES:,} files, too many to look at for each unit."
            )
    tokens.sort()
    return Fingerprint(digest_of_tokens(tokens), files, size, newest, _parts(tokens) if listed else {})


def of_contents(contents: Mapping[str, bytes]) -> Fingerprint:
    """Return the fingerprint of files that were read already, by their names."""
    tokens = sorted((name, b"content" + blake3(content).digest()) for name, content in contents.items())
    size = sum(map(len, contents.values()))
    return Fingerprint(digest_of_tokens(tokens), len(tokens), size, 0, _parts(tokens))


def digest_of_tokens(tokens: Sequence[tuple[str, bytes]]) -> str:
    """Return the digest of files in order, each by its name and what tells it from another."""
    hasher = blake3(b"folder")
    for path, token in tokens:
        encoded = os.fsencode(path)
        hasher.update(b"%d:%b%d:%b" % (len(encoded), encoded, len(token), token))
    return hasher.hexdigest()


def _walk(folder: str, links: tuple[str, ...] = ()) -> Iterator[tuple[str, str, os.stat_result | None]]:
    """Yield path and name of all that is below a folder, of files also their status; links are followed."""
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if not entry.is_dir():
            yield entry.path, entry.name, _status(entry)
            continue
        yield entry.path, entry.name, None
        followed = links
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            if target in links or f"{os.path.realpath(folder)}/".startswith(f"{target}/"):
                raise Indigestible(f"{entry.path} is a link to a folder that it is in.")
            followed = (*links, target)
        yield from _walk(entry.path, followed)


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except FileNotFoundError:
        return entry.stat(follow_symlinks=False)  # a link to nothing counts as itself


def _token(path: str, name: str, status: os.stat_result, *, by_content: bool) -> bytes:
    if stat.S_ISREG(status.st_mode) and (by_content or (name in DOCUMENTS and status.st_size <= SMALL_BYTES)):
        hasher = blake3()
        if status.st_size > SMALL_BYTES:
            hasher.update_mmap(path)
        else:
            with open(path, "rb") as file:  # noqa: PTH123 - called for every unit
                hasher.update(file.read())
        return b"content" + hasher.digest()
    return b"%d %d %d" % (stat.S_IFMT(status.st_mode), status.st_size, status.st_mtime_ns)


def _parts(tokens: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Return digests of the files, or of the deepest folders that are few enough to be told apart."""
    if len(tokens) <= LISTED:
        return {path: _short([token]) for path, token in tokens if token != b"folder"}
    for depth in _DEPTHS:
        groups: dict[str, list[bytes]] = {}
        for path, token in tokens:
            groups.setdefault("/".join(path.split("/")[:depth]), []).append(os.fsencode(path) + b"\0" + token)
            if len(groups) > LISTED:
                break
        else:
            return {path: _short(members) for path, members in groups.items()}
    return {}


def _short(tokens: list[bytes]) -> str:
    return blake3(b"\0\0".join(tokens)).hexdigest()[:_PART_CHARACTERS]


def _unreadable(url: str, error: OSError) -> Indigestible:
    return Indigestible(f"{error.filename or url} cannot be read: {error.strerror}.")
