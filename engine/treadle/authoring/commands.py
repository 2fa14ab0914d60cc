"""Commands as tasks: fixed words with places for values, run as processes like the units of any task."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, cast

from pydantic import JsonValue

from treadle.authoring import held
from treadle.authoring.call import Call
from treadle.authoring.resources import Resources, meta
from treadle.authoring.tasks import TaskHandle
from treadle.errors import WorkflowInvalid
from treadle.execute.builtin.command import OWN, check_words, placeholders
from treadle.execute.worker import is_worker
from treadle.model.builtin import COMMAND_PROPERTIES, command_task_of
from treadle.model.problems import listed
from treadle.model.task import Task, TaskType
from treadle.model.units import ENGINE_ARGUMENTS, engine_arguments

_DIGEST_CHARACTERS = 12
_KINDS = {
    "zarr_url": TaskType.PARALLEL,
    "zarr_urls": TaskType.NON_PARALLEL,
    None: TaskType.CONVERTER_NON_PARALLEL,
}


class CommandTask(TaskHandle):
    """A command; called with the values of its arguments it returns a `Call`, the step of a workflow.

    Args:
        handle: The task, recorded.
        fixed: The arguments that make it this command.
    """

    def __init__(self, handle: TaskHandle, fixed: Mapping[str, JsonValue]) -> None:
        super().__init__(handle.task, handle._options)
        self._fixed = fixed
        own = [one for name, one in self.__signature__.parameters.items() if name not in OWN]
        self._defaults = {one.name: one.default for one in own if one.default is not one.empty}
        self.__signature__ = inspect.Signature(own)

    def __call__(self, **arguments: object) -> Call:
        """Give the command its values; what is left out gets its default, as words have no gaps.

        Raises:
            ArgumentsInvalid: They do not fit; every problem is named with its argument and rule.
        """
        return super().__call__(**{**self._defaults, **self._fixed, **arguments})


def command_task(
    name: str,
    command: Sequence[str],
    *,
    arguments: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = (),
    stdout: str | None = None,
    item: str | None = None,
    resources: Resources | None = None,
    types: Mapping[str, bool] | None = None,
    output_types: Mapping[str, bool] | None = None,
    description: str | None = None,
) -> CommandTask:
    """Return a command as a task.

    ::

        gzip = command_task(
            "gzip",
            ["gzip", "--keep", "-{level}", "{zarr_url}"],
            arguments={"level": (Annotated[int, Field(ge=1, le=9)], 6)},
            item="{zarr_url}.gz",
        )
        workflow.add(gzip(level=9))

    A value is always part of one word, whatever is in it: no shell sees it. Where a shell is wanted, its
    program is fixed and gets values as its own arguments: `["sh", "-c", 'sort "$1"', "sh", "{zarr_url}"]`.

    A unit is one call of the command: on each item if `{zarr_url}` is used, on all of them where
    `{zarr_urls}` is a word, else one without items. It runs in the folder of its item, or in that of the
    dataset, `{zarr_dir}`, where there is no single item. It is done if the exit status is 0 and all outputs
    are there.

    Args:
        name: Name of the task.
        command: The program and its words. `{name}` stands for an argument; a brace is written twice.
        arguments: What is not the engine's: by name a default, a type, or both as a pair. Types may be
            annotated with pydantic's `Field`, for limits and descriptions.
        outputs: Files and folders that must be there afterwards, relative to where the command runs.
        stdout: File for what the command prints; it is there only if the command ends well.
        item: The output that becomes an item of the dataset.
        resources: What one call needs.
        types: Types that its items must have.
        output_types: Types that the items it processed, or made, get.
        description: What it does.

    Raises:
        WorkflowInvalid: A placeholder is no argument, or would become part of a program's text; every problem
            is named.
    """
    own = _schema_of(name, arguments or {})
    texts = [*outputs, *(text for text in (stdout, item) if text is not None)]
    kind = _kind(name, [*command, *texts])
    names = [*sorted(engine_arguments(kind, kind.first_part)), *own["properties"]]
    problems = list(check_words(command, texts, names))
    if problems or not command:
        raise WorkflowInvalid(listed(f"The command {name!r} is not valid", problems or ["it has no word"]))
    fixed = _fixed(command, outputs, stdout, item)
    more = {
        "meta": dict(meta(resources, f"command {name!r}") or {}),
        "input_types": dict(types or {}),
        "output_types": dict(output_types or {}),
        "docs_info": description,
    }
    return CommandTask(_install(_task(name, kind, _with_fixed(own, name, fixed), more)), fixed)


def _fixed(
    command: Sequence[str], outputs: Sequence[str], stdout: str | None, item: str | None
) -> dict[str, JsonValue]:
    given = {"command": list(command), "outputs": list(outputs), "stdout": stdout, "item": item}
    return cast("dict[str, JsonValue]", {name: value for name, value in given.items() if value})


def _schema_of(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of the arguments that are not the engine's."""
    from pydantic import PydanticUserError, create_model

    problems = [
        f"{key!r} is the engine's or the command's own"
        for key in sorted({*OWN, *ENGINE_ARGUMENTS} & {*arguments})
    ]
    problems += [f"{key!r} is no name" for key in arguments if not key.isidentifier() or key.startswith("_")]
    if problems:
        raise WorkflowInvalid(listed(f"The arguments of the command {name!r} are not valid", problems))
    fields = {key: _field(value) for key, value in arguments.items()}
    try:
        model = create_model(name, **fields)
        return cast("dict[str, Any]", {"properties": {}, **model.model_json_schema()})
    except PydanticUserError as error:
        raise WorkflowInvalid(
            f"The arguments of the command {name!r} have no schema: {error.message}"
        ) from error


def _field(value: object) -> Any:
    """Return a field as pydantic takes it: `(type, default)`, or a type for what has no default."""
    if isinstance(value, tuple | type | UnionType) or hasattr(value, "__origin__"):
        return value
    return (type(value), value)


def _kind(name: str, words: Sequence[str]) -> TaskType:
    used = {found for word in words for found in placeholders(word)} & ENGINE_ARGUMENTS
    if {"zarr_url", "zarr_urls"} <= used:
        raise WorkflowInvalid(f"The command {name!r} is called on each item or on all, not on both.")
    return _KINDS[next(iter(used & {"zarr_url", "zarr_urls"}), None)]


def _with_fixed(own: Mapping[str, Any], name: str, fixed: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the schema of all arguments: those that make it this command can have no other values."""
    described = {
        key: {**COMMAND_PROPERTIES[key], "const": value, "readOnly": True} for key, value in fixed.items()
    }
    for rule in described.values():
        rule.pop("default", None)
    return {
        **own,
        "title": name,
        "properties": {**own["properties"], **described},
        "required": [*own.get("required", []), *described],
        "additionalProperties": False,
    }


def _task(name: str, kind: TaskType, schema: dict[str, JsonValue], more: Mapping[str, Any]) -> Task:
    """Return the task, in a package of its own; one that is changed is another version of it."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
    content = json.dumps([name, kind, schema, more], sort_keys=True).encode()
    version = f"1+{hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]}"
    return command_task_of(f"command-{slug or 'unnamed'}", version, name, kind, schema, **more)


def _install(task: Task) -> TaskHandle:
    """Record the task; a worker that imports the module of a function finds it recorded."""
    if not is_worker():
        from treadle.runs.builtin import register_programs

        ledger = held.session().ledger
        register_programs(ledger, package=task.package, version=task.version, tasks=[task])
    return TaskHandle(task)
