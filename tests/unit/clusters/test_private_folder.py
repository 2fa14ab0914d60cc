"""Folders of clusters: what a killed process left is removed, what a living one has is not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from treadle.clusters.private_folder import private_folder

HOLD = """
import sys
from treadle.clusters.private_folder import private_folder

with private_folder() as folder:
    (folder / "local-1.stderr").touch()
    print(folder, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of the system's for temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@contextmanager
def another_process() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_it_is_the_owners_alone_and_is_gone_afterwards(temporary: Path) -> None:
    with private_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(temporary: Path) -> None:
    with another_process() as (living, of_living), another_process() as (killed, of_killed):
        killed.kill()
        killed.wait()
        assert sorted(temporary.iterdir()) == sorted([of_living, of_killed])
        with private_folder() as folder:
            assert sorted(temporary.iterdir()) == sorted([of_living, folder])
        living.communicate("\n", timeout=30)
        assert living.returncode == 0
    assert list(temporary.iterdir()) == []


def test_several_that_begin_at_once_do_not_take_each_others_for_left_behind(temporary: Path) -> None:
    def hold(_: int) -> bool:
        with ExitStack() as stack:
            folders = [stack.enter_context(private_folder()) for _ in range(20)]
            return all(folder.is_dir() for folder in folders)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(hold, range(8)))
    assert list(temporary.iterdir()) == []


def test_what_only_has_such_a_name_is_left_alone(temporary: Path) -> None:
    file, elsewhere = temporary / "treadle-cluster-file", temporary / "elsewhere"
    file.touch()
    elsewhere.mkdir()
    (temporary / "treadle-cluster-link").symlink_to(elsewhere)
    with private_folder():
        pass
    assert file.exists()
    assert elsewhere.exists()
