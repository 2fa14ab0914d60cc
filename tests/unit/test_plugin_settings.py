"""Where plugins are looked for: how it is written, which source counts, and what is not shown of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from treadle.errors import SettingsInvalid
from treadle.settings import SettingRow, Settings, describe, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("TREADLE_") or name in {"PLUGIN_FOLDERS", "GIT_PLUGINS"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()


def row(settings: Settings, name: str) -> SettingRow:
    return next(row for row in describe(settings) if row.name == name)


def test_variables_of_a_qhana_runner_are_read_and_named_as_the_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLUGIN_FOLDERS", ":/app/plugins::extra:~/mine")
    monkeypatch.setenv("GIT_PLUGINS", "git+https://example.org/a@main\n\n  git+https://example.org/b  \n")
    settings = load_settings()
    assert settings.plugin_folders == (
        Path("/app/plugins"),
        tmp_path / "extra",
        tmp_path / "person" / "mine",
    )
    assert settings.git_plugins == ("git+https://example.org/a@main", "", "git+https://example.org/b")
    assert row(settings, "plugin_folders").source == "environment variable PLUGIN_FOLDERS"
    assert row(settings, "git_plugins").source == "environment variable GIT_PLUGINS"
    assert row(settings, "git_plugins").value == "git+https://example.org/a@main; git+https://example.org/b"


def test_own_variables_and_the_file_count_before_those_of_a_qhana_runner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLUGIN_FOLDERS", "/older")
    monkeypatch.setenv("GIT_PLUGINS", "git+https://example.org/older")
    (tmp_path / "treadle.toml").write_text('plugin_folders = ["plugins", "/shared"]\n')
    monkeypatch.setenv("TREADLE_GIT_PLUGINS", "git+https://example.org/newer")
    settings = load_settings()
    assert settings.plugin_folders == (tmp_path / "plugins", Path("/shared"))
    assert settings.git_plugins == ("git+https://example.org/newer",)
    assert row(settings, "plugin_folders").source == f"{tmp_path}/treadle.toml, line 1"
    assert row(settings, "git_plugins").source == "environment variable TREADLE_GIT_PLUGINS"


def test_file_may_write_them_as_the_variables_do(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "treadle.toml").write_text(
        'plugin_folders = "plugins:/shared"\ngit_plugins = ["git+https://example.org/a"]\n'
    )
    settings = load_settings(folder=tmp_path / "inner")
    assert settings.plugin_folders == (tmp_path / "plugins", Path("/shared"))
    assert settings.git_plugins == ("git+https://example.org/a",)


def test_value_that_is_no_list_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "treadle.toml").write_text("\nplugin_folders = 3\n")
    with pytest.raises(SettingsInvalid, match="line 2: plugin_folders cannot be 3"):
        load_settings()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("git+https://ana:se@cret@example.org/r.git@v1", "git+https://ana:***@example.org/r.git@v1"),
        ("git+https://t0ken@example.org/r.git@main", "git+https://***@example.org/r.git@main"),
        ("git+https://x:t0ken@example.org:8443/r@main", "git+https://x:***@example.org:8443/r@main"),
        ("git+https://example.org:8443/r@v1", "git+https://example.org:8443/r@v1"),
        ("git+https://example.org/r@feature/x", "git+https://example.org/r@feature/x"),
        ("git+ssh://git@example.org/r.git@v1", "git+ssh://git@example.org/r.git@v1"),
    ],
)
def test_secrets_of_git_lines_are_not_shown(monkeypatch: pytest.MonkeyPatch, line: str, shown: str) -> None:
    monkeypatch.setenv("GIT_PLUGINS", line)
    settings = load_settings()
    assert settings.git_plugins == (line,)
    assert row(settings, "git_plugins").value == shown
