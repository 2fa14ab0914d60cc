"""The import names that plugins of a QHAna plugin runner know; installed with each of them, nowhere else.

There is only what a plugin's entry module needs to say what it is. Nothing of it runs plugins: other modules
are absent, so that `try: from . import routes` / `except ImportError: pass` does what it is there for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PACKAGE = "qhana_plugin_runner"


def compatibility_files() -> Iterator[tuple[str, Path]]:
    """The files by the names that they have where they are installed, in the order of these names."""
    folder = Path(__file__).parent
    for path in sorted((folder / PACKAGE).rglob("*.py")):
        yield path.relative_to(folder).as_posix(), path
