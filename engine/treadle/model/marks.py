"""`@treadle.task`: what a function says of itself as a task.

This file is also installed as the module `treadle` into environments of task packages that have no Treadle:
it uses the standard library alone, as of Python 3.9.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, overload

ATTRIBUTE = "__treadle_task__"
"""Where a function carries its mark."""

TYPES = ("parallel", "non_parallel", "compound", "converter_non_parallel", "converter_compound")
"""How a task is called, and on what (Fractal 1.2)."""

RESOURCES = (
    "constraint",
    "cpus_per_task",
    "exclude",
    "extra_lines",
    "fresh_process",
    "gpus",
    "gres",
    "mem",
    "needs_gpu",
    "nodelist",
    "nodes",
    "parallel_tasks_per_job",
    "partition",
    "tasks_per_job",
    "time",
)
"""What a task may ask for (Fractal 1.9)."""

_COMPOUND = ("compound", "converter_compound")

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True)
class Mark:
    """What `task` was told; whatever is None or empty follows from the function itself."""

    name: str | None = None
    type: str | None = None
    input_types: Mapping[str, bool] = field(default_factory=dict)
    output_types: Mapping[str, bool] = field(default_factory=dict)
    category: str | None = None
    modality: str | None = None
    tags: tuple[str, ...] = ()
    resources: Mapping[str, object] = field(default_factory=dict)
    init: Callable[..., object] | None = None
    init_resources: Mapping[str, object] = field(default_factory=dict)
    pure: bool = False


@overload
def task(function: Function, /) -> Function: ...


@overload
def task(
    *,
    name: str | None = None,
    type: str | None = None,
    input_types: Mapping[str, bool] | None = None,
    output_types: Mapping[str, bool] | None = None,
    category: str | None = None,
    modality: str | None = None,
    tags: Iterable[str] = (),
    resources: Mapping[str, object] | None = None,
    init: Callable[..., object] | None = None,
    init_resources: Mapping[str, object] | None = None,
    pure: bool = False,
) -> Callable[[Function], Function]: ...


def task(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - the manifest's own word
    input_types: Mapping[str, bool] | None = None,
    output_types: Mapping[str, bool] | None = None,
    category: str | None = None,
    modality: str | None = None,
    tags: Iterable[str] = (),
    resources: Mapping[str, object] | None = None,
    init: Callable[..., object] | None = None,
    init_resources: Mapping[str, object] | None = None,
    pure: bool = False,
) -> Function | Callable[[Function], Function]:
    """Mark a function as a task; the function itself stays as it is.

    Args:
        function: The function, where the mark stands without brackets.
        name: Name of the task; by default the function's.
        type: How it is called; by default what its arguments say: `zarr_url` makes it parallel, `zarr_urls`
            non_parallel, neither of them converter_non_parallel, and `init` compound.
        input_types: Types that its items must have.
        output_types: Types that the items it processed get.
        category: What kind of work it does, such as `Segmentation`.
        modality: What kind of images it is for, such as `HCS`.
        tags: Words by which people find it.
        resources: What one call needs, such as `cpus_per_task` and `mem`.
        init: The function of a compound task that is called first, and says which units there are.
        init_resources: What the call of `init` needs.
        pure: What it makes follows from its arguments and the items it is given, and it leaves those items as
            they are: what it made once need not be made again.

    Returns:
        The function, or what marks one.

    Raises:
        TypeError: The mark stands on something else than a plain function, or says what no task can be.
    """
    mark = Mark(
        name=_text("name", name),
        type=type,
        input_types=_flags("input_types", input_types),
        output_types=_flags("output_types", output_types),
        category=_text("category", category),
        modality=_text("modality", modality),
        tags=_words(tags),
        resources=_resources("resources", resources),
        init=init,
        init_resources=_resources("init_resources", init_resources),
        pure=_flag("pure", pure),
    )
    _check_parts(mark)

    def marked(function: Function) -> Function:
        _check_function(function, "A task")
        setattr(function, ATTRIBUTE, mark)
        return function

    return marked if function is None else marked(function)


def mark_of(function: object) -> Mark | None:
    """Return the mark of a function, or None."""
    mark: Mark | None = getattr(function, ATTRIBUTE, None)
    return mark


def _check_parts(mark: Mark) -> None:
    if mark.type is not None and mark.type not in TYPES:
        raise TypeError(f"task(type={mark.type!r}): a task's type is one of {', '.join(TYPES)}.")
    if mark.init is not None:
        _check_function(mark.init, "The init of a task")
        if mark.type not in (None, *_COMPOUND):
            raise TypeError(f"task(type={mark.type!r}): only a compound task has an init function.")
    elif mark.type in _COMPOUND:
        raise TypeError(f"task(type={mark.type!r}): name the function that is called first with init=.")
    elif mark.init_resources:
        raise TypeError("task(init_resources=...): there is no init function that could need them.")


def _check_function(function: object, what: str) -> None:
    if isinstance(function, str):
        raise TypeError(f"task({function!r}): give the name as name={function!r}.")
    if inspect.isclass(function):
        raise TypeError(f"{what} is a function; {function.__qualname__} is a class.")
    if not inspect.isfunction(function):
        raise TypeError(f"{what} is a function; {function!r} is a {function.__class__.__name__}.")
    name = function.__qualname__
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{what} is a plain function; {name} is async.")
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"{what} returns its result; {name} yields.")
    if "<" in name:
        raise TypeError(f"{what} is found by its name in its module; {name} is inside another function.")


def _text(argument: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise TypeError(f"task({argument}={value!r}): must be a text, and not an empty one.")


def _flag(argument: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError(f"task({argument}={value!r}): must be True or False.")


def _flags(argument: str, value: object) -> Mapping[str, bool]:
    flags = {} if value is None else value
    if isinstance(flags, Mapping) and all(
        isinstance(key, str) and isinstance(flag, bool) for key, flag in flags.items()
    ):
        return dict(flags)
    raise TypeError(f'task({argument}={value!r}): must say True or False by name, as {{"is_3D": True}}.')


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, Iterable) and not isinstance(value, str):
        words = tuple(value)
        if all(isinstance(word, str) and word.strip() for word in words):
            return words
    raise TypeError(f"task(tags={value!r}): must be a list of texts.")


def _resources(argument: str, value: object) -> Mapping[str, object]:
    resources = {} if value is None else value
    if not isinstance(resources, Mapping):
        raise TypeError(f'task({argument}={value!r}): must be a dict, as {{"cpus_per_task": 2}}.')
    unknown = [repr(key) for key in resources if key not in RESOURCES]
    if unknown:
        raise TypeError(f"task({argument}=...): {', '.join(unknown)} is none of {', '.join(RESOURCES)}.")
    try:
        json.dumps(dict(resources), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"task({argument}=...): {error}.") from error
    return dict(resources)
