"""Timelines as pictures."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from treadle.cli.timeline import has_screen
from treadle.model.timeline import Bar, Row, Span, Timeline
from treadle.runs.timelines.files import ZOOM, write_timeline
from treadle.runs.timelines.svg import WIDTH, draw

SVG = "{http://www.w3.org/2000/svg}"
BEGIN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def timeline(name: str = "mark") -> Timeline:
    bars = [Bar("step", 0, 60, f"{name}: failed"), Bar("failed", 10, 20, "3 units failed")]
    return Timeline(f"Run 7: {name}", Span(BEGIN, BEGIN + timedelta(seconds=60)), [Row(name, bars)], [])


def test_a_picture_has_its_title_axis_legend_and_a_tooltip_for_each_bar() -> None:
    root = ElementTree.fromstring(draw(timeline()))  # noqa: S314 - ours

    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"Run 7: mark", "Steps", "mark", "0 s", "1 min", "units failed", "step or job on"} <= {*texts}
    tips = [element.findtext(f"{SVG}title") for element in root.iter(f"{SVG}rect")]
    assert "3 units failed, 10 s to 20 s (10 s)" in tips
    kinds = [element.get("class") for element in root.iter(f"{SVG}rect")]
    assert kinds.count("failed") == 2, "in the row and in the legend"


def test_it_is_seen_in_the_light_and_in_the_dark() -> None:
    style = ElementTree.fromstring(draw(timeline())).findtext(f"{SVG}style")  # noqa: S314 - ours
    assert style is not None
    assert "prefers-color-scheme: dark" in style


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"&b', "line\nfeed\x00", "長い名前" * 30])
def test_any_name_can_be_drawn_and_nothing_in_it_is_markup(name: str) -> None:
    root = ElementTree.fromstring(draw(timeline(name)))  # noqa: S314 - ours
    assert not list(root.iter(f"{SVG}script"))


def test_both_files_are_written_and_the_png_is_twice_as_fine(tmp_path: Path) -> None:
    files = write_timeline(timeline(), tmp_path / "logs")

    assert files.svg.read_bytes().startswith(b"<?xml")
    png = files.png.read_bytes()
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">I", png[16:20]) == (WIDTH * ZOOM,)


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({}, "darwin", True),
        ({"DISPLAY": ""}, "linux", False),
    ],
)
def test_a_picture_is_opened_only_where_there_is_a_screen(
    environment: dict[str, str], platform: str, *, expected: bool
) -> None:
    assert has_screen(environment, platform) is expected
