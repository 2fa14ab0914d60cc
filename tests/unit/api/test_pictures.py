"""Which files the server shows as pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from treadle.api import pictures
from treadle.api.pictures import read_picture
from treadle.errors import UnknownName

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("named.txt", PNG, "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.gif", b"GIF89a..", "image/gif"),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        ("a.svg", b'<?xml version="1.0"?><svg/>', "image/svg+xml"),
    ],
)
def test_pictures_are_known_by_their_content(folder: Path, name: str, content: bytes, kind: str) -> None:
    (folder / name).write_bytes(content)
    assert read_picture(folder / name, folder) == (content, kind)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.png", b"<html>"), ("a.html", b"<svg></svg>"), ("a.svg", b"no picture"), ("a.png", b"")],
)
def test_what_is_no_picture_is_not_shown(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(UnknownName, match="is no picture"):
        read_picture(folder / name, folder)


def test_files_outside_the_folder_are_not_shown(folder: Path) -> None:
    secret = folder.parent / "secret.png"
    secret.write_bytes(PNG)
    (folder / "link.png").symlink_to(secret)
    for path in (secret, folder / "link.png", folder / ".." / "secret.png"):
        with pytest.raises(UnknownName, match="is not in the dataset's folder"):
            read_picture(path, folder)


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "a.png").write_bytes(PNG)
    (folder / "latest.png").symlink_to("a.png")
    assert read_picture(folder / "latest.png", folder)[0] == PNG


def test_a_pipe_a_folder_and_a_missing_file_are_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "sub.png").mkdir()
    for name in ("pipe.png", "sub.png", "none.png"):
        with pytest.raises(UnknownName):
            read_picture(folder / name, folder)


def test_a_huge_file_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_BYTES", 100)
    (folder / "a.png").write_bytes(PNG + b"x" * 100)
    with pytest.raises(UnknownName, match="larger"):
        read_picture(folder / "a.png", folder)
