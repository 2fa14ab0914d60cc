"""Starts one of these programs: `python start.py launcher CONTROL`, `python start.py zygote IDLE CONTROL`.

CONTROL is a socket's descriptor; IDLE, in seconds, how long a zygote waits that has nothing to do.

The package is loaded under a private name, so that it stands in no task's way and needs no place in
`sys.path`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

PRIVATE_NAME = "_treadle_programs"


def _start(program: str, *arguments: str) -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        PRIVATE_NAME,
        os.path.join(folder, "__init__.py"),
        submodule_search_locations=[folder],
    )
    assert spec is not None  # noqa: S101 - a file of that ending always has one
    sys.modules[PRIVATE_NAME] = importlib.util.module_from_spec(spec)
    importlib.import_module(f"{PRIVATE_NAME}.{program}").main(*arguments)


if __name__ == "__main__":
    _start(*sys.argv[1:])
