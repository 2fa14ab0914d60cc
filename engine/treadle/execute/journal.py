"""The journal: what a worker writes down of each unit as it ends, before anybody else hears of it.

One append-only file a worker and run, a line a unit: a JSON array of the step's position in the plan and
the values of the unit's record, in the order of its fields; new ones may be added at the end. A unit that is
in it has ended, whatever becomes of the worker, the batch or the driver afterwards.
"""

from __future__ import annotations

import fcntl
import json
import logging
import operator
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from treadle.errors import LeaseLost
from treadle.execute.logs import stores
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState

POLL_SECONDS = 0.05
CLAIM = "driver"

logger = logging.getLogger(__name__)

_encode = json.JSONEncoder(default=datetime.isoformat, separators=(",", ":")).encode
_NAMES = tuple(field.name for field in fields(UnitRecord))
_values_of = operator.attrgetter(*_NAMES)


@dataclass(frozen=True, slots=True)
class Journal:
    """An open journal, of which `append` may be called from several threads."""

    descriptor: int

    def append(self, position: int, record: UnitRecord) -> None:
        """Write the end of a unit of the step at `position` of the plan.

        A line begins with its line break, so that one torn by a full disk spoils no other. A journal that
        cannot be written is no reason to fail the unit, whose record is also on its way to the driver.
        """
        try:
            os.write(self.descriptor, f"\n{_encode((position, *_values_of(record)))}".encode())
        except OSError as error:
            logger.warning("journal_not_written unit=%d error=%s", record.index, error)


def claim_journals(folder: Path, driver: str) -> None:
    """Let only the workers of this driver open journals of the run from now on.

    Raises:
        OSError: The folder cannot be written.
    """
    claim = folder / f"{CLAIM}.new"
    claim.write_text(driver)
    claim.replace(folder / CLAIM)


@contextmanager
def open_journal(folder: Path, worker: str, driver: str = "") -> Iterator[Journal]:
    """Open a worker's journal in a run's log folder.

    As long as it is open others can see that the worker may still write: see `wait_until_closed`.

    Args:
        folder: The run's log folder.
        worker: Name of the worker.
        driver: Name of the driver that sent the batch; it need not have claimed the journals if empty.

    Raises:
        LeaseLost: Another driver has claimed the journals.
        OSError: The file cannot be opened.
    """
    file = folder / f"journal-{worker}.jsonl"
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # before the look: who claims them then waits for its end
        if driver and driver != (folder / CLAIM).read_text():
            raise LeaseLost("Another process has taken the run over.")
        yield Journal(descriptor)
    finally:
        os.close(descriptor)


def read_journals(folder: Path) -> Iterator[tuple[int, UnitRecord]]:
    """Yield position and record of every unit in a run's journals; a torn line is passed over."""
    for file in _journals(folder):
        with file.open("rb") as lines:
            for line in lines:
                entry = _parsed(line)
                if entry is not None:
                    yield entry


def wait_until_closed(folder: Path, seconds: float) -> bool:
    """Wait until no worker has a journal of the run open, and no process of a unit lives.

    Units may outlive their worker by the seconds that they are given to end; as long as one does, its keeper
    has a lock on its log store.

    Returns:
        Whether that came in time.
    """
    deadline = time.monotonic() + seconds
    while any(map(_is_open, [*_journals(folder), *stores(folder)])):  # in this order: see `programs.keeper`
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def remove_journals(folder: Path) -> None:
    """Remove the journals of a run of which the ledger has every unit."""
    for file in _journals(folder):
        file.unlink()


def _journals(folder: Path) -> list[Path]:
    return sorted(folder.glob("journal-*.jsonl"))


def _is_open(file: Path) -> bool:
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)  # NFS locks nothing that cannot be written
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _parsed(line: bytes) -> tuple[int, UnitRecord] | None:
    try:
        position, *values = json.loads(line)
    except ValueError:
        return None
    entry = dict(zip(_NAMES, values, strict=False))
    entry["state"] = UnitState(entry["state"])
    entry["cause"] = entry["cause"] and Cause(entry["cause"])
    entry["started_at"] = datetime.fromisoformat(entry["started_at"])
    return position, UnitRecord(**entry)
