"""Commands as the person at this terminal can type them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path


def as_typed(command: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a `treadle` command, through uv where that is how this one was started.

    Args:
        command: The command, from `treadle` on.
        environment: The process's variables; `uv run` sets `UV` and `UV_RUN_RECURSION_DEPTH` in it.
    """
    uv = environment.get("UV")
    if uv is None or "UV_RUN_RECURSION_DEPTH" not in environment:
        return command
    program, here = Path(uv), Path.cwd()
    if program.is_relative_to(here):
        program = program.relative_to(here)
    return f"{shlex.quote(str(program))} run {command}"
