"""Writes the timeline of a run as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from treadle.errors import StorageFull
from treadle.model.timeline import Timeline
from treadle.runs.timelines.svg import draw

ZOOM = 2


@dataclass(frozen=True, slots=True)
class TimelineFiles:
    """A timeline as a picture for browsers, and as one that any program shows."""

    svg: Path
    png: Path


def write_timeline(timeline: Timeline, folder: Path) -> TimelineFiles:
    """Write a timeline into a folder, over an earlier one.

    Raises:
        StorageFull: The folder cannot be made or written.
    """
    import resvg_py

    svg = draw(timeline)
    png = resvg_py.svg_to_bytes(svg_string=svg.decode(), zoom=ZOOM)
    files = TimelineFiles(folder / "timeline.svg", folder / "timeline.png")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.svg.write_bytes(svg)
        files.png.write_bytes(png)
    except OSError as error:
        raise StorageFull(f"The timeline cannot be written into {folder}: {error.strerror}.") from error
    return files
