"""What the documentation shows of plugins is such as Treadle reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.collect.plugins.git_lines import parse_git_lines
from treadle.collect.plugins.reading import read
from treadle.collect.plugins.walk import candidates
from treadle.settings import load_settings

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"


def test_examples_are_two_versions_of_a_plugin_that_are_literal_throughout() -> None:
    found = [read(path) for path in candidates(EXAMPLES / "plugins")]
    assert [(reading.metadata.name, reading.metadata.version) for reading in found] == [
        ("greeting", "v1.2.0"),
        ("greeting", "v2.0.0rc1"),
    ]
    for reading in found:
        assert reading.problem is None
        assert reading.metadata.unknown == ()
        assert "humanize" in (reading.metadata.requirements or "")


def test_example_of_the_settings_is_one_that_settings_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PLUGIN_FOLDERS", "GIT_PLUGINS", "TREADLE_PLUGIN_FOLDERS", "TREADLE_GIT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    (tmp_path / "treadle.toml").write_text((EXAMPLES / "plugins.toml").read_text())
    settings = load_settings(folder=tmp_path)
    assert settings.plugin_folders == (tmp_path / "plugins", Path("/shared/plugins"))
    [line], problems = parse_git_lines(settings.git_plugins)
    assert problems == []
    assert (line.place.ref, line.place.subdirectory) == ("v1.0", "plugins")
