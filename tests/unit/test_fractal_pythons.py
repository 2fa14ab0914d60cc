"""Interpreters as an older Fractal server is told of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from treadle.errors import SettingsInvalid
from treadle.settings import Settings, describe, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("TREADLE_", "FRACTAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / ".git").mkdir()


def source(settings: Settings, name: str) -> str:
    return next(row.source for row in describe(settings) if row.name == name)


def test_interpreters_and_the_default_version_are_taken_over_with_their_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRACTAL_TASKS_PYTHON_3_14", "/opt/python3.14")
    monkeypatch.setenv("FRACTAL_TASKS_PYTHON_3_9", "/opt/python3.9")
    monkeypatch.setenv("FRACTAL_TASKS_PYTHON_3_10", "")
    monkeypatch.setenv("FRACTAL_TASKS_PYTHON_DEFAULT_VERSION", "3.9")

    settings = load_settings(folder=tmp_path)

    assert settings.pythons == {"3.9": Path("/opt/python3.9"), "3.14": Path("/opt/python3.14")}
    assert settings.python == Path("/opt/python3.9")
    assert source(settings, "pythons") == (
        "environment variables FRACTAL_TASKS_PYTHON_3_9, FRACTAL_TASKS_PYTHON_3_14"
    )
    assert source(settings, "python").endswith(
        "FRACTAL_TASKS_PYTHON_DEFAULT_VERSION, FRACTAL_TASKS_PYTHON_3_9"
    )


def test_own_settings_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTAL_TASKS_PYTHON_3_9", "/opt/python3.9")
    monkeypatch.setenv("FRACTAL_TASKS_PYTHON_DEFAULT_VERSION", "3.9")
    monkeypatch.setenv("TREADLE_PYTHON", "/mine/python3")
    (tmp_path / "treadle.toml").write_text('[pythons]\n"3.12" = "/mine/python3.12"\n')

    settings = load_settings(folder=tmp_path)

    assert settings.python == Path("/mine/python3")
    assert settings.pythons == {"3.12": Path("/mine/python3.12")}


def test_without_a_default_version_the_others_are_dropped_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_settings(folder=tmp_path).python
    monkeypatch.setenv("FRACTAL_TASKS_PYTHON_3_9", "/opt/python3.9")

    settings = load_settings(folder=tmp_path)

    assert (settings.python, settings.pythons) == (before, {})
    told = "default (FRACTAL_TASKS_PYTHON_3_9 without FRACTAL_TASKS_PYTHON_DEFAULT_VERSION: not followed)"
    assert source(settings, "pythons") == told


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"3_9": "python3.9"}, r"FRACTAL_TASKS_PYTHON_3_9: 'python3\.9' is no absolute path"),
        ({"3_9": "/opt/python3.9", "DEFAULT_VERSION": "3.11"}, r"DEFAULT_VERSION: .* '3\.11'"),
        ({"DEFAULT_VERSION": "4"}, r"DEFAULT_VERSION: .* '4'"),
    ],
    ids=["relative", "default without interpreter", "unlisted"],
)
def test_wrong_variables_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"FRACTAL_TASKS_PYTHON_{name}", value)

    with pytest.raises(SettingsInvalid, match=said) as caught:
        load_settings(folder=tmp_path)

    assert caught.value.remedy
