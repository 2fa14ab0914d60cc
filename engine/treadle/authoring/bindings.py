"""A package's tasks as a typed Python module, for editors and type checkers."""

from __future__ import annotations

import inspect
import keyword
import re
import textwrap
from collections.abc import Iterator, Sequence

from treadle.authoring.signatures import describe, signature_of
from treadle.model.task import Task

_HEAD = '''\
# ruff: noqa
"""Tasks of {package} {version}, typed; written by `treadle task bindings {package}`."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from treadle import Call, Item, Resources, load_task

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture

    from treadle.authoring.tasks import Given, Items
'''

_TASK = '''\
class {kind}(Protocol):
{docstring}

    def __call__(self{call}) -> Call:
        """Give the task its arguments."""

    def map(self, items: Items = (), /{mapped}) -> list[Item]:
        """Run the task on items and wait for all of them."""

    def submit(self, items: Items = (), /{mapped}) -> PrefectFuture[list[Item]]:
        """Begin what `map` does and go on; only in a Prefect flow."""

    def with_options(
        self,
        *,
        cluster: str | None = None,
        resources: Resources | None = None,
        retries: int | None = None,
        on_failure: Literal["stop", "continue"] | None = None,
        folder: str | PathLike[str] | None = None,
    ) -> {kind}:
        """Return the same task, to be mapped in another way."""


{name} = cast("{kind}", load_task({package!r}, {task!r}, version={version!r}))
'''


def bindings(tasks: Sequence[Task]) -> str:
    """Return the text of a module with an object for each task of one version of a package.

    Each is called with the arguments of its task, as keywords of the types that the schemas say; its name is
    the task's in the form of Python's names.
    """
    package, version = tasks[0].package, tasks[0].version
    names = list(_names([task.name for task in tasks]))
    texts = [_text(task, name) for task, name in zip(tasks, names, strict=True)]
    listed = "".join(f'    "{name}",\n' for name in sorted(names))
    head = _HEAD.format(package=package, version=version)
    return "\n\n".join([head, *texts, f"__all__ = [\n{listed}]\n"])


def _text(task: Task, name: str) -> str:
    parameters = list(signature_of(task).parameters.values())
    return _TASK.format(
        kind="".join(word.capitalize() for word in name.split("_")),
        docstring=_docstring(describe(task)),
        call=_signature(parameters, "{}"),
        mapped=_signature(parameters, "Given[{}]"),
        name=name,
        package=task.package,
        task=task.name,
        version=task.version,
    )


def _names(tasks: Sequence[str]) -> Iterator[str]:
    """Yield a name of Python for each task; one that is taken gets a number."""
    taken: set[str] = set()
    for task in tasks:
        base = re.sub(r"\W+", "_", task).strip("_").lower() or "task"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"task_{base}"
        numbered = (base if number == 1 else f"{base}_{number}" for number in range(1, len(tasks) + 1))
        name = next(name for name in numbered if name not in taken)
        taken.add(name)
        yield name


def _docstring(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"""', "'''")
    return textwrap.indent(f'"""{quoted}\n"""' if "\n" in quoted else f'"""{quoted}"""', "    ")


def _signature(parameters: Sequence[inspect.Parameter], form: str) -> str:
    if not parameters:
        return ""
    if parameters[0].kind is inspect.Parameter.VAR_KEYWORD:
        return f", **{parameters[0].name}: Any"
    lines = "".join(f"        {_parameter(parameter, form)},\n" for parameter in parameters)
    return f",\n        *,\n{lines}    "


def _parameter(parameter: inspect.Parameter, form: str) -> str:
    kind = form.format(inspect.formatannotation(parameter.annotation))
    if parameter.default is inspect.Parameter.empty:
        return f"{parameter.name}: {kind}"
    return f"{parameter.name}: {kind} = {parameter.default!r}"
