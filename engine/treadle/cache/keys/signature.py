"""A function's parameters: which count for the key, and what a call gives them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from treadle.cache.marks import Mark
from treadle.errors import UsageError

_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_BY_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_OTHERS_BY_KEYWORD = inspect.Parameter.VAR_KEYWORD
_EMPTY = inspect.Parameter.empty


class Signature:
    """The parameters of a function, and how its calls bind to them.

    Attributes:
        ignored: Names of those that do not count.
        required: Names of those without which a call is not cached.
        by_content: Names of those that are paths and count by what they lead to.

    Raises:
        UsageError: A name is none of its parameters.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        ignore: Collection[str] = (),
        require: Collection[str] = (),
        by_content: Collection[str] = (),
    ) -> None:
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters
        marks = _marks(function, parameters)
        self.ignored = frozenset(ignore) | marks[Mark.IGNORED]
        self.required = frozenset(require) | marks[Mark.REQUIRED]
        self.by_content = frozenset(by_content) | marks[Mark.BY_CONTENT]
        self._others = next(
            (name for name, given in parameters.items() if given.kind is _OTHERS_BY_KEYWORD), None
        )
        named = {*ignore, *require, *by_content} if self._others is None else by_content
        _check_names(function, parameters, named)
        kinds = {parameter.kind for parameter in parameters.values()}
        self._is_plain = kinds <= {_POSITIONAL, _BY_KEYWORD}
        self._names = tuple(parameters)
        self._positional = tuple(name for name, given in parameters.items() if given.kind is _POSITIONAL)
        self._defaults = {name: given.default for name, given in parameters.items()}

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a call gives each parameter that counts, defaults included, in their order.

        Raises:
            TypeError: The function cannot be called so.
        """
        bound = self._bind_plainly(args, kwargs) if self._is_plain else None
        if bound is None:
            whole = self._signature.bind(*args, **kwargs)
            whole.apply_defaults()
            bound = dict(whole.arguments)
        return self._counting(bound)

    def bind_some(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is given of the parameters that count; others may be missing.

        Raises:
            TypeError: The function cannot be called so.
        """
        given = self._signature.bind_partial(*args, **kwargs).arguments
        return self._counting(given)

    def missing(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
        """Return the required parameters that a call leaves to their defaults."""
        if not self.required:
            return []
        given = self._signature.bind_partial(*args, **kwargs).arguments
        others = given.get(self._others, {}) if self._others is not None else {}
        return sorted(self.required - {*given, *others})

    def _counting(self, bound: dict[str, Any]) -> dict[str, Any]:
        """Leave out what does not count, among the others that are passed by keyword as well."""
        if not self.ignored:
            return bound
        left = {name: value for name, value in bound.items() if name not in self.ignored}
        if self._others is not None and self._others in left:
            others: Mapping[str, Any] = left[self._others]
            left[self._others] = {name: value for name, value in others.items() if name not in self.ignored}
        return left

    def _bind_plainly(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Bind as Python does where there are neither *args nor **kwargs; None if it does not fit."""
        if len(args) > len(self._positional):
            return None
        bound = dict(zip(self._positional, args, strict=False))
        taken = 0
        for name in self._names[len(args) :]:
            if name in kwargs:
                bound[name] = kwargs[name]
                taken += 1
            elif self._defaults[name] is _EMPTY:
                return None
            else:
                bound[name] = self._defaults[name]
        return bound if taken == len(kwargs) else None


def _check_names(
    function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter], named: Collection[str]
) -> None:
    unknown = sorted(set(named) - set(parameters))
    if unknown:
        raise UsageError(
            f"The function {function.__qualname__} has no parameter {unknown[0]!r}.",
            remedy=f"It has: {', '.join(parameters) or 'none'}.",
        )


def _marks(
    function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter]
) -> dict[Mark, frozenset[str]]:
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations may name anything; those that cannot be read mark nothing
        hints = {name: given.annotation for name, given in parameters.items()}
    found: dict[Mark, set[str]] = {mark: set() for mark in Mark}
    for name in parameters:
        hint = hints.get(name)
        if get_origin(hint) is Annotated:
            for extra in get_args(hint)[1:]:
                if isinstance(extra, Mark):
                    found[extra].add(name)
    return {mark: frozenset(names) for mark, names in found.items()}
