"""Python functions as tasks: where workers find them, and what their signatures say."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from treadle.errors import SourceInvalid, WorkflowInvalid
from treadle.model.marks import Mark, mark_of
from treadle.model.problems import listed
from treadle.model.task import Part, Task, TaskPart, TaskType, found_by
from treadle.scripts import is_script

if TYPE_CHECKING:
    from treadle.ledger import Ledger

VERSION = "0"
"""Of packages of functions: their code is where it is, and has no version."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker finds a function.

    Attributes:
        module: Name of its module.
        name: Its name there.
        folder: Where the module lies; None if it is installed.
        in_script: The module is the file of a script.
    """

    module: str
    name: str
    folder: str | None
    in_script: bool = False

    @property
    def function(self) -> str:
        """As a task has it."""
        return f"{self.module}:{self.name}"

    @property
    def spelled(self) -> str:
        """As workers find it."""
        return found_by(self.function, self.folder, in_script=self.in_script)


def place_of(function: Callable[..., object]) -> Place:
    """Return where workers find a function.

    One of the script that runs is found by the script's file name: workers import it under that name.

    Raises:
        SourceInvalid: No worker could import it.
    """
    if not inspect.isfunction(function):
        raise SourceInvalid(f"{function!r} is no Python function.", remedy="Name a function, or load a task.")
    name = function.__qualname__
    if "<" in name:
        raise SourceInvalid(
            f"The function {name} cannot be imported by a worker.",
            remedy="Define it at the top level of a module, not in another function and not as a lambda.",
        )
    if any(check(function) for check in _NOT_PLAIN):
        raise SourceInvalid(f"The function {name} is async or yields.", remedy="A task returns its result.")
    module = sys.modules.get(function.__module__)
    spec = getattr(module, "__spec__", None)
    if function.__module__ == "__main__" and spec is not None:  # python -m
        return Place(spec.name, name, _folder_of(spec.name, Path(spec.origin or "")))
    file = getattr(module, "__file__", None)
    if is_script(function.__module__):
        return _in_script(name, file or function.__code__.co_filename)
    return Place(
        function.__module__, name, None if file is None else _folder_of(function.__module__, Path(file))
    )


_NOT_PLAIN = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


def _in_script(name: str, file: str) -> Place:
    path = Path(file)
    if not path.is_file():
        raise SourceInvalid(
            f"The function {name} is in no file that a worker could import.",
            remedy="Write it into a module, a .py file beside the notebook, and import it from there.",
        )
    module, folder = path.stem, str(path.resolve().parent)
    found = PathFinder.find_spec(module, [folder]) if module.isidentifier() else None
    other = sys.modules.get(module)
    if found is None or module in sys.stdlib_module_names or _is_other(other, path):
        raise SourceInvalid(
            f"Workers cannot import {path.name}, in which the function {name} is.",
            remedy="Give the file a name that a module can have and that no other module has.",
        )
    return Place(module, name, folder, in_script=True)


def _is_other(module: ModuleType | None, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return module is not None and (file is None or not path.samefile(file))


def _folder_of(module: str, file: Path) -> str | None:
    """Return the folder from which a module is imported; None for those where packages are installed."""
    depth = module.count(".") + (file.name == "__init__.py")
    folder = file.resolve().parents[depth]
    installed = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib", "stdlib")}
    return None if folder in installed else str(folder)


def task_of(function: Callable[..., object]) -> Task:
    """Describe a function as a task, by its mark and its signature.

    Raises:
        SourceInvalid: No worker could import it.
        WorkflowInvalid: Its signature is not one of a task; every problem is named.
    """
    place, mark = place_of(function), mark_of(function) or Mark()
    from treadle.collect.programs.docstrings import read_docstring
    from treadle.collect.programs.signatures import inferred_type, signature_problems

    kind = TaskType(mark.type or inferred_type(function, mark.init))
    parts = {kind.first_part if mark.init is None else Part.PARALLEL: (function, mark.resources)}
    if mark.init is not None:
        parts[Part.NON_PARALLEL] = (mark.init, mark.init_resources)
    problems = [
        f"{part_function.__qualname__}: {text}"
        for part, (part_function, _) in parts.items()
        for text in signature_problems(part_function, kind, part)
    ]
    if problems:
        raise WorkflowInvalid(
            listed(f"The function {place.name} of {place.module} is no task", problems),
            remedy="A function over plain values is mapped with treadle.load_function.",
        )
    described = {f"{part}": _part(*called) for part, called in parts.items()}
    return Task(
        package=place.module,
        version=VERSION,
        name=mark.name or function.__name__,
        type=kind,
        input_types=dict(mark.input_types),
        output_types=dict(mark.output_types),
        args_schema_version="pydantic_v2",
        docs_info=read_docstring(function.__doc__)[0] or None,
        category=mark.category,
        modality=mark.modality,
        tags=mark.tags,
        pure=mark.pure,
        **described,
    )


def _part(function: Callable[..., object], resources: object) -> TaskPart:
    from treadle.collect.programs.docstrings import read_docstring
    from treadle.collect.programs.schemas import args_schema

    place = place_of(function)
    return TaskPart.model_validate(
        {
            "function": place.function,
            "folder": place.folder,
            "in_script": place.in_script,
            "meta": resources,
            "args_schema": args_schema(function, read_docstring(function.__doc__)[1]),
        }
    )


def install(ledger: Ledger, task: Task) -> None:
    """Record a task that is a function, beside the others of its module; safe to repeat.

    Raises:
        AlreadyExists: Its module is named as a collected package of the same version.
    """
    from treadle.collect.functions import register_functions
    from treadle.ledger import packages

    with ledger.reading() as tx:
        known = [entry.task for entry in packages.list_tasks(tx, task.package)]
    others = [other for other in known if other.version == VERSION and other.name != task.name]
    if task not in known:
        register_functions(ledger, package=task.package, version=VERSION, tasks=[*others, task])
