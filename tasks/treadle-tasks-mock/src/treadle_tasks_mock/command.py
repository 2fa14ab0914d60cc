"""The command of a task: two options, JSON in, JSON out.

The contract is that of `run_fractal_task` in fractal-task-tools, on the standard library alone.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from treadle_tasks_mock.arguments import Argument, args_schema, complete
from treadle_tasks_mock.behaviour import BEHAVIOUR, behave, ends_in

if TYPE_CHECKING:
    from types import SimpleNamespace


@dataclass(frozen=True)
class Part:
    """An executable of a task.

    Attributes:
        title: Title of its arguments' schema.
        supplied: Names of the arguments that the engine supplies.
        own: The arguments of this part; those of `BEHAVIOUR` are added to them.
        function: Takes the completed arguments and returns the output, or None to write no out file.
    """

    title: str
    supplied: tuple[str, ...]
    own: tuple[Argument, ...]
    function: Callable[[SimpleNamespace], Any]

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """All arguments that a user may give."""
        return (*self.own, *BEHAVIOUR)

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return args_schema(self.title, self.supplied, self.arguments)


NULL = object()
"""Returned by a function to write an out file that holds `null`."""


def run(part: Part) -> None:
    """Run a part as the command line says.

    Exits with an error if the out file exists already: every attempt has a path of its own.
    """
    parser = ArgumentParser(allow_abbrev=False)
    parser.add_argument("--args-json", required=True, type=Path, help="file to read the arguments from")
    parser.add_argument("--out-json", required=True, type=Path, help="file to write the result to")
    options = parser.parse_args()
    if options.out_json.exists():
        sys.exit(f"Output file {options.out_json} already exists")
    given = json.loads(options.args_json.read_text(encoding="utf-8"))
    asked = complete(given, part.supplied, part.arguments)
    items = _items(asked)
    behave(asked, items, Path(asked.zarr_url if "zarr_url" in part.supplied else asked.zarr_dir))
    output = part.function(asked)
    if asked.raw_output is not None and any(ends_in(url, asked.raw_output_on) for url in items):
        text = asked.raw_output.replace("{zarr_url}", items[0])
        options.out_json.write_text(text, encoding="utf-8")
    elif output is NULL:
        options.out_json.write_text("null", encoding="utf-8")
    elif output is not None:
        options.out_json.write_text(json.dumps(output), encoding="utf-8")


def _items(asked: SimpleNamespace) -> list[str]:
    """URLs that a unit works on; a converter's single call has none but the dataset's folder."""
    if hasattr(asked, "zarr_url"):
        return [asked.zarr_url]
    return getattr(asked, "zarr_urls", [asked.zarr_dir])
