"""What the launchers of task functions do; environments of such tasks have it as `_treadle_launch`.

A launcher is called as `--args-json FILE --out-json FILE` (Fractal 1.3).
"""

from __future__ import annotations

import argparse
import functools
import inspect
import json
import logging
import os
import reprlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pydantic_core

ENGINE_ARGUMENTS = ("zarr_dir", "zarr_url", "zarr_urls", "init_args")


def run(function: Callable[..., object]) -> None:
    """Call a function with the arguments of one unit, and write down what it returns."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--args-json", required=True, metavar="FILE")
    parser.add_argument("--out-json", required=True, metavar="FILE")
    options = parser.parse_args()
    _set_up_logging()
    if os.path.lexists(options.out_json):
        sys.exit(f"Output file {options.out_json} already exists.")
    given = json.loads(Path(options.args_json).read_text(encoding="utf-8"))
    args, kwargs = _arguments(function, given)
    returned = pydantic_core.to_json(function(*args, **kwargs))
    with Path(options.out_json).open("xb") as file:
        file.write(returned)


def _arguments(function: Callable[..., object], given: dict[str, Any]) -> tuple[Any, Any]:
    """Check and convert the arguments of a unit, without calling the function."""
    names = inspect.signature(function).parameters
    wanted = {name: value for name, value in given.items() if name in names or name not in ENGINE_ARGUMENTS}

    @functools.wraps(function)
    def received(*args: object, **kwargs: object) -> tuple[Any, Any]:
        return args, kwargs

    try:
        return _adapter(received).validate_json(json.dumps(wanted))
    except pydantic.ValidationError as error:
        sys.exit("\n".join([f"{function.__name__} cannot be called:", *_sentences(error)]))


def _adapter(function: Callable[..., tuple[Any, Any]]) -> pydantic.TypeAdapter[tuple[Any, Any]]:
    return pydantic.TypeAdapter(function)  # type: ignore[arg-type]  # a function stands for its call


def _sentences(error: pydantic.ValidationError) -> list[str]:
    sentences = []
    for wrong in error.errors(include_url=False):
        place = ".".join(map(str, wrong["loc"])) or "arguments"
        given = "" if wrong["type"].startswith("missing") else f", found {reprlib.repr(wrong['input'])}"
        sentences.append(f"  {place}: {wrong['msg']}{given}")
    return sentences


def _set_up_logging() -> None:
    """Log as tasks of Fractal do, by the same variables."""
    if os.environ.get("FRACTAL_TASK_SKIP_LOG_CONFIG"):
        return
    logging.basicConfig(
        level=os.environ.get("FRACTAL_TASK_LOG_LEVEL") or "INFO",
        format=os.environ.get("FRACTAL_TASK_LOG_FORMAT")
        or "%(asctime)s; %(name)s; %(levelname)s; %(message)s",
        force=True,
    )
