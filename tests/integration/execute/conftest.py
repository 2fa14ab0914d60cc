"""Task scripts and batches for these tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import JsonValue

from treadle.execute.batch import Batch, UnitCall
from treadle.execute.pool import close_shared_pool

MakeBatch = Callable[..., Batch]


@pytest.fixture(autouse=True)
def _leave_no_launcher() -> Iterator[None]:
    yield
    close_shared_pool()


@pytest.fixture
def make_batch(tmp_path: Path) -> MakeBatch:
    """Give a function that makes a batch of units, all of one task script."""

    def make(script: str, *args: dict[str, JsonValue], environment: dict[str, str] | None = None) -> Batch:
        file = tmp_path / "task.py"
        file.write_text(dedent(script))
        calls = tuple(
            UnitCall(index=index, command=(sys.executable, str(file)), args=given)
            for index, given in enumerate(args or ({},))
        )
        folder = tmp_path / "logs"
        folder.mkdir(exist_ok=True)
        return Batch(
            run_id=1,
            position=0,
            step="000-step",
            calls=calls,
            log_folder=str(folder),
            environment=environment or {},
        )

    return make
