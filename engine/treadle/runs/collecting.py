"""Collecting a package as an activity: recorded, and to be ended from anywhere."""

from __future__ import annotations

import threading

from treadle.collect import Collected, CollectOptions, collect
from treadle.collect.credentials import without_credentials
from treadle.compile.interrupts import stop_on_signals
from treadle.ledger import Ledger
from treadle.runs.activity import Watcher, activity
from treadle.settings import Settings


def collect_recorded(
    source: str, options: CollectOptions, *, settings: Settings, ledger: Ledger, watcher: Watcher
) -> Collected:
    """Collect a package and record how that goes; Ctrl-C and SIGTERM end it in order.

    Args:
        source: The source's text; its credentials stay in this process.
        options: What is asked beside it.
        settings: Where things are kept, and which Python is used.
        ledger: Where package and activity are recorded.
        watcher: Who watches.

    Raises:
        CollectError: As for `collect`.
        Cancelled: Somebody asked for the end.
    """
    stop = threading.Event()
    shown = without_credentials(source)
    asked = options.model_dump(mode="json", exclude_defaults=True)
    with (
        stop_on_signals(stop),
        activity(ledger, "collect", shown, watcher=watcher, stop=stop, options=asked) as current,
    ):
        collected = collect(
            source, settings=settings, ledger=ledger, progress=current.progress, options=options
        )
        current.package = collected.package
        return collected
