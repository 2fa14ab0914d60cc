from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from treadle.collect.storage import writing_below
from treadle.errors import BuildFailed, ManifestInvalid, StorageFull


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES])
def test_full_or_read_only_place_is_named(number: int) -> None:
    with (
        pytest.raises(StorageFull, match="/full/disk/file could not be written") as caught,
        writing_below(Path("/x")),
    ):
        raise OSError(number, os.strerror(number), "/full/disk/file")

    assert caught.value.remedy


def test_folder_is_named_if_the_system_names_no_file() -> None:
    with (
        pytest.raises(StorageFull, match="/home/treadle could not be written"),
        writing_below(Path("/home/treadle")),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_refusals_are_failed_builds() -> None:
    with (
        pytest.raises(BuildFailed, match="/x/file could not be used: Not a directory"),
        writing_below(Path("/x")),
    ):
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x/file")


def test_our_own_errors_pass() -> None:
    with pytest.raises(ManifestInvalid), writing_below(Path("/x")):
        raise ManifestInvalid("bad")
