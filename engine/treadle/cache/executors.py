"""Executors whose workers use the cache that is in use here, and are not asked for what it has already."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Protocol, TypeVar

from treadle.cache.active import Bound
from treadle.cache.cached import caller_of

_SUBMIT = "submit"
_WRAPPED = "__treadle_wrapped__"


class Submits(Protocol):
    """Whatever runs functions elsewhere."""

    @property
    def submit(self) -> Callable[..., Any]:
        """Takes a function and its arguments, and perhaps keywords of its own; returns a future."""
        ...


E = TypeVar("E", bound=Submits)


def wrap_executor(executor: E) -> E:
    """Have an executor answer calls that are kept, and run all others with the cache that is in use.

    A call of a cached function that is found comes back as a finished future; it is digested once for that.
    Every other function is submitted with the cache and the collectors of metadata that are in use here, so
    that cached functions within it find them in a thread or a process that knows neither.

    Args:
        executor: It is changed, not copied; wrapping it again does nothing.

    Returns:
        The executor.
    """
    submit = executor.submit
    if getattr(submit, _WRAPPED, False):
        return executor
    own = _own_keywords(submit)

    @wraps(submit)
    def submit_if_needed(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        caller = caller_of(function)
        if caller is not None:
            given = {name: value for name, value in kwargs.items() if name not in own}
            ended = caller.look(args, given)
            if ended is not None:
                return ended.as_future()
        bound = function if isinstance(function, Bound) else Bound.of(function, (), {})
        return submit(bound, *args, **kwargs)

    vars(submit_if_needed)[_WRAPPED] = True
    setattr(executor, _SUBMIT, submit_if_needed)
    return executor


def _own_keywords(submit: Callable[..., Any]) -> frozenset[str]:
    """Names of the arguments that are the executor's, not the function's."""
    try:
        parameters = signature(submit).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    return frozenset(each.name for each in parameters if each.kind is Parameter.KEYWORD_ONLY)
