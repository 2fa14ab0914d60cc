"""Collected tasks and task functions as objects that are called with their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, ValuesView
from copy import copy
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar, overload

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from treadle.authoring import held
from treadle.authoring.adhoc import AdHoc, ad_hoc
from treadle.authoring.call import Call
from treadle.authoring.datasets import Dataset, document_of
from treadle.authoring.functions import install, task_of
from treadle.authoring.mapping import map_over, submit_over
from treadle.authoring.options import USUAL, Options
from treadle.authoring.resources import Resources
from treadle.authoring.signatures import describe, parts_of, signature_of
from treadle.errors import ArgumentsInvalid, DatasetInvalid, UnknownName
from treadle.execute.worker import is_worker
from treadle.model.arguments import argument_problems
from treadle.model.dataset import Item
from treadle.model.problems import listed, problems_of
from treadle.model.reuse import CacheChoice
from treadle.model.task import Part, Task, TaskPart, TaskType

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture

_WITHIN = re.compile(r'^step ".*?" args_(non_parallel|parallel)(\.|: )')
"""How the place of a step's argument begins."""


Items: TypeAlias = "Iterable[str | Item | Mapping[str, object]] | Dataset | PrefectFuture[Any]"
"""What image tasks are mapped over: URLs, items with attributes and types, a dataset's, a future of some."""

T = TypeVar("T")
Given: TypeAlias = "T | PrefectFuture[Any]"
"""An argument, or in a flow the future of one."""


class TaskHandle:
    """A task; called with arguments it returns a `Call`, the step of a workflow; `map` runs it on items.

    Its signature and its docstring are made from the task's schemas, so that notebooks and editors complete
    its arguments.

    Args:
        task: The task.
        options: How it is mapped.
    """

    def __init__(self, task: Task, options: Options = USUAL) -> None:
        self.task = task
        self._options = options
        self.__name__ = task.name
        self.__doc__ = describe(task)
        self.__signature__ = signature_of(task)

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
            call = Call(self.task, {part: to_jsonable_python(args) for part, args in by_part.items()})
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

    def with_options(
        self,
        *,
        cluster: str | None = None,
        resources: Resources | None = None,
        retries: int | None = None,
        on_failure: Literal["stop", "continue"] | None = None,
        folder: str | PathLike[str] | None = None,
        cache: CacheChoice | None = None,
    ) -> Self:
        """Return the same task, to be mapped in another way; None leaves a thing as it is.

        Args:
            cluster: Name of the cluster; this machine if nothing is said.
            resources: What a unit needs where it differs from what the task says.
            retries: How often a unit that fails is tried again.
            on_failure: `stop` makes failed units an error; `continue` goes on without their items.
            folder: Folder for new items, and the dataset's folder for tasks that are told of one.
            cache: Whether units are reused that were done before, or "refresh"; else it is as the task says.
        """
        said = Options.said(cluster, resources, retries, on_failure, folder)
        if cache is not None:
            said["cache"] = cache
        other = copy(self)
        other._options = replace(self._options, **said)
        return other

    def map(self, items: Items = (), /, **arguments: object) -> list[Item]:
        """Run the task on items and wait for all of them.

        In a Prefect flow this is one task run, however many items there are, and a flow run that is retried
        runs no finished unit again. Elsewhere it is a run of its own on the home's server.

        Args:
            items: URLs, or items as `map` returns them; in a flow also a future. A URL alone counts as an
                item of the types that the task wants.
            arguments: The task's arguments; in a flow they may be futures.

        Returns:
            The items that the units made or, where a unit made none, worked on, as they are after the task.

        Raises:
            ArgumentsInvalid: The arguments do not fit the task's schema.
            NothingSelected: Items lack types that the task wants.
            RunFailed: Units failed; with the ends of their errors.
            Cancelled: The run was cancelled.
        """
        return map_over(self.task.name, self._prepare, _plain(items), arguments)

    def submit(self, items: Items = (), /, **arguments: object) -> PrefectFuture[list[Item]]:
        """Begin what `map` does and go on; only in a Prefect flow.

        Arguments are those of `map`, and so are the errors, which the future raises.

        Raises:
            UsageError: There is no flow that it could be a task of.
        """
        return submit_over(self.task.name, self._prepare, _plain(items), arguments)

    def _prepare(self, items: Any, arguments: Mapping[str, Any]) -> AdHoc:
        options = self._options
        if isinstance(items, Dataset):
            options = replace(options, folder=options.folder or items.folder)
            items = items.items
        return ad_hoc(self(**arguments), [self._item(item) for item in items], options)

    def _item(self, item: str | Item | Mapping[str, object]) -> Item:
        if isinstance(item, Item):
            return item
        types = {"types": self.task.input_types} if isinstance(item, str) else {}
        try:
            return Item.model_validate({**document_of(item), **types})
        except ValidationError as error:
            raise DatasetInvalid(listed(f"{item!r} is no item", problems_of(error))) from error

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
    if not isinstance(package, str):
        task = task_of(package)
        if not is_worker():
            install(held.session().ledger, task)
        return TaskHandle(task)
    if is_worker():
        return TaskHandle(_named(package, name, version))
    from treadle.ledger import packages

    with held.session().ledger.reading() as tx:
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
    return TaskHandle(named[-1].task)


def _plain(items: Items) -> object:
    """Return items as Prefect passes them to a task: what can be read only once is read now."""
    return list(items) if isinstance(items, Iterator | KeysView | ValuesView) else items


def _named(package: str, name: str, version: str | None) -> Task:
    """Return what stands for a task in a worker, which has no ledger but imports modules that name tasks."""
    part = TaskPart(executable="-")
    return Task(package=package, version=version or "-", name=name, type=TaskType.PARALLEL, parallel=part)


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
