from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from treadle.collect.environments.identity import environment_id
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.lock import Lock

PYTHON = Interpreter(
    path=Path("/usr/bin/python3.11"),
    version="3.11.2",
    build="cpython-311 3.11.2 (main, Apr 28 2025) [GCC 12.2.0]",
    platform="linux-x86_64 glibc 2.36",
)
LOCK = Lock(
    "idna==3.10 \\\n    --hash=sha256:bb \\\n    --hash=sha256:aa\n"
    "tiny-tasks @ file://${TREADLE_WHEELS}/0123/tiny_tasks-1.0-py3-none-any.whl \\\n    --hash=sha256:cc\n"
)


def test_id_of_a_known_lock_stays_what_it_was() -> None:
    """A changed id makes every environment there is unknown: it must be a decision (BUILDER_FORMAT)."""
    assert environment_id(LOCK, PYTHON) == "2a7fcaaa1fbc164b40743638cc045abd"


def test_order_of_lines_and_hashes_and_the_place_of_a_wheel_do_not_count() -> None:
    rearranged = Lock(
        "tiny-tasks @ file:///elsewhere/tiny_tasks-1.0-py3-none-any.whl --hash=sha256:cc\n"
        "idna==3.10 --hash=sha256:aa --hash=sha256:bb\n"
    )

    assert environment_id(rearranged, PYTHON) == environment_id(LOCK, PYTHON)


def test_place_of_the_interpreter_does_not_count() -> None:
    moved = replace(PYTHON, path=Path("/opt/python/bin/python3"))

    assert environment_id(LOCK, moved) == environment_id(LOCK, PYTHON)


@pytest.mark.parametrize(
    ("lock", "python"),
    [
        (Lock(LOCK.text.replace("3.10", "3.11")), PYTHON),
        (Lock(LOCK.text.replace("sha256:cc", "sha256:dd")), PYTHON),
        (LOCK, replace(PYTHON, build="cpython-311 3.11.2 (main, May 1 2026) [GCC 12.2.0]")),
        (LOCK, replace(PYTHON, platform="linux-x86_64 glibc 2.28")),
    ],
    ids=["version", "hash", "build", "platform"],
)
def test_each_component_counts(lock: Lock, python: Interpreter) -> None:
    assert environment_id(lock, python) != environment_id(LOCK, PYTHON)
