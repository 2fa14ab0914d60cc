"""The form of a workflow's deployment: the JSON Schema of the parameters that a run of it takes.

Prefect's server refuses what does not fit it, and Prefect's UI draws a form of it. The older of its two UIs
finds models under `definitions` only, so that is where those of all steps go, each under a name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from treadle.compile.form_cache import WORDS, cache_of
from treadle.errors import WorkflowInvalid
from treadle.model.arguments import enforced_schema
from treadle.model.profile import LOCAL
from treadle.model.task import InstalledTask, Part, Task, TaskRef
from treadle.model.units import ENGINE_ARGUMENTS
from treadle.model.workflow import Step, Workflow

Schema: TypeAlias = dict[str, JsonValue]

_REFERENCE = re.compile(r"#/(?:\$defs|definitions)/(.+)")
_NO_KEY = re.compile(r"[^\w.-]")
_PLAIN_TYPES = frozenset({"string", "integer", "number", "boolean"})
_TIME = r"(\d+-)?\d+(:\d+){0,2}"
_WORD = r"[^\s'\"\\#-][^\s'\"\\#]*"


def form_of(
    workflow: Workflow,
    tasks: Mapping[TaskRef, InstalledTask],
    datasets: Sequence[str],
    clusters: Sequence[str],
) -> Schema:
    """Return the schema of the parameters of a workflow's runs.

    Args:
        workflow: The workflow; its steps' arguments are the defaults.
        tasks: The installed tasks, by the references that steps use.
        datasets: Names that may be chosen.
        clusters: Names that may be chosen.

    Raises:
        WorkflowInvalid: A step names a task that is not installed.
    """
    definitions: Schema = {}
    steps: Schema = {}
    missing: list[JsonValue] = []
    for position, step in enumerate(workflow.ordered()):
        if step.task not in tasks:
            raise WorkflowInvalid(
                f"Step {step.name!r} names the task {step.task}, which is not collected.",
                remedy="Collect its package, or change the workflow.",
            )
        shown = _step(step, tasks[step.task].task, position, definitions)
        steps[step.name] = {**shown, "position": position}
        if "required" in shown:
            missing.append(step.name)
    properties: dict[str, Schema] = {
        "workflow": {
            "type": "string",
            "const": workflow.name,
            "default": workflow.name,
            "readOnly": True,
            "title": "Workflow",
            "description": "What is run.",
        },
        "dataset": _choice("Dataset", "What it works on.", datasets),
        "steps": {
            **_object(steps, missing),
            "title": "Arguments",
            "description": "Of each step: what is left out stays as the workflow has it.",
        },
        **_part_of(list(steps)),
        "cluster": {
            **_choice("Cluster", "Where its units run.", clusters),
            **({"default": LOCAL} if LOCAL in clusters else {}),
        },
        "resources": {
            **_object(_resources(), []),
            "default": {},
            "title": "Resources",
            "description": "Of every unit; what is left empty is as planned.",
        },
        "cache": {
            **_object(_cache(workflow, tasks), []),
            "default": {},
            "title": "Cache",
            "description": "Of each step: true reuses units that were done before, false runs all, "
            "refresh runs all and keeps what they leave in place of what was.",
        },
    }
    for position, schema in enumerate(properties.values()):
        schema["position"] = position
    required: list[JsonValue] = ["workflow", "dataset", *(["steps"] if missing else [])]
    form = _object(dict(properties), required)
    return {"title": "Parameters", **form, "definitions": definitions}


def _object(properties: Schema, required: list[JsonValue]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _choice(title: str, description: str, names: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(names), "title": title, "description": description}


def _part_of(steps: Sequence[str]) -> dict[str, Schema]:
    names = ["", *steps]
    return {
        "first_step": {
            **_choice("First step", "Steps before it are left out; empty: none.", names),
            "default": "",
        },
        "last_step": {
            **_choice("Last step", "Steps after it are left out; empty: none.", names),
            "default": "",
        },
    }


def _cache(workflow: Workflow, tasks: Mapping[TaskRef, InstalledTask]) -> Schema:
    held = cache_of(workflow, tasks)
    return {
        step.name: {
            "type": "string",
            "enum": list(WORDS),
            "default": held[step.name],
            "title": step.name,
            "position": position,
        }
        for position, step in enumerate(workflow.ordered())
    }


def _resources() -> Schema:
    return {
        "cpus": {"type": "integer", "minimum": 1, "title": "CPUs", "description": "CPUs of a unit."},
        "memory": {
            "type": "string",
            "pattern": "^([0-9]+[MGT]?)?$",
            "default": "",
            "title": "Memory",
            "description": "Memory of a unit: a number of MB, or such as 8G.",
        },
        "time": {
            "type": "string",
            "pattern": f"^({_TIME})?$",
            "default": "",
            "title": "Time",
            "description": "What a unit may take: minutes, or such as 02:00:00.",
        },
        "partition": {
            "type": "string",
            "pattern": f"^({_WORD})?$",
            "default": "",
            "title": "Partition",
            "description": "Where the jobs of a cluster wait.",
        },
    }


def _step(step: Step, task: Task, position: int, definitions: Schema) -> Schema:
    """Return the schema of a step's arguments: those of its task, or two of them where it has two parts."""
    parts = {str(part): _part(step, task, part, position, definitions) for part in sorted(task.type.parts)}
    if len(parts) == 1:
        (shown,) = parts.values()
    else:
        titles = {Part.NON_PARALLEL: "Once, before the units", Part.PARALLEL: "For each unit"}
        missing: list[JsonValue] = [name for name, schema in parts.items() if "required" in schema]
        shown = _object(
            {name: {**schema, "title": titles[Part(name)]} for name, schema in parts.items()}, missing
        )
    described = step.description or task.docs_info or f"Task {task.name!r} of {task.package}."
    return {**shown, "title": step.name, "description": described}


