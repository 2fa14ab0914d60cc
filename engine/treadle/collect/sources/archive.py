"""Archives that somebody made: looked through before they are trusted, unpacked without leaving a folder."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from treadle.errors import SourceInvalid

MEMBERS = 200_000
"""Files and folders that an archive may have."""
UNPACKED_BYTES = 8 * 1024**3
"""What all its files may come to."""
RATIO = 100
"""How many times larger than the archive its files may be, if they are larger than `FREE_BYTES`."""
FREE_BYTES = 100 * 1024**2
"""What files may come to whatever the size of the archive."""

_HEADER_BYTES = 16 * 1024**2
_REMEDY = "Ask whoever made it for a proper one, and do not unpack it by hand."
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, gzip.BadGzipFile)


@dataclass(slots=True)
class _Allowance:
    """What is left of the limits while an archive is looked through."""

    file: Path
    members: int = field(init=False)
    unpacked: int = field(init=False)

    def __post_init__(self) -> None:
        self.members = MEMBERS
        self.unpacked = min(UNPACKED_BYTES, max(FREE_BYTES, RATIO * self.file.stat().st_size))

    def spend(self, name: str, size: int) -> PurePosixPath:
        """Count one member; return its place in the folder.

        Raises:
            SourceInvalid: One too many, too large, or its name leads out of the folder.
        """
        self.members -= 1
        self.unpacked -= max(size, 0)
        if self.members < 0:
            raise _refused(self.file, f"more than {MEMBERS} members")
        if self.unpacked < 0:
            raise _refused(self.file, "far more in it than an archive of its size should have")
        place = PurePosixPath(name)
        if not name or "\0" in name or "\\" in name or place.is_absolute() or ".." in place.parts:
            raise _refused(self.file, f"a member {name!r}, which leads out of its folder")
        return place


class _Decompressed:
    """The bytes of a compressed tar file, as long as no header asks for an absurd number of them."""

    def __init__(self, file: gzip.GzipFile, archive: Path) -> None:
        self._file = file
        self._archive = archive
        self.tell = file.tell
        self.seek = file.seek

    def read(self, size: int) -> bytes:
        if size > _HEADER_BYTES:
            raise _refused(self._archive, "a header of absurd size")
        return self._file.read(size)


def check_wheel_archive(wheel: Path) -> None:
    """Look through the members of a wheel.

    Raises:
        SourceInvalid: It is no zip archive, or has members that no wheel has: names that lead elsewhere,
            links, too many of them, or absurd sizes.
    """
    allowance = _Allowance(wheel)
    with _reading(wheel), zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            _check_zip_member(member, wheel)
            allowance.spend(member.filename, member.file_size)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a source archive, and return the one folder that is at its top.

    Args:
        archive: A `.zip`, or a tar file compressed by gzip.
        folder: There already and empty; nothing is written elsewhere.

    Raises:
        SourceInvalid: It is broken, has members that lead elsewhere, links out of the folder, devices, too
            many members or absurd sizes, or has not one folder at its top.
    """
    with _reading(archive):
        if archive.name.lower().endswith(".zip"):
            _unpack_zip(archive, folder)
        else:
            _unpack_tar(archive, folder)
    tops = list(folder.iterdir())
    if len(tops) != 1 or tops[0].is_symlink() or not tops[0].is_dir():
        raise SourceInvalid(
            f"{archive.name} is no source archive: it has not one folder at its top.",
            remedy="Make one with `uv build --sdist`, or name the folder itself.",
        )
    return tops[0]


def _unpack_zip(archive: Path, folder: Path) -> None:
    allowance = _Allowance(archive)
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            _check_zip_member(member, archive)
            place = folder / allowance.spend(member.filename, member.file_size)
            if member.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(member) as source:
                _write(source, place, executable=bool(member.external_attr >> 16 & stat.S_IXUSR))


def _check_zip_member(member: zipfile.ZipInfo, archive: Path) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _refused(archive, f"a member {member.filename!r}, which is neither file nor folder")
    if member.flag_bits & 1:
        raise _refused(archive, f"an encrypted member {member.filename!r}")


def _unpack_tar(archive: Path, folder: Path) -> None:
    allowance = _Allowance(archive)
    links: dict[Path, str] = {}
    with gzip.open(archive) as compressed:
        stream = _Decompressed(compressed, archive)
        with tarfile.open(fileobj=stream, mode="r:") as opened:  # type: ignore[call-overload] # reads and seeks
            for member in opened:
                place = folder / allowance.spend(member.name, member.size)
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                elif member.issym():
                    links[place] = member.linkname
                elif member.isreg() and (source := opened.extractfile(member)):
                    _write(source, place, executable=bool(member.mode & stat.S_IXUSR))
                else:
                    raise _refused(archive, f"a member {member.name!r}, which is neither file nor folder")
                opened.members.clear()  # else it keeps each header
    _link(links, folder, archive)


def _link(links: dict[Path, str], folder: Path, archive: Path) -> None:
    """Make links once all files are there, so that nothing is written through one."""
    for place, target in links.items():
        if place.exists() or place.is_symlink() or os.path.isabs(target):  # noqa: PTH117 - it is no path yet
            raise _refused(archive, f"a link {place.name!r} to {target}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
    inside = folder.resolve()
    for place, target in links.items():
        try:
            leads_out = not place.resolve().is_relative_to(inside)
        except (OSError, RuntimeError) as error:
            raise _refused(archive, f"a link {place.name!r} that leads nowhere") from error
        if leads_out:
            raise _refused(archive, f"a link {place.name!r} to {target}, which leads out of its folder")


def _write(source: IO[bytes], place: Path, *, executable: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as target:
        shutil.copyfileobj(source, target)
    place.chmod(0o755 if executable else 0o644)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise SourceInvalid(
            f"{archive.name} cannot be unpacked: {str(error) or 'it ends too early'}.",
            remedy="Fetch it again.",
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _refused(archive, f"two members in one place, {Path(str(error.filename)).name!r}") from error


def _refused(archive: Path, what: str) -> SourceInvalid:
    return SourceInvalid(f"{archive.name} is refused: it has {what}.", remedy=_REMEDY)
