"""What a function's signature says of it as a part of a task, and what is wrong with that."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pydantic
import pydantic_core
from pydantic.fields import FieldInfo

ENGINE_ARGUMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "parallel": {"parallel": ("zarr_url",)},
    "non_parallel": {"non_parallel": ("zarr_dir", "zarr_urls")},
    "compound": {"non_parallel": ("zarr_dir", "zarr_urls"), "parallel": ("zarr_url", "init_args")},
    "converter_non_parallel": {"non_parallel": ("zarr_dir",)},
    "converter_compound": {"non_parallel": ("zarr_dir",), "parallel": ("zarr_url", "init_args")},
}
"""What the engine gives to each part of a task, by the task's type (Fractal 1.2)."""

_EXAMPLES: dict[str, Any] = {
    "zarr_url": "/data/item.zarr",
    "zarr_dir": "/data",
    "zarr_urls": ["/data/item.zarr"],
}
_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))


def names_of(function: Callable[..., object]) -> set[str]:
    """Return the names of a function's arguments."""
    return set(inspect.signature(function).parameters)


def objection_to(function: object) -> str | None:
    """Say why something cannot be called as a task, if so."""
    if inspect.isclass(function):
        return "is a class, not a function"
    if not callable(function) or not inspect.isroutine(function):
        return f"is a {type(function).__name__}, not a function"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "is async: a task is a plain function"
    if inspect.isgeneratorfunction(function):
        return "yields: a task returns its result"
    try:
        inspect.signature(function)
    except (TypeError, ValueError) as error:
        return f"does not say what it takes: {error}"
    return None


def inferred_type(function: Callable[..., object], init: Callable[..., object] | None) -> str:
    """Return the type of a task that names none."""
    if init is not None:
        return "compound" if "zarr_urls" in names_of(init) else "converter_compound"
    names = names_of(function)
    if "zarr_url" in names:
        return "parallel"
    return "non_parallel" if "zarr_urls" in names else "converter_non_parallel"


def signature_problems(function: Callable[..., object], kind: str, part: str) -> Iterator[str]:
    """Say everything that is wrong with a function as one part of a task of a type."""
    for parameter in inspect.signature(function).parameters.values():
        yield from _parameter_problems(function, parameter, kind, part)
    try:
        returned = annotation_of(function, "return")
    except Exception as error:  # noqa: BLE001 - an annotation may be any code
        yield f"its return annotation cannot be understood: {words_of(error)}"
        return
    if not _is_result(returned):
        spelled = getattr(returned, "__name__", None) if inspect.isclass(returned) else None
        yield f"returns {spelled or returned}: a task returns None, a dict, a TypedDict or a pydantic model"


def annotation_of(function: Callable[..., object], name: str) -> Any:
    """Return one annotation, evaluated where the function was defined.

    Raises:
        Exception: Whatever evaluating it raises.
    """
    defined = inspect.unwrap(function)
    annotation = getattr(defined, "__annotations__", {}).get(name, inspect.Parameter.empty)
    if isinstance(annotation, str):
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        names = getattr(defined, "__globals__", {})
        return typing.get_type_hints(holder, names, names, include_extras=True)[name]
    return annotation


def default_of(parameter: inspect.Parameter) -> Any:
    """Return the value that an argument has if it is not given; `inspect.Parameter.empty` if it must be."""
    default = parameter.default
    if not isinstance(default, FieldInfo):
        return default
    if default.is_required():
        return inspect.Parameter.empty
    return default.get_default(call_default_factory=True)


def _parameter_problems(
    function: Callable[..., object], parameter: inspect.Parameter, kind: str, part: str
) -> Iterator[str]:
    name = parameter.name
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
        yield f"takes {stars}{name}: name and annotate each argument"
        return
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        yield f"argument {name!r} is positional only: the arguments of a task are given by name"
    if name in ("zarr_dir", "zarr_url", "zarr_urls", "init_args"):
        given = ENGINE_ARGUMENTS[kind][part]
        if name not in given:
            yield (
                f"argument {name!r} is reserved, and not given to the {part} part of a {kind} task: "
                f"the engine gives {' and '.join(map(repr, given))}"
            )
            return
    if parameter.annotation is inspect.Parameter.empty:
        yield f"argument {name!r} has no annotation"
    else:
        yield from _annotation_problems(function, name)
    yield from _default_problems(parameter)


def _annotation_problems(function: Callable[..., object], name: str) -> Iterator[str]:
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation_of(function, name))
        adapter.json_schema()
    except Exception as error:  # noqa: BLE001 - an annotation may be any code, and pydantic has many errors
        yield f"the annotation of argument {name!r} has no JSON Schema: {words_of(error)}"
        return
    if name in _EXAMPLES:
        try:
            adapter.validate_python(_EXAMPLES[name])
        except pydantic.ValidationError:
            yield f"argument {name!r} must take what the engine gives, such as {_EXAMPLES[name]!r}"


def _default_problems(parameter: inspect.Parameter) -> Iterator[str]:
    try:
        default = default_of(parameter)
        if default is not inspect.Parameter.empty:
            json.dumps(pydantic_core.to_jsonable_python(default), allow_nan=False)
    except Exception as error:  # noqa: BLE001 - a factory may be any code
        yield f"the default of argument {parameter.name!r} is not JSON: {words_of(error)}"


def _is_result(returned: Any) -> bool:
    """Whether a function with this return annotation may return what becomes a JSON object or null."""
    if returned in (inspect.Parameter.empty, Any, None, type(None)):
        return True
    origin = typing.get_origin(returned)
    if origin in _UNIONS:
        return all(map(_is_result, typing.get_args(returned)))
    if hasattr(returned, "__metadata__"):
        return _is_result(returned.__origin__)
    if hasattr(returned, "__value__"):
        return _is_result(returned.__value__)
    kind: Any = origin or returned
    if not inspect.isclass(kind):
        return False
    return issubclass(kind, (collections.abc.Mapping, pydantic.BaseModel)) or dataclasses.is_dataclass(kind)


def words_of(error: Exception) -> str:
    """Return the kind of an error and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
