"""Tasks that every installation has: commands that a workflow names, and tasks of recorded workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from treadle.model.task import Part, Task, TaskPart, TaskRef, TaskType

PACKAGE = "treadle-builtin"
VERSION = "1"
"""Changes when their arguments do, not with the engine."""

SCHEMA_LABEL = "pydantic_v2"

COMMAND_PROGRAM = "command.py"
REPLAY_PROGRAM = "replay.py"

COMMAND_NAMES = {
    TaskType.PARALLEL: "Command per item",
    TaskType.NON_PARALLEL: "Command on items",
    TaskType.CONVERTER_NON_PARALLEL: "Command",
}
REPLAY_NAME = "Replayed task"

_TEXT: JsonValue = {"type": "string", "minLength": 1}

COMMAND_PROPERTIES: Mapping[str, dict[str, JsonValue]] = {
    "command": {
        "title": "Command",
        "description": "The program and its words. {name} stands for an argument; a brace is written twice.",
        "type": "array",
        "items": _TEXT,
        "minItems": 1,
    },
    "outputs": {
        "title": "Outputs",
        "description": "Files and folders that must be there when the command has ended; paths are relative "
        "to the item's folder, or to that of the dataset.",
        "type": "array",
        "items": _TEXT,
        "default": [],
    },
    "stdout": {
        "title": "Standard output",
        "description": "File for what the command prints; it is there only if the command ends well.",
        "type": "string",
    },
    "item": {
        "title": "New item",
        "description": "The output that becomes an item of the dataset.",
        "type": "string",
    },
}
"""Schemas of the arguments that say what a command task runs."""


def command_task_of(
    package: str, version: str, name: str, kind: TaskType, schema: dict[str, JsonValue], **more: object
) -> Task:
    """Return a task that runs a command; `more` are further fields of the task and of its part's `meta`."""
    part = kind.first_part
    meta = cast("dict[str, JsonValue]", more.pop("meta", {}))
    program = TaskPart(executable=COMMAND_PROGRAM, args_schema=schema, meta=meta)
    return Task.model_validate(
        {
            "package": package,
            "version": version,
            "name": name,
            "type": kind,
            "parallel" if part is Part.PARALLEL else "non_parallel": program,
            "args_schema_version": SCHEMA_LABEL,
            **more,
        }
    )


def _own_command(kind: TaskType) -> Task:
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": dict(COMMAND_PROPERTIES),
        "required": ["command"],
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    }
    return command_task_of(PACKAGE, VERSION, COMMAND_NAMES[kind], kind, schema)


def _replay() -> Task:
    sizes: dict[str, JsonValue] = {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 0},
    }
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {
            "seconds": {
                "title": "Seconds",
                "description": "How long it takes.",
                "type": "number",
                "minimum": 0,
                "default": 0,
            },
            "cpu": {
                "title": "CPU share",
                "description": "Share of its time in which it computes; it sleeps for the rest.",
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 1,
            },
            "inputs": {
                "title": "Inputs",
                "description": "Files that it reads.",
                "type": "array",
                "items": _TEXT,
                "default": [],
            },
            "outputs": {
                "title": "Outputs",
                "description": "Files that it writes, in bytes.",
                "default": {},
                **sizes,
            },
        },
        "additionalProperties": False,
    }
    return Task(
        package=PACKAGE,
        version=VERSION,
        name=REPLAY_NAME,
        type=TaskType.CONVERTER_NON_PARALLEL,
        non_parallel=TaskPart(executable=REPLAY_PROGRAM, args_schema=schema),
        args_schema_version=SCHEMA_LABEL,
        docs_info="Takes the time, uses the cpu, reads and writes the files that a recorded task did.",
    )


TASKS = (*map(_own_command, COMMAND_NAMES), _replay())

REPLAY = TaskRef(pkg_name=PACKAGE, version=VERSION, name=REPLAY_NAME)
