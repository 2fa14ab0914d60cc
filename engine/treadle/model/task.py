"""Tasks: what a task package offers, by type and part, and how an installed one is called."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from treadle.model.constrained import JsonObject, Schema, Text, Types, Value


class Part(StrEnum):
    """One of the two calls that a task may have."""

    NON_PARALLEL = "non_parallel"
    PARALLEL = "parallel"


class TaskType(StrEnum):
    """How a task is called, and on what."""

    PARALLEL = "parallel"
    NON_PARALLEL = "non_parallel"
    COMPOUND = "compound"
    CONVERTER_NON_PARALLEL = "converter_non_parallel"
    CONVERTER_COMPOUND = "converter_compound"

    @property
    def parts(self) -> frozenset[Part]:
        """The parts that a task of this type calls."""
        if self is TaskType.PARALLEL:
            return frozenset({Part.PARALLEL})
        return frozenset(Part) if self.is_compound else frozenset({Part.NON_PARALLEL})

    @property
    def first_part(self) -> Part:
        """The part of the first, or only, call."""
        return Part.PARALLEL if self is TaskType.PARALLEL else Part.NON_PARALLEL

    @property
    def is_converter(self) -> bool:
        """Whether it makes items instead of taking some."""
        return self in {TaskType.CONVERTER_NON_PARALLEL, TaskType.CONVERTER_COMPOUND}

    @property
    def is_compound(self) -> bool:
        """Whether an init call decides what the per-unit calls are."""
        return self in {TaskType.COMPOUND, TaskType.CONVERTER_COMPOUND}


def infer_type(parts: Collection[Part]) -> TaskType:
    """Return the type of a task that names none, by the parts it has; a converter always names its type.

    Raises:
        ValueError: There is no part.
    """
    if not parts:
        raise ValueError("a task needs a non_parallel part, a parallel part, or both")
    if set(parts) == set(Part):
        return TaskType.COMPOUND
    return TaskType.PARALLEL if Part.PARALLEL in parts else TaskType.NON_PARALLEL


FunctionName = Annotated[
    str, StringConstraints(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$")
]
"""A Python function as `module:qualified.name`."""


def found_by(function: str, folder: str | None, *, in_script: bool) -> str:
    """Return what workers find a function by.

    Args:
        function: `module:qualified.name`.
        folder: Where its module lies, if it is not installed; a script's always is somewhere.
        in_script: Whether that module is the file of a script.

    Returns:
        `module:qualified.name`, the same with `@folder`, or `folder/module.py:qualified.name` of a script.
    """
    if folder is None:
        return function
    module, _, name = function.partition(":")
    return f"{folder}/{module}.py:{name}" if in_script else f"{function}@{folder}"


class TaskPart(Value):
    """One program of a task, with its default resources and the schema of its arguments.

    It is either an executable, called by the command contract, or a function, called with the unit's
    arguments as keywords in the worker's own process; what the function returns is the unit's output.

    Attributes:
        executable: Path relative to the package's root.
        function: A function that the engine's own environment can import.
        folder: Where the function's module lies, if it is not installed.
        in_script: That module is the file of a script.
        meta: Default resources, by the keys of Fractal 1.9.
        args_schema: JSON Schema of the arguments, exactly as the package wrote it.
    """

    executable: Text | None = None
    function: FunctionName | None = None
    folder: Text | None = None
    in_script: bool = False
    meta: JsonObject = Field(default_factory=dict)
    args_schema: Schema | None = None

    @model_validator(mode="after")
    def _is_one_program(self) -> Self:
        if (self.executable is None) == (self.function is None):
            raise ValueError("needs an executable or a function, and not both")
        return self


class Task(Value):
    """One entry of a task package.

    Attributes:
        package: Name of the distribution.
        version: Version of the distribution.
        name: Name of the task, unique in its package.
        type: How it is called.
        non_parallel: Its single or init call.
        parallel: Its call per unit.
        input_types: Types that its items must have.
        output_types: Types that the items it processed get.
        args_schema_version: Label of how the schemas were made; schemas of unknown labels are not enforced.
        pure: What it makes follows from its arguments and items alone, and it leaves its items as they are.
    """

    package: Text
    version: Text
    name: Text
    type: TaskType
    non_parallel: TaskPart | None = None
    parallel: TaskPart | None = None
    input_types: Types = Field(default_factory=dict)
    output_types: Types = Field(default_factory=dict)
    args_schema_version: str | None = None
    docs_info: str | None = None
    docs_link: str | None = None
    category: str | None = None
    modality: str | None = None
    tags: tuple[str, ...] = ()
    authors: str | None = None
    pure: bool = False

    @model_validator(mode="after")
    def _has_the_parts_of_its_type(self) -> Self:
        for part in sorted(self.type.parts):
            if getattr(self, part) is None:
                raise ValueError(f"is of type {self.type} but has no {part} part")
        return self

    @property
    def ref(self) -> TaskRef:
        """The reference by which workflows name it."""
        return TaskRef(pkg_name=self.package, version=self.version, name=self.name)

    def part(self, part: Part) -> TaskPart:
        """Return one of the parts that the type calls.

        Raises:
            ValueError: A task of this type has no such part.
        """
        found = self.parallel if part is Part.PARALLEL else self.non_parallel
        if part not in self.type.parts or found is None:
            raise ValueError(f"task {self.name!r} is of type {self.type} and has no {part} part")
        return found


class TaskRef(Value):
    """How a workflow names a task; without a version it only asks which versions there are."""

    pkg_name: Text
    version: Text | None = None
    name: Text

    def __str__(self) -> str:
        return f"{self.name!r} of {self.pkg_name} {self.version or '(no version)'}"


class Installed(Value):
    """Where a package's files and interpreter are.

    Attributes:
        environment: Id of the environment.
        python: Absolute path of the environment's interpreter.
        root: Absolute path of the package's root.
    """

    environment: Text
    python: Text
    root: Text


class InstalledTask(Value):
    """A task that can be called; `id` is its row in the ledger."""

    id: int
    task: Task
    installed: Installed

    def command(self, part: Part) -> tuple[str, ...]:
        """Return the words of the command that calls one part; none where it is a function."""
        executable = self.task.part(part).executable
        if executable is None:
            return ()
        return (self.installed.python, posixpath.join(self.installed.root, executable))

    def function(self, part: Part) -> str | None:
        """Return the function that one part is, as `found_by` has it; None for an executable."""
        found = self.task.part(part)
        if found.function is None:
            return None
        return found_by(found.function, found.folder, in_script=found.in_script)
