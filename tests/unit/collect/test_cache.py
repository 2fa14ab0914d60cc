from __future__ import annotations

from pathlib import Path

import pytest

from treadle.collect import cache
from treadle.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def devices(monkeypatch: pytest.MonkeyPatch, **numbers: int) -> None:
    """Let paths that contain a word be on that file system; two of them need not be had on every machine."""

    def device(path: Path) -> int:
        return next((number for word, number in numbers.items() if word in str(path)), 0)

    monkeypatch.setattr(cache, "_device", device)


def test_usual_cache_is_used_where_files_can_be_linked_from_it(settings: Settings, tmp_path: Path) -> None:
    variables = cache.cache_variables({"HOME": str(tmp_path)}, settings)

    assert "UV_CACHE_DIR" not in variables
    assert int(variables["UV_LOCK_TIMEOUT"]) > 0


def test_cache_is_inside_the_home_where_the_usual_one_is_elsewhere(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices(monkeypatch, xdg=7)

    found = cache.cache_variables({"HOME": "/root", "XDG_CACHE_HOME": "/xdg"}, settings)

    assert found["UV_CACHE_DIR"] == str(settings.uv_cache_folder)
    assert "UV_CACHE_DIR" not in cache.cache_variables({"HOME": "/root", "XDG_CACHE_HOME": "xdg"}, settings)


def test_what_somebody_set_is_respected_but_links_by_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices(monkeypatch, elsewhere=7)
    inherited = {"UV_CACHE_DIR": "/elsewhere/uv", "UV_LOCK_TIMEOUT": "5", "UV_LINK_MODE": "symlink"}

    found = {**inherited, **cache.cache_variables(inherited, settings)}

    assert found == {**inherited, "UV_LINK_MODE": "hardlink"}
    copy = {"UV_CACHE_DIR": "/x", "UV_LINK_MODE": "copy"}
    assert "UV_LINK_MODE" not in cache.cache_variables(copy, settings)