def _part(step: Step, task: Task, part: Part, position: int, definitions: Schema) -> Schema:
    schema, given = enforced_schema(task, part), step.args(part)
    properties = None if schema is None else schema.get("properties")
    if schema is None or not isinstance(properties, dict):
        return {"type": "object", "additionalProperties": True, "default": given}
    names = _take_over(schema, f"{position}.{part}.", definitions)
    wanted = schema.get("required")
    required = wanted if isinstance(wanted, list) else []
    shown: Schema = {}
    missing: list[JsonValue] = []
    for name, described in properties.items():
        if name in ENGINE_ARGUMENTS:
            continue
        own = _renamed(described, names)
        argument: Schema = {"title": name, **own} if isinstance(own, dict) else {"title": name}
        if name in given:
            argument["default"] = given[name]
        if name in required and "default" not in argument:
            missing.append(name)
        else:
            argument = _plain(argument)
        shown[name] = {**argument, "position": len(shown)}
    return {**_object(shown, missing), "additionalProperties": schema.get("additionalProperties", False)}


def _take_over(schema: Schema, prefix: str, definitions: Schema) -> dict[str, str]:
    """Put a task's models among those of the form; return their names there, by the references to them."""
    names: dict[str, str] = {}
    models: Schema = {}
    for container in ("$defs", "definitions"):
        found = schema.get(container)
        for name, model in (found if isinstance(found, dict) else {}).items():
            plain = _NO_KEY.sub("_", prefix + name)
            names[name] = plain if plain not in names.values() else f"{plain}_{len(names)}"
            models[names[name]] = model
    definitions.update({name: _renamed(model, names) for name, model in models.items()})
    return names


def _renamed(schema: JsonValue, names: Mapping[str, str]) -> JsonValue:
    """Return a schema whose references lead to the form's models."""
    if isinstance(schema, list):
        return [_renamed(element, names) for element in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {key: _renamed(value, names) for key, value in schema.items()}
    match = _REFERENCE.fullmatch(reference) if isinstance(reference := schema.get("$ref"), str) else None
    if match is not None:
        name = _unescaped(match[1])
        renamed["$ref"] = f"#/definitions/{names.get(name, name)}"
    return renamed


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _plain(argument: Schema) -> Schema:
    """Show an argument that may be null, and is, as what it is otherwise.

    Prefect's server takes null for all that is neither required nor has a default, and its UI leaves out what
    nobody filled in.
    """
    options = argument.get("anyOf")
    if not isinstance(options, list) or argument.get("default") is not None:
        return argument
    others = [option for option in options if option != {"type": "null"}]
    (other,) = others if len(others) == 1 else (None,)
    if len(options) != 2 or not isinstance(other, dict) or other.get("type") not in _PLAIN_TYPES:
        return argument
    rest = {key: value for key, value in argument.items() if key not in {"anyOf", "default"}}
    return {**other, **rest}
