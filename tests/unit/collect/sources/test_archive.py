from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from treadle.collect.sources import archive
from treadle.collect.sources.archive import check_wheel_archive, unpack
from treadle.errors import SourceInvalid

MIB = 1024**2


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def make_tar(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as opened:
        for info, data in members:
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return file


def make_zip(file: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for info, data in members:
            opened.writestr(info, data, zipfile.ZIP_DEFLATED)
    return file


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free to any archive is so little here that a bomb need not be large."""
    monkeypatch.setattr(archive, "FREE_BYTES", MIB)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where archives are unpacked; what lies beside it must not change."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def test_tar_file_is_unpacked_with_executables_and_links_inside(tmp_path: Path, folder: Path) -> None:
    made = make_tar(
        tmp_path / "x.tar.gz",
        (member("x-1", tarfile.DIRTYPE), b""),
        (member("x-1/link", tarfile.SYMTYPE, "deep/run.sh"), b""),
        (member("x-1/deep/run.sh", mode=0o4777), b"echo"),
        (member("x-1/pyproject.toml"), b""),
    )

    top = unpack(made, folder)

    assert top == folder / "x-1"
    assert (top / "link").read_bytes() == b"echo"
    assert stat.S_IMODE((top / "deep" / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((top / "pyproject.toml").stat().st_mode) == 0o644


def test_zip_file_is_unpacked(tmp_path: Path, folder: Path) -> None:
    made = make_zip(tmp_path / "x.zip", ("x/", b""), ("x/a/b.py", b"1"), (special("x/run", 0o100755), b""))

    top = unpack(made, folder)

    assert (top / "a" / "b.py").read_bytes() == b"1"
    assert (top / "run").stat().st_mode & stat.S_IXUSR


TARS: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "parent": [(member("x/../../evil"), b"1")],
    "absolute": [(member("/tmp/evil"), b"1")],  # noqa: S108
    "link out": [(member("x/link", tarfile.SYMTYPE, "../../evil"), b"")],
    "absolute link": [(member("x/link", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "links that lead out together": [
        (member("x/y/z", tarfile.DIRTYPE), b""),
        (member("x/y/z/up", tarfile.SYMTYPE, "../.."), b""),
        (member("x/y/z/out", tarfile.SYMTYPE, "up/../.."), b""),
    ],
    "file below a link": [(member("x/d", tarfile.SYMTYPE, ".."), b""), (member("x/d/evil"), b"1")],
    "link in place of a file": [(member("x/a"), b"1"), (member("x/a", tarfile.SYMTYPE, "b"), b"")],
    "endless link": [(member("x/a", tarfile.SYMTYPE, "a"), b"")],
    "hard link": [(member("x/a"), b"1"), (member("x/b", tarfile.LNKTYPE, "x/a"), b"")],
    "device": [(member("x/null", tarfile.CHRTYPE), b"")],
    "pipe": [(member("x/pipe", tarfile.FIFOTYPE), b"")],
    "file in place of a folder": [(member("x/a/b"), b"1"), (member("x/a"), b"1")],
    "folder in place of a file": [(member("x/a"), b"1"), (member("x/a/b"), b"1")],
    "bomb": [(member("x/zeros"), bytes(2 * MIB))],
}


@pytest.mark.parametrize("kind", TARS)
def test_tar_file_with_what_no_archive_should_have_is_refused(
    tmp_path: Path, folder: Path, kind: str
) -> None:
    made = make_tar(tmp_path / "x.tar.gz", *TARS[kind])
    before = sorted(tmp_path.iterdir())

    with pytest.raises(SourceInvalid, match=r"x\.tar\.gz is refused: it has") as caught:
        unpack(made, folder)

    assert caught.value.remedy
    assert sorted(tmp_path.iterdir()) == before


ZIPS: dict[str, list[tuple[str | zipfile.ZipInfo, bytes]]] = {
    "parent": [("x/../../evil", b"1")],
    "absolute": [("/evil", b"1")],
    "backslash": [("..\\evil", b"1")],
    "link": [(special("x/link", stat.S_IFLNK | 0o777), b"../../evil")],
    "device": [(special("x/null", stat.S_IFCHR | 0o666), b"")],
    "bomb": [("x/zeros", bytes(2 * MIB))],
    "many bombs": [(f"x/{number}", bytes(MIB // 50)) for number in range(101)],
}


@pytest.mark.parametrize("kind", ZIPS)
@pytest.mark.parametrize("name", ["x.zip", "x-1-py3-none-any.whl"])
def test_zip_file_with_what_no_archive_should_have_is_refused(
    tmp_path: Path, folder: Path, kind: str, name: str
) -> None:
    made = make_zip(tmp_path / name, *ZIPS[kind])
    before = sorted(tmp_path.iterdir())

    with pytest.raises(SourceInvalid, match="is refused: it has"):
        check_wheel_archive(made) if name.endswith(".whl") else unpack(made, folder)

    assert sorted(tmp_path.iterdir()) == before


def test_number_of_members_is_limited(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_zip(tmp_path / "x.zip", *((f"x/{number}", b"") for number in range(3)))
    monkeypatch.setattr(archive, "MEMBERS", 2)

    with pytest.raises(SourceInvalid, match="more than"):
        unpack(made, folder)


def test_header_of_absurd_size_is_not_read_into_memory(tmp_path: Path, folder: Path) -> None:
    header = member("x", tarfile.XHDTYPE)
    header.size = 1024 * MIB
    made = tmp_path / "x.tar.gz"
    made.write_bytes(gzip.compress(header.tobuf() + bytes(MIB)))

    with pytest.raises(SourceInvalid, match="a header of absurd size"):
        unpack(made, folder)


def _not_at_all(file: Path) -> Path:
    file.write_bytes(b"not an archive")
    return file


def _cut_off(file: Path) -> Path:
    made = (
        (make_zip(file, ("x/a", b"1" * 999)))
        if file.suffix == ".zip"
        else make_tar(file, TARS["hard link"][0])
    )
    made.write_bytes(made.read_bytes()[:-30])
    return made


@pytest.mark.parametrize("spoil", [_not_at_all, _cut_off])
@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_broken_archive_is_an_error(
    tmp_path: Path, folder: Path, name: str, spoil: Callable[[Path], Path]
) -> None:
    with pytest.raises(SourceInvalid, match="cannot be unpacked"):
        unpack(spoil(tmp_path / name), folder)


@pytest.mark.parametrize("names", [["a", "b"], ["x/a", "y/b"], ["a"], []])
def test_archive_without_one_folder_at_its_top_is_no_source(
    tmp_path: Path, folder: Path, names: list[str]
) -> None:
    made = make_tar(tmp_path / "x.tar.gz", *((member(name), b"1") for name in names))

    with pytest.raises(SourceInvalid, match="not one folder at its top"):
        unpack(made, folder)
