"""Draws timelines as SVG: pictures that stand alone, in the light and in the dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from treadle.model.durations import duration_text, ticks
from treadle.model.timeline import Bar, Row, Timeline

WIDTH = 1200
LEFT = 230
RIGHT = 24
TOP = 66
ROW = 22
GAP = 34
MARKS = 9
LONGEST_NAME = 30

STYLE = """
svg { background: #ffffff; color-scheme: light dark; }
text { font: 12px "DejaVu Sans", Verdana, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: bold; }
.head { font-weight: bold; }
.axis, .mark { fill: #57606a; }
.paper { fill: #ffffff; }
.line { stroke: #d0d7de; stroke-width: 1; }
.step, .job { fill: #dfe5ec; }
.queued { fill: #e3c66a; }
.done { fill: #2a9d5c; }
.failed { fill: #d1333f; }
.cancelled { fill: #8a63d2; }
@media (prefers-color-scheme: dark) {
  svg { background: #14181d; }
  text { fill: #e6edf3; }
  .axis, .mark { fill: #9aa5b1; }
  .paper { fill: #14181d; }
  .line { stroke: #343b44; }
  .step, .job { fill: #333c47; }
  .queued { fill: #9c7f1e; }
  .done { fill: #3fb97a; }
  .failed { fill: #f05a63; }
  .cancelled { fill: #a98be6; }
}
"""
LEGEND = {
    "done": "units done",
    "failed": "units failed",
    "cancelled": "units cancelled",
    "step": "step or job on",
    "queued": "job in the queue",
}


def draw(timeline: Timeline) -> bytes:
    """Return a timeline as an SVG document in UTF-8."""
    groups = [
        (name, rows) for name, rows in (("Steps", timeline.steps), ("Workers", timeline.workers)) if rows
    ]
    height = TOP + sum(GAP + ROW * len(rows) for _, rows in groups) + 40
    root = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        width=str(WIDTH),
        height=str(height),
        role="img",
    )
    _explain(root, timeline.title)
    SubElement(root, "style").text = STYLE
    SubElement(root, "rect", {"class": "paper", "width": str(WIDTH), "height": str(height)})
    _text(root, timeline.title, 16, 26, "title")
    _draw_legend(root, {bar.kind for _, rows in groups for row in rows for bar in row.bars})
    scale = (WIDTH - LEFT - RIGHT) / max(timeline.span.seconds, 1e-9)
    bottom = height - 30
    _draw_axis(root, timeline.span.seconds, scale, bottom)
    y = float(TOP)
    for name, rows in groups:
        _text(root, name, 16, y + 22, "head")
        y = _draw_rows(root, rows, y + GAP, scale)
    indent(root, space=" ")
    drawn: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return drawn


def _draw_legend(root: Element, kinds: set[str]) -> None:
    x = float(LEFT)
    for kind, text in LEGEND.items():
        if kind in kinds or (kind == "step" and "job" in kinds):
            SubElement(root, "rect", {"class": kind, "x": f"{x:g}", "y": "42", "width": "12", "height": "12"})
            _text(root, text, x + 18, 52, "axis")
            x += 36 + 7.2 * len(text)


def _draw_axis(root: Element, seconds: float, scale: float, bottom: float) -> None:
    for time in ticks(seconds, MARKS):
        x = LEFT + time * scale
        place = {"x1": f"{x:.2f}", "x2": f"{x:.2f}", "y1": str(TOP + GAP - 6), "y2": f"{bottom:g}"}
        SubElement(root, "line", {"class": "line", **place})
        mark = _text(root, duration_text(time), x, bottom + 18, "mark")
        mark.set("text-anchor", "middle")


def _draw_rows(root: Element, rows: Sequence[Row], y: float, scale: float) -> float:
    for row in rows:
        label = _text(root, _short(row.name), LEFT - 10, y + ROW * 0.68, "axis")
        label.set("text-anchor", "end")
        _explain(label, row.name)
        for bar, height in _stacked(row.bars):
            _draw_bar(root, bar, y + (ROW - height) / 2, height, scale)
        y += ROW
    return y


def _stacked(bars: Sequence[Bar]) -> Iterator[tuple[Bar, float]]:
    """Bars with their heights: frames are as high as a row, what failed is seen before what is done."""
    heights = {"step": ROW - 4.0, "job": ROW - 4.0, "queued": 6.0, "failed": 6.0, "cancelled": 8.0}
    for bar in bars:
        yield bar, heights.get(bar.kind, 11.0)


def _draw_bar(root: Element, bar: Bar, y: float, height: float, scale: float) -> None:
    width = max((bar.end - bar.begin) * scale, 1.0)
    place = {
        "x": f"{LEFT + bar.begin * scale:.2f}",
        "y": f"{y:g}",
        "width": f"{width:.2f}",
        "height": f"{height:g}",
    }
    drawn = SubElement(root, "rect", {"class": bar.kind, **place})
    when = f"{duration_text(bar.begin)} to {duration_text(bar.end)}"
    _explain(drawn, f"{bar.text}, {when} ({duration_text(bar.end - bar.begin)})")


def _text(root: Element, text: str, x: float, y: float, kind: str) -> Element:
    element = SubElement(root, "text", {"class": kind, "x": f"{x:g}", "y": f"{y:g}"})
    element.text = _printable(text)
    return element


def _explain(element: Element, text: str) -> None:
    """Say what an element is, to those who point at it."""
    SubElement(element, "title").text = _printable(text)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
