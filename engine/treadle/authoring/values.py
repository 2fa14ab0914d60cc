"""Plain Python functions that are mapped over values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

from pydantic_core import PydanticSerializationError, to_jsonable_python

from treadle.authoring import held
from treadle.authoring.adhoc import AdHoc, ad_hoc
from treadle.authoring.call import Call
from treadle.authoring.functions import VERSION, install, place_of
from treadle.authoring.mapping import map_over, submit_over
from treadle.authoring.options import USUAL, Options
from treadle.authoring.outcome import CALL, HAND_OUT
from treadle.authoring.resources import Resources
from treadle.errors import ArgumentsInvalid
from treadle.model.task import Part, Task, TaskPart, TaskType

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture

P = ParamSpec("P")
R = TypeVar("R")

_NO_FOLDER = "/"


class FunctionHandle(Generic[P, R]):
    """A plain function, called as it is; `map` runs it on many values on a cluster.

    Its arguments and what it returns are JSON: numbers, texts, lists, dicts, what pydantic writes as such.

    Args:
        function: The function.
        task: The task that calls it.
        options: How it is mapped.
    """

    def __init__(self, function: Callable[P, R], task: Task, options: Options = USUAL) -> None:
        self._function = function
        self._task = task
        self._options = options
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return self._function(*args, **kwargs)

    def with_options(
        self,
        *,
        cluster: str | None = None,
        resources: Resources | None = None,
        retries: int | None = None,
        on_failure: Literal["stop", "continue"] | None = None,
    ) -> FunctionHandle[P, R]:
        """Return the same function, to be mapped in another way; None leaves a thing as it is.

        Args:
            cluster: Name of the cluster; this machine if nothing is said.
            resources: What a call needs. It shares its worker with others, so that no limit is enforced.
            retries: How often a call that fails is tried again.
            on_failure: `stop` makes failed calls an error; `continue` returns a `UnitError` in their place.
        """
        said = Options.said(cluster, resources, retries, on_failure)
        return FunctionHandle(self._function, self._task, replace(self._options, **said))

    def map(self, values: Iterable[object] | PrefectFuture[Any], /, **arguments: object) -> list[R]:
        """Call the function with each of the values and wait for all.

        In a Prefect flow this is one task run, however many values there are, and a flow run that is retried
        makes no finished call again. Elsewhere it is a run of its own on the home's server.

        Args:
            values: Each a value of the first argument that `arguments` does not name, or a dict of keyword
                arguments; in a flow also a future of such a list.
            arguments: Arguments that are the same in all calls; in a flow they may be futures.

        Returns:
            What the function returned, as JSON, in the order of the values.

        Raises:
            ArgumentsInvalid: The function does not take such arguments, or they are no JSON.
            RunFailed: Calls failed; with the ends of their errors.
            Cancelled: The run was cancelled.
        """
        return map_over(self.__name__, self._prepare, _plain(values), arguments)

    def submit(
        self, values: Iterable[object] | PrefectFuture[Any], /, **arguments: object
    ) -> PrefectFuture[list[R]]:
        """Begin what `map` does and go on; only in a Prefect flow.

        Arguments are those of `map`, and so are the errors, which the future raises.

        Raises:
            UsageError: There is no flow that it could be a task of.
        """
        return submit_over(self.__name__, self._prepare, _plain(values), arguments)

    def _prepare(self, values: Any, arguments: Mapping[str, Any]) -> AdHoc:
        install(held.session().ledger, self._task)
        common, calls = _arguments(self._function, list(values), arguments)
        call = Call(
            self._task,
            {
                Part.NON_PARALLEL: {"calls": calls},
                Part.PARALLEL: {"function": place_of(self._function).spelled, "arguments": common},
            },
        )
        return ad_hoc(call, [], replace(self._options, folder=_NO_FOLDER))

    def __repr__(self) -> str:
        return f"<function {self.__name__} of {self._task.package}, to be mapped>"


def load_function(function: Callable[P, R], /) -> FunctionHandle[P, R]:
    """Return a plain function that can be mapped over values on a cluster.

    Args:
        function: One at the top level of a module or of the script that runs; workers import it from there.

    Raises:
        SourceInvalid: No worker could import it.
    """
    place = place_of(function)
    task = Task(
        package=place.module,
        version=VERSION,
        name=function.__name__,
        type=TaskType.CONVERTER_COMPOUND,
        non_parallel=TaskPart(function=HAND_OUT),
        parallel=TaskPart(function=CALL),
        docs_info=inspect.getdoc(function),
    )
    return FunctionHandle(function, task)


def _plain(values: object) -> object:
    """Return values as Prefect passes them to a task: what can be read only once is read now."""
    is_sequence = isinstance(values, Sequence) and not isinstance(values, range)
    return list(values) if isinstance(values, Iterable) and not is_sequence else values


def _arguments(
    function: Callable[..., object], values: Sequence[object], common: Mapping[str, object]
) -> tuple[Any, Any]:
    """Return the arguments of all calls and of each, as JSON.

    Raises:
        ArgumentsInvalid: The function does not take them, or they are no JSON.
    """
    signature = inspect.signature(function)
    first = next((name for name in signature.parameters if name not in common), None)
    calls: list[Mapping[str, object]] = []
    for number, value in enumerate(values):
        call = value if isinstance(value, Mapping) else {first or "": value}
        try:
            signature.bind(**{**common, **call})
        except TypeError as error:
            raise ArgumentsInvalid(
                f"The function {function.__name__} cannot be called with value {number}, {value!r}: {error}.",
                remedy=f"It takes {signature}; a dict is taken as keyword arguments.",
            ) from error
        calls.append(call)
    try:
        return to_jsonable_python(dict(common)), to_jsonable_python(calls)
    except PydanticSerializationError as error:
        raise ArgumentsInvalid(
            f"The arguments of {function.__name__} are no JSON: {error}.",
            remedy="Give numbers, texts, lists or dicts; of large data the path of a file.",
        ) from error
