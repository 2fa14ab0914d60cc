"""Collected tasks and task functions as objects that are called with their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import overload

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from treadle.authoring import held
from treadle.authoring.functions import install, task_of
from treadle.authoring.signatures import describe, parts_of, signature_of
from treadle.errors import ArgumentsInvalid, UnknownName
from treadle.model.arguments import argument_problems
from treadle.model.problems import listed
from treadle.model.task import InstalledTask, Part, Task
from treadle.model.workflow import Step

_WITHIN = re.compile(r'^step ".*?" args_(non_parallel|parallel)(\.|: )')
"""How the place of a step's argument begins."""


@dataclass(frozen=True, slots=True)
class Call:
    """A task with its arguments, which fit the task's schema.

    Attributes:
        task: The task.
        arguments: By the part of the task that takes them.
    """

    task: InstalledTask
    arguments: Mapping[Part, Mapping[str, JsonValue]] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """Return a step of a workflow that makes this call."""
        return Step(
            name=name,
            task=self.task.task.ref,
            args_non_parallel=dict(self.arguments.get(Part.NON_PARALLEL, {})) or None,
            args_parallel=dict(self.arguments.get(Part.PARALLEL, {})) or None,
        )


class TaskHandle:
    """A task; called with arguments it returns a `Call`, the step of a workflow.

    Its signature and its docstring are made from the task's schemas, so that notebooks and editors complete
    its arguments.

    Args:
        task: The task.
    """

    def __init__(self, task: InstalledTask) -> None:
        self._installed = task
        self.__name__ = task.task.name
        self.__doc__ = describe(task.task)
        self.__signature__ = signature_of(task.task)

    @property
    def task(self) -> Task:
        """The task's description."""
        return self._installed.task

    def __call__(self, **arguments: object) -> Call:
        """Give the task its arguments.

        Raises:
            ArgumentsInvalid: They do not fit its schema; every problem is named with its argument and rule.
        """
        by_part: dict[Part, dict[str, object]] = {}
        for name, value in arguments.items():
            for part in parts_of(self.task, name):
                by_part.setdefault(part, {})[name] = value
        try:
            call = Call(self._installed, to_jsonable_python(by_part))
            problems = argument_problems(call.step(self.task.name), self.task)
        except ValueError as error:
            raise ArgumentsInvalid(f"The arguments of {self.task.name!r} are no JSON: {error}") from error
        if problems:
            raise ArgumentsInvalid(
                listed(
                    f"The arguments do not fit the task {self.task.name!r}",
                    [_WITHIN.sub("", text) for text in problems],
                )
            )
        return call

    def __repr__(self) -> str:
        return f"<{self.task.type} task {self.task.name!r} of {self.task.package} {self.task.version}>"


@overload
def load_task(package: str, name: str, /, *, version: str | None = None) -> TaskHandle: ...


@overload
def load_task(function: Callable[..., object], /) -> TaskHandle: ...


def load_task(
    package: str | Callable[..., object], name: str = "", /, *, version: str | None = None
) -> TaskHandle:
    """Return a collected task, or a function of this program as a task.

    Args:
        package: Name of the collected package; or a function that takes `zarr_url`, `zarr_urls` or
            `zarr_dir`, or is marked with `treadle.task`.
        name: Name of the task.
        version: Version of the package; the newest that has the task if None.

    Raises:
        UnknownName: There is no such task; names those that there are.
        SourceInvalid: No worker could import the function.
        WorkflowInvalid: The function's signature is not one of a task.
    """
    ledger = held.session().ledger
    if not isinstance(package, str):
        return TaskHandle(install(ledger, task_of(package)))
    from treadle.ledger import packages

    with ledger.reading() as tx:
        found = packages.list_tasks(tx, package)
        every = packages.list_packages(tx) if not found else []
    if not found:
        known = ", ".join(sorted({entry.name for entry in every}))
        raise UnknownName(
            f"No package {package!r} is collected.",
            remedy=f"Collected are: {known}." if known else "Collect it with `treadle collect`.",
        )
    named = [entry for entry in found if entry.task.name == name and version in {None, entry.task.version}]
    if not named:
        known = ", ".join(sorted({repr(entry.task.name) for entry in found}))
        raise UnknownName(
            f"The package {package} has no task {name!r}{f' in version {version}' if version else ''}.",
            remedy=f"Its tasks are {known}.",
        )
    return TaskHandle(named[-1])


def call_of(what: Call | TaskHandle | Callable[..., object], arguments: Mapping[str, object]) -> Call:
    """Return the call that an author means.

    Args:
        what: A call, a task, or a function.
        arguments: Those that are not in the call yet.

    Raises:
        ArgumentsInvalid: They do not fit the task's schema.
        SourceInvalid: No worker could import the function.
        WorkflowInvalid: The function's signature is not one of a task.
    """
    if isinstance(what, Call):
        if not arguments:
            return what
        before = {name: value for part in what.arguments.values() for name, value in part.items()}
        return TaskHandle(what.task)(**{**before, **arguments})
    handle = what if isinstance(what, TaskHandle) else load_task(what)
    return handle(**arguments)
