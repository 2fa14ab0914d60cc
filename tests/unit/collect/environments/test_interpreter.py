from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from treadle.collect.environments.interpreter import examine
from treadle.errors import InterpreterMissing


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
