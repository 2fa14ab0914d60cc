"""The picture of a run that `treadle show --open` makes."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.cli.output import note

if TYPE_CHECKING:
    from treadle.cli.session import Session
    from treadle.runs.timelines.files import TimelineFiles


def draw_timeline(session: Session, run: int) -> TimelineFiles:
    """Write the timeline of a run beside its logs.

    Raises:
        UnknownName: There is no such run.
        StorageFull: The folder of its logs cannot be written.
    """
    from treadle.runs.timelines.files import write_timeline
    from treadle.runs.timelines.loading import load_timeline

    with session.ledger.reading() as tx:
        timeline = load_timeline(tx, run)
    return write_timeline(timeline, session.settings.run_logs_folder(run))


def open_picture(path: Path) -> None:
    """Open a picture in the browser, where there is a screen to show it on."""
    if not has_screen(os.environ, sys.platform):
        note("No screen to open it on: copy the picture to where one is.")
    elif not webbrowser.open(path.as_uri()):
        note("No browser was found to open it with.")


def has_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Whether windows can be opened: on Linux and its like only where a display is named."""
    named = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return named or platform in {"darwin", "win32"}
