from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.ledger import Ledger, sqlite_url
from treadle.testing.bench import Asked, Bench, NewBench, add_tasks
from treadle.testing.deaths import Fate


@pytest.fixture(scope="session")
def new_bench() -> Iterator[NewBench]:
    """Makes a bench; the empty ledger is made once."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.db")
        with Ledger(sqlite_url(empty)) as ledger, ledger.writing() as tx:
            add_tasks(tx)
        content = empty.read_bytes()
        numbers = itertools.count()
        opened: list[Ledger] = []

        def make(asked: Asked, fate: Fate | None = None) -> Bench:
            while opened:
                opened.pop().close()
            place = Path(folder, str(next(numbers)))
            place.mkdir()
            file = place / "ledger.db"
            file.write_bytes(content)
            opened.append(Ledger(sqlite_url(file)))
            return Bench.submitted(opened[-1], place, asked, fate or Fate())

        yield make
        for ledger in opened:
            ledger.close()
