"""Changes in the life of a package as activities: recorded, and to be ended from anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from treadle.collect.lifecycle import deactivate, delete, reactivate, repair
from treadle.compile.interrupts import stop_on_signals
from treadle.ledger import Ledger
from treadle.ledger.packages import PackageRecord
from treadle.ledger.tables import Action
from treadle.runs.activity import Watcher, activity
from treadle.settings import Settings

_CHANGES: Mapping[Action, Callable[..., PackageRecord]] = {
    "deactivate": deactivate,
    "reactivate": reactivate,
    "delete": delete,
    "repair": repair,
}


def change_recorded(
    action: Action, package: PackageRecord, *, settings: Settings, ledger: Ledger, watcher: Watcher
) -> PackageRecord:
    """Deactivate, reactivate, delete or repair a package, and record how that goes.

    Returns:
        The package as it is afterwards; a deleted one as it was.

    Raises:
        AlreadyExists: Another activity changes it at the moment.
        TreadleError: What the change itself raises.
    """
    stop = threading.Event()
    with (
        stop_on_signals(stop),
        activity(
            ledger, action, package.source, watcher=watcher, stop=stop, package_id=package.id
        ) as current,
    ):
        current.package = package
        current.package = _CHANGES[action](
            package.id, settings=settings, ledger=ledger, progress=current.progress
        )
        return current.package
