"""What commands print: tables for people, one JSON document for programs, notes beside them.

Standard output carries the answer alone; notes and progress go to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

STATE_STYLES = {
    "done": "green",
    "failed": "bold red",
    "cancelled": "yellow",
    "running": "cyan",
    "not run": "dim",
}


def print_json(document: object) -> None:
    """Print the one JSON document of a command; models, records, times and paths become plain JSON."""
    import json

    from pydantic import TypeAdapter

    plain = TypeAdapter(object).dump_python(document, mode="json")
    print_line(json.dumps(plain, indent=2, ensure_ascii=False))


def print_line(text: str = "") -> None:
    """Print one line of a command's answer."""
    print(text)  # noqa: T201 - standard output is the answer


def note(text: str) -> None:
    """Tell a person how things go; a program need not read it."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - standard error is where people read it


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "") -> None:
    """Print rows under their columns' names: drawn on a terminal, else as aligned words of full length.

    Args:
        columns: Names of the columns.
        rows: Values; None is left blank, numbers stand right.
        empty: What to print when there is no row.
    """
    if not rows:
        print_line(empty or "Nothing.")
    elif sys.stdout.isatty():
        _draw(columns, rows)
    else:
        cells = [[cell_text(value) for value in row] for row in [columns, *rows]]
        widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
        for row in cells:
            padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
            print_line("  ".join(padded).rstrip())


def cell_text(value: object) -> str:
    """Return a value as a cell shows it: seconds with two digits, times in this machine's zone."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return " ".join(str(value).split())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        texts = [cell_text(value) for value in row]
        table.add_row(*(Text(text, style=STATE_STYLES.get(text, "")) for text in texts))
    Console().print(table)
