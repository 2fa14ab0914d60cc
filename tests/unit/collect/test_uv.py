from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from treadle.collect.progress import Progress
from treadle.collect.uv import Uv, UvFailed
from treadle.errors import StorageFull
from treadle.settings import Settings


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in uv's place; a test writes what it does."""
    program = tmp_path / "uv"
    monkeypatch.setattr("treadle.collect.uv.find_uv_bin", lambda: str(program))
    return program


def run(arguments: list[str], *, folder: Path) -> str:
    return Uv(Settings(home=folder), Progress(lambda _: None)).run(arguments, folder=folder)


def write(program: Path, body: str) -> None:
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    program.chmod(0o755)


def fail(program: Path, words: str) -> None:
    write(program, f"sys.stderr.write({words!r}); sys.exit(2)")


def test_users_configuration_progress_bars_and_downloads_are_off(fake_uv: Path, tmp_path: Path) -> None:
    write(fake_uv, "print(json.dumps([sys.argv[1:], os.environ['UV_PYTHON_DOWNLOADS'], os.getcwd()]))")

    arguments, downloads, folder = json.loads(run(["pip", "check"], folder=tmp_path))

    assert arguments == ["pip", "check", "--no-config", "--no-progress", "--color", "never"]
    assert downloads == "never"
    assert Path(folder) == tmp_path


def test_index_settings_reach_uv_while_secrets_and_hidden_influences_do_not(
    fake_uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"UV_DEFAULT_INDEX", "UV_INDEX_LAB_PASSWORD", "UV_CACHE_DIR", "UV_OFFLINE", "HTTPS_PROXY"}
    dropped = {
        "UV_CONSTRAINT",
        "UV_PRERELEASE",
        "TREADLE_LEDGER_URL",
        "PREFECT_API_KEY",
        "PYTHONPATH",
        "VIRTUAL_ENV",
    }
    for name in kept | dropped:
        monkeypatch.setenv(name, "x")
    write(fake_uv, "print(json.dumps(sorted(os.environ)))")

    reached = set(json.loads(run(["venv"], folder=tmp_path)))

    assert kept <= reached
    assert not dropped & reached


def test_failure_carries_uvs_own_words_without_credentials(fake_uv: Path, tmp_path: Path) -> None:
    fail(
        fake_uv,
        "error: No solution found at https://me:hunter2@lab.example/simple\n  cause: you asked for both\n",
    )

    with pytest.raises(UvFailed) as caught:
        run(["pip", "compile"], folder=tmp_path)

    assert caught.value.words == (
        "error: No solution found at https://lab.example/simple\n  cause: you asked for both"
    )
    assert not caught.value.unreachable


def test_index_that_does_not_answer_is_told_apart(fake_uv: Path, tmp_path: Path) -> None:
    fail(
        fake_uv,
        "error: Failed to fetch: http://127.0.0.1:9/simple/idna/\n  cause: Connection refused (os error 111)",
    )

    with pytest.raises(UvFailed) as caught:
        run(["pip", "compile"], folder=tmp_path)

    assert caught.value.unreachable


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (
            "error: Failed to open `/cache`\n  cause: `/a/b`: Read-only file system (os error 30)",
            "/a/b",
        ),
        ("error: Failed to install `/wheel`\n  cause: No space left on device (os error 28)", "/wheel"),
        ("error: failed to write\n  cause: Permission denied (os error 13)", None),
    ],
)
def test_full_or_read_only_disk_is_told_apart_and_named(
    fake_uv: Path, tmp_path: Path, words: str, path: str | None
) -> None:
    fail(fake_uv, words)

    with pytest.raises(StorageFull, match=f"^{path or tmp_path} could not be written") as caught:
        run(["pip", "sync"], folder=tmp_path)

    assert caught.value.detail == words
