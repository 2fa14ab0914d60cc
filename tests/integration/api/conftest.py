"""Homes with a server folder that costs no migration."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from treadle.api import Server, local_server
from treadle.api.claim import claim
from treadle.settings import Settings


def _wait_until(predicate: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def _has_ended(settings: Settings) -> bool:
    lock = claim(settings.server_folder)
    if isinstance(lock, int):
        os.close(lock)
        return True
    return False


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Return a function that waits until a predicate is true."""
    return _wait_until


@pytest.fixture(scope="session")
def has_ended() -> Callable[[Settings], bool]:
    """Return a function that says whether no server of a home runs."""
    return _has_ended


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose server ran once."""
    settings = Settings(home=tmp_path_factory.mktemp("template"), port=0)
    with local_server(settings):
        pass
    _wait_until(lambda: _has_ended(settings))
    return settings.home


@pytest.fixture
def settings(template: Path, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a home that nobody uses yet; its server has ended when the test has."""
    settings = Settings(home=tmp_path / "home", port=0)
    shutil.copytree(template, settings.home)
    yield settings
    _wait_until(lambda: _has_ended(settings))


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a home whose server runs, for tests that change nothing of it."""
    settings = Settings(home=tmp_path_factory.mktemp("shared") / "home", port=0)
    shutil.copytree(template, settings.home)
    with local_server(settings):
        yield settings
    _wait_until(lambda: _has_ended(settings))


@pytest.fixture(scope="module")
def server(shared: Settings) -> Iterator[Server]:
    """The server of the shared home."""
    with local_server(shared) as server:
        yield server
