"""An activity while it lasts: the ledger and whoever watches hear how it goes, and both can end it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import JsonValue

from treadle.collect import Progress
from treadle.compile.identity import is_gone, this_driver
from treadle.errors import Cancelled, LeaseLost, TreadleError
from treadle.ledger import Ledger, activities
from treadle.ledger.packages import PackageRecord
from treadle.ledger.tables import Action, ActivityState

WATCH_SECONDS = 1.0
JOIN_SECONDS = 5.0

logger = logging.getLogger(__name__)


def _nobody(_text: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Watcher:
    """Somebody who watches an activity from outside.

    Attributes:
        tell: Takes what is under way, in a few words.
        log: Takes each line that a program prints.
        wants_end: Whether the watcher asks for the end; asked about once a second.
        flow_run_id: The flow run that shows the activity.
    """

    tell: Callable[[str], None] = _nobody
    log: Callable[[str], None] = _nobody
    wants_end: Callable[[], bool] = bool
    flow_run_id: str | None = None


class Activity:
    """One that is under way.

    Attributes:
        id: Its number in the ledger.
        progress: What the work tells, and how it hears of its end.
        watcher: Who watches.
        package: The package, once the work knows it.
    """

    def __init__(self, number: int, watcher: Watcher, stop: threading.Event) -> None:
        self.id = number
        self.progress = Progress(self._tell, self._log, stop)
        self.package: PackageRecord | None = None
        self.watcher = watcher
        self._phase = ""
        self._lines: list[str] = []

    def texts(self) -> Mapping[str, str]:
        """What the ledger gets: the phase and the log."""
        return {"phase": self._phase, "log": "".join(f"{line}\n" for line in self._lines)}

    def _tell(self, phase: str) -> None:
        self._phase = phase
        self._lines.append(phase)
        self.watcher.tell(phase)

    def _log(self, line: str) -> None:
        self._lines.append(line)
        self.watcher.log(line)


@contextmanager
def activity(
    ledger: Ledger,
    action: Action,
    source: str,
    *,
    watcher: Watcher,
    stop: threading.Event,
    options: JsonValue = None,
    package_id: int | None = None,
) -> Iterator[Activity]:
    """Record an activity while the context lasts, and its end by what the body raises.

    Args:
        ledger: Where it is recorded.
        action: What it does.
        source: What it does that with; no credentials.
        watcher: Who watches.
        stop: Set when it is to end; the ledger's and the watcher's wishes set it, too.
        options: How something is collected.
        package_id: The package, if it is known already.

    Raises:
        AlreadyExists: Another activity changes the same package.
        LedgerError: The ledger cannot be written.
    """
    holder = this_driver()
    with ledger.writing() as tx:
        activities.end_lost(tx, is_gone=is_gone)
        number = activities.begin(
            tx,
            action=action,
            source=source,
            holder=holder,
            options=options,
            package_id=package_id,
            prefect_flow_run_id=watcher.flow_run_id,
        )
    current = Activity(number, watcher, stop)
    ended = threading.Event()
    watching = threading.Thread(
        target=_watch, args=(ledger, current, holder, ended), name="treadle-watch", daemon=True
    )
    watching.start()
    state: ActivityState = "failed"
    words: str | None = None
    try:
        yield current
        state = "done"
    except (Cancelled, KeyboardInterrupt):
        state = "cancelled"
        raise
    except TreadleError as error:
        words = f"{error}\n{error.detail}".strip()
        raise
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
        raise
    finally:
        ended.set()
        watching.join(JOIN_SECONDS)
        known = current.package
        with ledger.writing() as tx:
            activities.end(
                tx,
                number,
                holder,
                state=state,
                error=words,
                package=None if known is None else (known.id, known.name, known.version),
                **current.texts(),
            )


def _watch(ledger: Ledger, current: Activity, holder: str, ended: threading.Event) -> None:
    stop = current.progress.stop
    while not ended.wait(WATCH_SECONDS):
        try:
            with ledger.writing() as tx:
                asked = activities.note_progress(tx, current.id, holder, **current.texts())
            if asked or current.watcher.wants_end():
                stop.set()
        except LeaseLost as error:
            logger.warning("lease_lost activity=%d error=%s", current.id, error)
            stop.set()
            return
        except TreadleError as error:
            logger.warning("activity_not_noted activity=%d error=%s", current.id, error)
