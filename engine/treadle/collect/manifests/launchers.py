"""The files of a derived manifest: itself, and a program for each function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Functions: TypeAlias = Sequence[Mapping[str, Any]]
"""Tasks as `programs/functions.py` describes them, read from JSON."""

DERIVED = "treadle_derived"
"""Key of a manifest that no package wrote: which distribution it was made from."""

_LAUNCHER = '''"""Calls {module}:{attribute} for one unit."""

from {module} import {name}

from _treadle_launch import run

if __name__ == "__main__":
    run({attribute})
'''


def launchers(tasks: Functions) -> dict[str, str]:
    """Return the text of each launcher by its file name."""
    return {
        _file(part): _LAUNCHER.format(
            module=part["module"], attribute=part["attribute"], name=part["attribute"].partition(".")[0]
        )
        for task in tasks
        for part in task["parts"].values()
    }


def manifest(tasks: Functions, *, distribution: str, version: str) -> dict[str, object]:
    """Return the manifest of tasks whose launchers lie beside it."""
    return {
        "manifest_version": "2",
        DERIVED: {"distribution": distribution, "version": version},
        "has_args_schemas": True,
        "args_schema_version": "pydantic_v2",
        "task_list": [_entry(task) for task in tasks],
    }


def _entry(task: Mapping[str, Any]) -> dict[str, object]:
    entry = {key: value for key, value in task.items() if key != "parts"}
    for name, part in task["parts"].items():
        entry[f"executable_{name}"] = _file(part)
        entry[f"meta_{name}"] = part["meta"]
        entry[f"args_schema_{name}"] = part["args_schema"]
    return entry


def _file(part: Mapping[str, str]) -> str:
    """Return a name that no module can have: a file beside a program stands in the place of such a module."""
    module, attribute = (part[key].replace(".", "-") for key in ("module", "attribute"))
    return f"{module}--{attribute}.py"
