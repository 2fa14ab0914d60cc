"""Tasks without a ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from treadle.authoring.tasks import TaskHandle
from treadle.model.task import Task, TaskPart, TaskType

BLUR: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["sigma"],
    "properties": {
        "zarr_url": {"type": "string"},
        "sigma": {"type": "number", "minimum": 0, "description": "Width of the kernel."},
        "mode": {"enum": ["reflect", "wrap"], "default": "reflect"},
        "channels": {"type": "array", "items": {"type": "integer"}, "default": []},
        "mask": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "more": {"$ref": "#/$defs/More", "default": {}},
    },
    "$defs": {"More": {"type": "object", "additionalProperties": {"type": "boolean"}}},
}


@pytest.fixture
def make_handle() -> Callable[..., TaskHandle]:
    """Makes a task of that name and type, of which every part has the schema."""

    def make(
        name: str = "Blur",
        kind: TaskType = TaskType.PARALLEL,
        schema: dict[str, Any] | None = BLUR,
        **more: Any,
    ) -> TaskHandle:
        parts = {f"{part}": TaskPart(executable="run.py", args_schema=schema) for part in kind.parts}
        task = Task(
            package="images",
            version="1.0",
            name=name,
            type=kind,
            args_schema_version="pydantic_v2",
            **parts,
            **more,
        )
        return TaskHandle(task)

    return make
