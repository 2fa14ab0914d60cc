"""Python signatures of tasks, from the JSON Schemas of their arguments."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Literal

from treadle.model.task import Part, Task
from treadle.model.units import ENGINE_ARGUMENTS

DEEPEST = 8
"""How far references of a schema to its own parts are followed."""

_PLAIN: dict[object, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": None,
    "array": list[Any],
    "object": dict[str, Any],
}


def signature_of(task: Task) -> inspect.Signature:
    """Return the signature of a task's own arguments, all of them keywords; what must be given goes first.

    A task without schemas takes anything.
    """
    schemas = [
        schema for part in sorted(task.type.parts) if (schema := task.part(part).args_schema) is not None
    ]
    if not schemas:
        return inspect.Signature([inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)])
    parameters: dict[str, inspect.Parameter] = {}
    for schema in schemas:
        for parameter in _parameters(schema):
            parameters.setdefault(parameter.name, parameter)
    ordered = sorted(parameters.values(), key=lambda parameter: parameter.default is not parameter.empty)
    return inspect.Signature(ordered)


def parts_of(task: Task, name: str) -> list[Part]:
    """Return the parts of a task that take an argument: all where no schema says which."""
    described = [part for part in sorted(task.type.parts) if name in _properties(task.part(part).args_schema)]
    open_parts = [part for part in sorted(task.type.parts) if task.part(part).args_schema is None]
    return described or open_parts or sorted(task.type.parts)


def describe(task: Task) -> str:
    """Return what a docstring says of a task: what it does, and each of its arguments."""
    lines = [(task.docs_info or f"{task.name} of {task.package}.").strip(), ""]
    lines += [f"A {task.type} task of {task.package} {task.version}.", "", "Args:"]
    for name in signature_of(task).parameters:
        lines += [f"    {name}: {meaning_of(task, name)}".rstrip()]
    return "\n".join(lines[:-2] if lines[-1] == "Args:" else lines)


def meaning_of(task: Task, name: str) -> str:
    """Return what the schemas say of an argument, with its limits."""
    for part in sorted(task.type.parts):
        rule = _properties(task.part(part).args_schema).get(name)
        if isinstance(rule, Mapping):
            text = str(rule.get("description") or rule.get("title") or "").strip()
            limits = ", ".join(f"{word} {rule[key]}" for key, word in _LIMITS.items() if key in rule)
            return " ".join(filter(None, (text, f"({limits})" if limits else "")))
    return ""


_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def _properties(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    properties = (schema or {}).get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _parameters(schema: Mapping[str, Any]) -> Iterator[inspect.Parameter]:
    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    for name, rule in _properties(schema).items():
        if name in ENGINE_ARGUMENTS or not name.isidentifier() or keyword.iskeyword(name):
            continue
        described = rule if isinstance(rule, Mapping) else {}
        is_needed = name in needed and "default" not in described
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if is_needed else described.get("default"),
            annotation=_annotation(described, schema, depth=0),
        )


def _annotation(rule: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    """Return the type of what a schema admits; `Any` where Python has no word for it."""
    reference = rule.get("$ref")
    if depth > DEEPEST:
        return Any
    if isinstance(reference, str):
        return _annotation(_resolved(reference, root), root, depth + 1)
    values = rule.get("enum", [rule["const"]] if "const" in rule else None)
    if isinstance(values, list) and values and all(map(_may_be_literal, values)):
        return Literal[tuple(values)]
    branches = [branch for word in ("anyOf", "oneOf", "allOf") for branch in rule.get(word, ())]
    if isinstance(rule.get("type"), list):
        branches = [{**rule, "type": kind} for kind in rule["type"]]
    if branches:
        return _union([_annotation(branch, root, depth + 1) for branch in branches])
    return _of_one_type(rule, root, depth)


def _of_one_type(rule: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind, entries, values = rule.get("type"), rule.get("items"), rule.get("additionalProperties")
    if kind == "array" and isinstance(entries, Mapping):
        return list[_annotation(entries, root, depth + 1)]  # type: ignore[misc]  # known at run time only
    if kind == "object" and isinstance(values, Mapping):
        return dict[str, _annotation(values, root, depth + 1)]  # type: ignore[misc]  # as above
    return _PLAIN.get(kind, Any)


def _union(kinds: Sequence[Any]) -> Any:
    if Any in kinds:
        return Any
    types = [kind for kind in kinds if kind is not None]
    if not types:
        return None
    return reduce(or_, [*types, *([None] if None in kinds else [])])


def _may_be_literal(value: object) -> bool:
    return value is None or isinstance(value, str | int | bool)


def _resolved(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for word in reference.removeprefix("#/").split("/"):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
