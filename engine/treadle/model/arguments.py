"""Arguments: a step's against the schemas of its task, before anything is submitted (Fractal 1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from treadle.errors import ArgumentsInvalid
from treadle.model.problems import found, listed, problem
from treadle.model.task import Part, Task
from treadle.model.units import ENGINE_ARGUMENTS, engine_arguments
from treadle.model.workflow import Step

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_ENFORCED_LABELS = frozenset({"pydantic_v1", "pydantic_v2", "fractal_schema_v1"})
_LONGEST_MESSAGE = 200


def check_arguments(step: Step, task: Task) -> None:
    """Check what the units of a step will be called with.

    Raises:
        ArgumentsInvalid: Names every problem with step, path and rule.
    """
    problems = argument_problems(step, task)
    if problems:
        raise ArgumentsInvalid(listed("The arguments do not fit the task", problems))


def argument_problems(step: Step, task: Task) -> list[str]:
    """Name everything that is wrong with a step's arguments."""
    problems = []
    for part in Part:
        args, within = step.args(part), f'step "{step.name}" args_{part}'
        if part in task.type.parts:
            reserved = sorted(ENGINE_ARGUMENTS & args.keys())
            problems += [problem([name], "is the engine's to supply", within) for name in reserved]
            problems += _schema_problems(args, task, part, within)
        elif args:
            problems.append(problem([], f"the task {task.name!r} has no {part} part", within))
    return problems


def schema_problem(schema: Mapping[str, JsonValue], label: str | None) -> str | None:
    """Say why a schema cannot describe arguments; None if it can.

    Args:
        schema: The schema.
        label: How it was made: `args_schema_version` of its manifest.
    """
    from jsonschema.exceptions import SchemaError

    try:
        _validator(schema, label or "").check_schema(dict(schema))
    except SchemaError as error:
        return problem(list(error.absolute_path), error.message)
    return None if schema.get("type", "object") == "object" else "its type must be object"


def enforced_schema(task: Task, part: Part) -> dict[str, JsonValue] | None:
    """Return the schema that arguments of one part must fit; None where none is enforced."""
    return task.part(part).args_schema if task.args_schema_version in _ENFORCED_LABELS else None


def _schema_problems(args: Mapping[str, JsonValue], task: Task, part: Part, within: str) -> list[str]:
    schema = enforced_schema(task, part)
    if schema is None:
        return []
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    engine = engine_arguments(task.type, part)
    given = {name: value for name, value in args.items() if name not in ENGINE_ARGUMENTS}
    validator = _validator(_engine_accepted(schema, engine), task.args_schema_version or "")
    try:
        validator.check_schema(dict(schema))
        errors = sorted(validator.iter_errors({**given, **dict.fromkeys(engine)}), key=_order)
    except (SchemaError, Unresolvable, re.error, RecursionError) as error:
        reason = str(error).splitlines()[0]
        return [
            problem([], f"cannot be checked: the schema of task {task.name!r} is not valid: {reason}", within)
        ]
    return [_sentence(error, within) for error in errors]


def _engine_accepted(schema: Mapping[str, JsonValue], engine: frozenset[str]) -> dict[str, JsonValue]:
    """Return the schema with the engine's arguments allowed as they come, whether or not it knows them."""
    properties = schema.get("properties")
    described = properties if isinstance(properties, dict) else {}
    return {**schema, "properties": {**described, **dict.fromkeys(engine, True)}}


def _validator(schema: Mapping[str, JsonValue], label: str) -> Validator:
    """Return a validator that fetches nothing; pydantic 1 wrote draft 7 without saying so."""
    from jsonschema import Draft7Validator, Draft202012Validator
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    default = Draft7Validator if label == "pydantic_v1" else Draft202012Validator
    described = validator_for(schema, default=default)
    kind: type[Validator] = extend(described, {"required": _required})  # type: ignore[no-untyped-call]  # its stub lacks types
    return kind(schema, registry=Registry())


def _required(
    _validator: Validator, names: object, instance: object, schema: Mapping[str, object]
) -> Iterator[ValidationError]:
    """Require what has no default: packages exist that list arguments with defaults as required."""
    from jsonschema.exceptions import ValidationError

    if not isinstance(names, list) or not isinstance(instance, dict):
        return
    properties = schema.get("properties")
    described = properties if isinstance(properties, Mapping) else {}
    for name in names:
        own = described.get(name)
        if name not in instance and not (isinstance(own, Mapping) and "default" in own):
            yield ValidationError(f"{name!r} is a required property")


def _order(error: ValidationError) -> list[tuple[bool, int, str]]:
    return [
        (isinstance(key, str), key if isinstance(key, int) else 0, str(key)) for key in error.absolute_path
    ]


def _sentence(error: ValidationError, within: str) -> str:
    cause = _most_precise(error)
    message = cause.message
    if len(message) > _LONGEST_MESSAGE:
        message = message.replace(repr(cause.instance), found(cause.instance))[:_LONGEST_MESSAGE]
    return problem(list(cause.absolute_path), f"{message} (rule: {cause.validator})", within)


def _most_precise(error: ValidationError) -> ValidationError:
    """Follow an anyOf or oneOf into the branch that got furthest, unless all failed at their start."""
    inner = max(error.context or [], key=lambda candidate: len(candidate.relative_path), default=None)
    if inner is None or not inner.relative_path:
        return error
    return _most_precise(inner)
