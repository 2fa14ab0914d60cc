from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from treadle.collect.index import index_options, refreshing, wheels_first
from treadle.collect.uv import UvFailed
from treadle.settings import Settings

HINT = "hint: Wheels are required for `{}` because building from source is disabled for all packages"


class Index:
    """What uv would say of distributions without wheels."""

    def __init__(self, *without_wheel: str) -> None:
        self.without_wheel = without_wheel
        self.asked: list[str] = []

    def run(self, options: Sequence[str]) -> str:
        self.asked.append(" ".join(options))
        for name in self.without_wheel:
            if f"--no-binary {name.lower().replace('_', '-')}" not in self.asked[-1]:
                raise UvFailed(HINT.format(name))
        return "done"


def test_wheels_alone_are_asked_for_first() -> None:
    index = Index()

    assert wheels_first(index.run, ["numpy"]) == "done"
    assert index.asked == ["--only-binary :all:"]


def test_each_distribution_that_lacks_a_wheel_and_may_be_built_is_built() -> None:
    index = Index("Old_Thing", "numpy")

    assert wheels_first(index.run, ["old.thing", "NumPy", "other"]) == "done"
    assert index.asked[-1] == "--only-binary :all: --no-binary numpy --no-binary old-thing"


def test_what_may_not_be_built_ends_it_at_once() -> None:
    index = Index("numpy", "scipy")

    with pytest.raises(UvFailed, match="scipy"):
        wheels_first(index.run, ["numpy"])
    assert len(index.asked) == 2


def test_wheelhouse_takes_the_place_of_the_index(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, wheelhouse=Path("/wheels"))

    assert index_options(settings) == ["--no-index", "--offline", "--find-links", "/wheels"]
    assert refreshing("numpy", settings) == []
    assert index_options(Settings(home=tmp_path)) == ["--index-strategy", "first-index"]
