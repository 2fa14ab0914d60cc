"""Fingerprints of files and folders change whenever anything below them does, and only then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from treadle.errors import Indigestible
from treadle.execute.fingerprints import (
    ABSENT,
    LISTED,
    Fingerprint,
    file_changes,
    fingerprint,
    read_fingerprint,
)
from treadle.execute.left_behind import made_by

Change = Callable[[Path], object]


@pytest.fixture
def item(tmp_path: Path) -> Path:
    folder = tmp_path / "item.zarr"
    (folder / "0" / "0").mkdir(parents=True)
    (folder / "zarr.json").write_text('{"zarr_format": 3}')
    (folder / "0" / "0" / "chunk").write_bytes(b"\x00" * 64)
    return folder


def taken(item: Path, **options: bool) -> Fingerprint:
    return fingerprint(str(item), **options)


def test_it_is_the_same_as_long_as_nothing_changes(item: Path) -> None:
    assert taken(item) == taken(item)
    assert taken(item).digest == taken(item, listed=False).digest
    assert read_fingerprint(taken(item).to_json()) == taken(item)


@pytest.mark.parametrize(
    "change",
    [
        lambda item: (item / "0" / "0" / "chunk").write_bytes(b"\x01" * 65),
        lambda item: os.utime(item / "0" / "0" / "chunk", ns=(1, 1)),
        lambda item: (item / "0" / "0" / "chunk").unlink(),
        lambda item: (item / "0" / "0" / "chunk").rename(item / "0" / "0" / "other"),
        lambda item: (item / "0" / "0" / "more").write_text(""),
        lambda item: (item / "1").mkdir(),
        lambda item: (item / "zarr.json").write_text('{"zarr_format": 2}'),
    ],
)
def test_it_is_another_after_any_change(item: Path, change: Change) -> None:
    before = taken(item)
    change(item)

    assert taken(item).digest != before.digest


def test_documents_of_zarr_count_by_their_content(item: Path) -> None:
    before = taken(item)
    os.utime(item / "zarr.json", ns=(1, 1))

    assert taken(item).digest == before.digest


def test_all_files_count_by_their_content_on_request(item: Path) -> None:
    before = taken(item, by_content=True)
    os.utime(item / "0" / "0" / "chunk", ns=(1, 1))
    assert taken(item, by_content=True).digest == before.digest

    (item / "0" / "0" / "chunk").write_bytes(b"\x01" * 64)
    os.utime(item / "0" / "0" / "chunk", ns=(1, 1))
    assert taken(item, by_content=True).digest != before.digest


def test_what_a_link_leads_to_counts(item: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "chunk").write_text("a")
    (item / "linked").symlink_to(outside)
    before = taken(item)
    (outside / "chunk").write_text("another")

    assert taken(item).digest != before.digest


def test_a_link_to_a_folder_around_it_is_refused(item: Path) -> None:
    (item / "0" / "around").symlink_to(item)

    with pytest.raises(Indigestible, match="link to a folder that it is in"):
        taken(item)


def test_links_in_a_circle_are_refused(item: Path, tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).mkdir()
        (tmp_path / one / other).symlink_to(tmp_path / other)
    (item / "a").symlink_to(tmp_path / "a")

    with pytest.raises(Indigestible, match="link"):
        taken(item)


def test_a_link_to_nothing_counts_as_itself(item: Path) -> None:
    (item / "nowhere").symlink_to(item / "not there")

    assert taken(item).files == 3


def test_a_missing_item_is_absent_and_a_remote_one_has_none(item: Path) -> None:
    assert taken(item / "missing").digest == ABSENT
    assert read_fingerprint(taken(item / "missing").to_json()).digest == ABSENT
    with pytest.raises(Indigestible, match="s3://bucket/item is not in a file system"):
        fingerprint("s3://bucket/item")


def test_a_file_alone_has_one(item: Path) -> None:
    file = item / "0" / "0" / "chunk"
    before = taken(file)
    os.utime(file, ns=(1, 1))

    assert before.files == 1
    assert taken(file).digest != before.digest


def test_changes_name_files(item: Path) -> None:
    before = taken(item)
    (item / "0" / "0" / "chunk").write_bytes(b"\x01" * 65)
    (item / "new").write_text("")

    assert file_changes(before, taken(item)) == ["0/0/chunk changed", "new is new"]
    assert file_changes(before, before) == []
    assert file_changes(before, Fingerprint(ABSENT)) == ["is gone"]


def test_a_change_that_is_no_files_is_one_of_folders(item: Path) -> None:
    before = taken(item)
    (item / "empty").mkdir()

    assert file_changes(before, taken(item)) == ["an empty folder is new or gone"]


def test_changes_name_folders_where_files_are_many(item: Path) -> None:
    for number in range(LISTED + 1):
        (item / f"{number % 3}").mkdir(exist_ok=True)
        (item / f"{number % 3}" / f"chunk-{number}").write_text("x")
    before = taken(item)
    (item / "2" / "chunk-2").write_text("other")

    assert len(before.parts) <= LISTED
    assert file_changes(before, taken(item)) == ["2 changed"]


def test_what_a_unit_made_is_what_it_says() -> None:
    output: JsonValue = {
        "image_list_updates": [{"zarr_url": "/data/new"}],
        "image_list_removals": ["/data/old"],
        "pictures": ["/data/picture.png"],
    }
    init: JsonValue = {"parallelization_list": [{"zarr_url": "/data/part"}]}

    assert made_by(output, is_init=False) == ["/data/new", "/data/old", "/data/picture.png"]
    assert made_by(init, is_init=True) == ["/data/part"]
    assert made_by(None, is_init=False) == []
