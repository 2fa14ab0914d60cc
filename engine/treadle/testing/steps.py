"""Steps of the mock tasks, as entries of a workflow file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOCK_PACKAGE = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0"}
CREATE = "Create Items"


def mock_step(
    name: str, *, init: Mapping[str, Any] | None = None, entry: Mapping[str, Any] | None = None, **args: Any
) -> dict[str, Any]:
    """Return the entry of a step in a workflow file's `task_list`.

    Args:
        name: Name of the mock task.
        init: Arguments of its single part.
        entry: What else the entry says, such as `alias`, `needs` or `retries`.
        args: Arguments of the part that runs once per item; of the single one where the task is
            `Create Items`, which has no other.
    """
    single, per_item = ({**(init or {}), **args}, {}) if name == CREATE else (init, args)
    given = {"args_non_parallel": single, "args_parallel": per_item}
    parts = {part: dict(value) for part, value in given.items() if value}
    return {"task": {**MOCK_PACKAGE, "name": name}, **parts, **(entry or {})}
