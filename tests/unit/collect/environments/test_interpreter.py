from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from treadle.collect.environments.interpreter import choose_interpreter, examine
from treadle.errors import InterpreterMissing
from treadle.settings import Settings


def test_interpreter_tells_version_build_and_platform() -> None:
    interpreter = examine(Path(sys.executable))

    assert interpreter.version == platform.python_version()
    assert sys.version in interpreter.build
    assert platform.machine() in interpreter.platform


def test_interpreter_of_a_virtual_environment_stands_for_the_one_it_was_made_from() -> None:
    interpreter = examine(Path(sys.executable))

    assert interpreter.path == Path(getattr(sys, "_base_executable", "")).resolve()


@pytest.mark.parametrize("path", ["/no/such/python3", "/bin/true", "/bin/false", "/etc/passwd", "python3"])
def test_what_is_no_python_is_named_with_a_remedy(path: str) -> None:
    with pytest.raises(InterpreterMissing, match=path) as caught:
        examine(Path(path))

    assert "TREADLE_PYTHON" in caught.value.remedy


OWN = ".".join(platform.python_version_tuple()[:2])


def test_interpreter_is_chosen_by_version_by_path_or_by_default(tmp_path: Path) -> None:
    venv = Path(sys.executable)
    settings = Settings(home=tmp_path, python=venv, pythons={OWN: venv})

    expected = examine(venv)
    for asked in (None, OWN, platform.python_version(), sys.executable):
        assert choose_interpreter(asked, settings) == expected


def test_default_interpreter_answers_to_its_own_version(tmp_path: Path) -> None:
    assert choose_interpreter(OWN, Settings(home=tmp_path, python=Path(sys.executable))).version.startswith(
        OWN
    )


def test_version_that_is_not_configured_is_refused_with_those_that_are(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, python=Path(sys.executable), pythons={"3.9": Path("/opt/python3.9")})

    with pytest.raises(InterpreterMissing, match=r"No interpreter of version 3\.99") as caught:
        choose_interpreter("3.99", settings)

    assert "3.9 = /opt/python3.9" in caught.value.remedy
    assert platform.python_version() in caught.value.remedy


def test_interpreter_of_another_version_than_configured_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, pythons={"3.99": Path(sys.executable)})

    with pytest.raises(InterpreterMissing, match=r"configured as Python 3\.99, is Python") as caught:
        choose_interpreter("3.99", settings)

    assert "pythons" in caught.value.remedy


def test_relative_path_of_an_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InterpreterMissing, match="not an absolute path"):
        choose_interpreter("bin/python3", Settings(home=tmp_path))
