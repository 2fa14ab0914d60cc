"""Where settings come from, what they refuse, and how they are described."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from treadle.errors import SettingsInvalid, StorageFull
from treadle.settings import Settings, describe, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("TREADLE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder inside a project that ends the search for treadle.toml."""
    folder = tmp_path / "project" / "inner"
    folder.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    return folder


def source(settings: Settings, name: str) -> str:
    return next(row.source for row in describe(settings) if row.name == name)


def test_defaults_put_home_under_the_persons_home(folder: Path, tmp_path: Path) -> None:
    settings = load_settings(folder=folder)
    assert settings.home == tmp_path / "person" / ".treadle"
    assert settings.ledger_url is None
    assert settings.python.is_absolute()
    assert {row.source for row in describe(settings)} == {"default"}


def test_flag_beats_environment_beats_project_file_beats_home_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "treadle.toml").write_text('host = "home"\nworkers = 1\nport = 1\nledger_url = "sqlite:///h"\n')
    (folder / "treadle.toml").write_text('# mine\nhost = "project"\nworkers = 2\nport = 2\n')
    monkeypatch.setenv("TREADLE_HOME", str(home))
    monkeypatch.setenv("TREADLE_WORKERS", "3")
    monkeypatch.setenv("TREADLE_PORT", "3")
    settings = load_settings({"port": 4, "workers": None}, folder=folder)
    assert (settings.port, settings.workers, settings.host) == (4, 3, "project")
    assert settings.ledger_url == "sqlite:///h"
    assert source(settings, "port") == "flag"
    assert source(settings, "workers") == "environment variable TREADLE_WORKERS"
    assert source(settings, "host") == f"{folder}/treadle.toml, line 2"
    assert source(settings, "ledger_url") == f"{home}/treadle.toml, line 4"
    assert source(settings, "python") == "default"


def test_file_of_a_parent_folder_counts_up_to_the_repository(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "treadle.toml").write_text("port = 1\n")
    assert load_settings(folder=folder).port == 4200
    (tmp_path / "project" / "treadle.toml").write_text("port = 2\n")
    assert load_settings(folder=folder).port == 2


def test_home_in_a_file_is_relative_to_that_file(folder: Path) -> None:
    (folder.parent / "treadle.toml").write_text('home = "data"\n')
    assert load_settings(folder=folder).home == folder.parent / "data"


def test_home_file_cannot_move_the_home(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "treadle.toml").write_text('\nhome = "/elsewhere"\n')
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path))
    with pytest.raises(SettingsInvalid, match=r"treadle\.toml, line 2 sets home"):
        load_settings(folder=folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = \n", r"treadle\.toml is not valid TOML: .*line 1"),
        ("port = 1\nworkes = 2\n", r"treadle\.toml, line 2: there is no setting 'workes'"),
        ("\nworkers = 'many'\n", r"treadle\.toml, line 2: workers cannot be 'many'"),
        ("workers = 0\n", r"line 1: workers cannot be 0: .*greater than or equal to 1"),
        ("[port]\nx = 1\n", r"line 1: port cannot be"),
        ("python = 'python3'\n", r"line 1: python cannot be 'python3': .* absolute path"),
    ],
)
def test_broken_file_is_named_with_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "treadle.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=message) as caught:
        load_settings(folder=folder)
    assert caught.value.remedy


def test_every_problem_is_named_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "treadle.toml").write_text("workers = -1\n")
    monkeypatch.setenv("TREADLE_PORT", "high")
    monkeypatch.setenv("TREADLE_WORKRES", "2")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(folder=folder)
    assert "line 1: workers cannot be -1" in caught.value.what
    assert "environment variable TREADLE_PORT: port cannot be 'high'" in caught.value.what
    assert "environment variable TREADLE_WORKRES: there is no setting 'workres'" in caught.value.what


def test_file_of_another_user_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can plant a treadle.toml could choose the interpreter that Treadle runs."""
    (folder / "treadle.toml").write_text("port = 1\n")
    owner = (folder / "treadle.toml").stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    if owner == 0:
        os.chown(folder / "treadle.toml", 12345, -1)
    with pytest.raises(SettingsInvalid, match="belongs to another user"):
        load_settings(folder=folder)


def test_password_in_the_ledgers_url_is_masked(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, ledger_url="postgresql://ana:se:cret@db.example:5432/treadle")
    row = next(row for row in describe(settings) if row.name == "ledger_url")
    assert row.value == "postgresql://ana:***@db.example:5432/treadle"
    assert row.source == "argument"
    assert row.meaning


def test_wrong_settings_do_not_print_a_password(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_PORT", "postgresql://ana:secret@db/x")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(folder=folder)
    assert "secret" not in str(caught.value)


def test_settings_built_by_hand_ignore_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_PORT", "1")
    assert Settings(home=tmp_path).port == 4200


def test_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a" / "home")
    assert settings.create_home() == tmp_path / "a" / "home"
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    settings.create_home()


def test_home_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFull, match=r"home folder .*file/home \(default\) cannot be made") as caught:
        Settings(home=tmp_path / "file" / "home").create_home()
    assert "TREADLE_HOME" in caught.value.remedy


def test_home_that_may_not_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageFull, match="may not be written"):
        Settings(home=tmp_path).create_home()
