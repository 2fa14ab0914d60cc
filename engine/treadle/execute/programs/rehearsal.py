"""What most tasks begin with, done some times before any unit does it.

Libraries then have filled what caches they keep, where each process would do so at its first use: pydantic
looks through the metadata of all installed packages for plugins, argparse compiles patterns. And the
interpreter has specialised the code, which a fork inherits; it need not write to the pages it is in.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

# CPython 3.11 and later look at a function's code for specialisation once it has run about ten times.
ROUNDS = 20


def rehearse() -> None:
    """Read options and arguments with those libraries that are imported by now."""
    for act in (_parse_options, _read_arguments, _make_model):
        with contextlib.suppress(Exception):  # then units do it for the first time
            for _ in range(ROUNDS):
                act()


def _parse_options() -> None:
    parser = sys.modules["argparse"].ArgumentParser()
    kind = sys.modules["pathlib"].Path if "pathlib" in sys.modules else str
    for option in ("--args-json", "--out-json"):
        parser.add_argument(option, required=True, type=kind)
    parser.parse_args(["--args-json", os.devnull, "--out-json", os.devnull])


def _read_arguments() -> None:
    text = json.dumps({"zarr_url": "/data/image.zarr", "level": 1, "ratio": 0.5, "flags": [True, None]})
    json.loads(text)
    file = sys.modules["pathlib"].Path(os.devnull)
    file.write_text(text)
    file.read_text()


def _make_model() -> None:
    pydantic = sys.modules["pydantic"]
    types: dict[str, Any] = {"zarr_url": str, "level": int, "ratio": float, "name": "str"}
    namespace = {"__module__": __name__, "__annotations__": types, "ratio": 0.5, "name": "a"}
    model = type(pydantic.BaseModel)("Arguments", (pydantic.BaseModel,), namespace)
    model(zarr_url="/data/image.zarr", level=1).model_dump()
