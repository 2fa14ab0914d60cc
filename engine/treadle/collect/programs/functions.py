"""The task functions that a package's entry points name."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

from .docstrings import read_docstring
from .problems import Problem, place_of, problem
from .schemas import args_schema
from .signatures import inferred_type, objection_to, signature_problems, words_of

ATTRIBUTE = "__treadle_task__"
_MARKED = (
    "name",
    "type",
    "input_types",
    "output_types",
    "category",
    "modality",
    "tags",
    "resources",
    "init",
    "init_resources",
    "pure",
)


class Found:
    """A function, where a launcher imports it from, and the name of its task unless its mark has one."""

    def __init__(self, function: Callable[..., object], module: str, attribute: str, name: str) -> None:
        self.function = function
        self.module = module
        self.attribute = attribute
        self.mark = getattr(function, ATTRIBUTE, None)
        self.name: str = getattr(self.mark, "name", None) or name

    @property
    def spelled(self) -> str:
        """The function as a person would look for it."""
        return f"{self.module}:{self.attribute}"


def find_tasks(entry_points: list[dict[str, str]]) -> dict[str, Any]:
    """Import what the entry points name; return its tasks and everything that is wrong with them."""
    tasks: list[dict[str, Any]] = []
    problems: list[Problem] = []
    known: dict[str, Found] = {}
    for entry_point in entry_points:
        functions, failed = _functions_of(entry_point)
        problems += failed
        for found in functions:
            earlier = known.setdefault(found.name, found)
            if earlier.function is found.function and earlier is not found:
                continue
            task, wrong = _task_of(found)
            tasks.append(task)
            problems += wrong
            if earlier is not found:
                what = f"{found.spelled}: a task named {found.name!r} is {earlier.spelled} already"
                problems.append(problem(what, *place_of(found.function)))
    return {"tasks": tasks, "problems": problems}


def _functions_of(entry_point: dict[str, str]) -> tuple[list[Found], list[Problem]]:
    name, module_name, attribute = entry_point["name"], entry_point["module"], entry_point["attribute"]
    within = f"entry point {name!r}"
    try:
        module = importlib.import_module(module_name)
    except BaseException as error:  # noqa: BLE001 - packages do all kinds of things on import, sys.exit among them
        what = f"{within}: {module_name} cannot be imported: {_last_line(error)}"
        return [], [problem(what, *_place_of_failure(error), detail=traceback.format_exc())]
    file = getattr(module, "__file__", None)
    if not attribute:
        marked = list(_marked_in(module))
        what = f"{within}: no function of {module_name} is marked with @treadle.task"
        return marked, [] if marked else [problem(what, file)]
    function: Any = module
    for word in attribute.split("."):
        function = getattr(function, word, None)
    if function is None:
        return [], [problem(f"{within}: {module_name} has no function {attribute}", file)]
    objection = objection_to(function)
    if objection:
        return [], [problem(f"{within}: {module_name}:{attribute} {objection}", *place_of(function), "")]
    return [Found(function, module_name, attribute, name)], []


def _marked_in(module: types.ModuleType) -> Iterator[Found]:
    """Yield the marked functions of a module that were defined in it or below it, each once."""
    seen: set[int] = set()
    for value in vars(module).values():
        home = getattr(value, "__module__", None) or ""
        inside = home == module.__name__ or home.startswith(f"{module.__name__}.")
        if inspect.isfunction(value) and hasattr(value, ATTRIBUTE) and inside and id(value) not in seen:
            seen.add(id(value))
            yield Found(value, home, value.__qualname__, value.__name__)


def _task_of(found: Found) -> tuple[dict[str, Any], list[Problem]]:
    mark = found.mark
    unknown = sorted(set(vars(mark) if mark is not None else ()).difference(_MARKED))
    problems = [
        problem(
            f"{found.spelled}: its mark says {name!r}, which this Treadle does not know",
            *place_of(found.function),
        )
        for name in unknown
    ]
    init = getattr(mark, "init", None)
    kind = getattr(mark, "type", None) or inferred_type(found.function, init)
    info, _ = read_docstring(found.function.__doc__)
    task: dict[str, Any] = {"name": found.name, "type": kind, "parts": {}}
    if info:
        task["docs_info"] = info
    for key in ("input_types", "output_types", "category", "modality", "tags", "pure"):
        value = getattr(mark, key, None)
        if value:
            task[key] = value
    parts = [(found, "non_parallel" if kind in _SINGLE else "parallel", "resources")]
    if init is not None:
        first = Found(init, init.__module__, init.__qualname__, found.name)
        parts.insert(0, (first, "non_parallel", "init_resources"))
    for part_function, part, resources in parts:
        wrong = _part_problems(part_function, kind, part)
        if not wrong:
            meta = dict(getattr(mark, resources, None) or {})
            task["parts"][part], wrong = _described(part_function, meta)
        problems += wrong
    return task, problems


def _described(found: Found, meta: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    descriptions = read_docstring(found.function.__doc__)[1]
    try:
        schema = args_schema(found.function, descriptions)
    except Exception as error:  # noqa: BLE001 - annotations may be any code, and pydantic has many errors
        what = f"{found.spelled}: its arguments together have no JSON Schema: {words_of(error)}"
        return {}, [problem(what, *place_of(found.function))]
    part = {"module": found.module, "attribute": found.attribute, "meta": meta, "args_schema": schema}
    return part, []


_SINGLE = ("non_parallel", "converter_non_parallel")


def _part_problems(found: Found, kind: str, part: str) -> list[Problem]:
    place = place_of(found.function)
    if _look_up(found) is not found.function:
        return [problem(f"{found.spelled}: another thing stands under that name in its module", *place)]
    return [
        problem(f"{found.spelled}: {what}", *place) for what in signature_problems(found.function, kind, part)
    ]


def _look_up(found: Found) -> object:
    value: Any = sys.modules.get(found.module)
    for word in found.attribute.split("."):
        value = getattr(value, word, None)
    return value


def _place_of_failure(error: BaseException) -> tuple[str | None, int | None]:
    """Return the innermost place of a failed import that is the package's own, or of what it imports."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and "importlib" not in frame.filename
    ]
    ours = {__file__, place_of(getattr(sys.modules.get("treadle"), "task", None))[0]}
    frames = [frame for frame in frames if frame.filename not in ours]
    return (frames[-1].filename, frames[-1].lineno) if frames else (None, None)


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(type(error), error)[-1].strip()
