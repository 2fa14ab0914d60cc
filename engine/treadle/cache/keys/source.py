"""Digests of code by the structure of its source: stable over Python versions, blind to layout and comments.

The digest of a function covers its source, what it closes over, its defaults, and the same of every function
and class of the same project that it names, with their decorators and bases, and the values of its modules
that it names, if they have keys. What belongs to installed packages or to Python itself counts by name alone:
the version of the environment tells it. What a function imports when it runs is not looked at.
"""

from __future__ import annotations

import functools
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from treadle.cache.keys.encoding import Encoding, Refused
from treadle.cache.keys.structure import structure_of

WRAPPED = "__treadle_cached__"
"""Where a cached function carries the function that it wraps; as a value it stands for that."""

_CONSTANTS = (int, float, complex, str, bytes, bool, type(None), tuple, frozenset, list, dict, set)
_BY_NAME = (FunctionType, BuiltinFunctionType, ModuleType, type)
_Code = FunctionType | type


def code_digest(function: Callable[..., Any]) -> bytes:
    """Return the digest of a function's code, 32 bytes.

    Raises:
        Refused: Its source cannot be had, or it closes over something that has no key.
    """
    return _Reader().digest(function)


class _Reader:
    """Follows the names in a function's source to what they mean in its project."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def digest(self, function: Callable[..., Any]) -> bytes:
        encoding = Encoding()
        layers = [layer for layer in _layers(function) if _is_of_project(layer, _module_of(function))]
        for layer in layers or [*_layers(function)]:
            self._add(layer, encoding)
        if not encoding.parts:
            raise Refused("it is not written in Python")
        return encoding.finish()

    def _add(self, found: _Code, encoding: Encoding) -> None:
        if id(found) in self._seen:
            encoding.add(found.__qualname__)
            return
        self._seen.add(id(found))
        encoding.add(structure_of(found))
        if isinstance(found, FunctionType):
            self._add_closure(found, encoding)
            self._add_names(found, encoding)
        else:
            self._add_class(found, encoding)

    def _add_closure(self, function: FunctionType, encoding: Encoding) -> None:
        encoding.add_part(function.__defaults__, ".__defaults__")
        encoding.add_part(function.__kwdefaults__, ".__kwdefaults__")
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:  # a name of the enclosing function that has no value yet
                continue
            encoding.add(name)
            if isinstance(content, FunctionType | type) and _is_of_project(content, _module_of(function)):
                self._add(content, encoding)
            else:
                encoding.add_part(content, f", which closes over {name!r}: it")

    def _add_class(self, found: type, encoding: Encoding) -> None:
        """Add what a class has from elsewhere than its own source: bases, and what its methods name."""
        for base in found.__bases__:
            if _is_of_project(base, found.__module__):
                encoding.add("base")
                self._add(base, encoding)
        for name, member in vars(found).items():
            for layer in _layers_of_member(member):
                if isinstance(layer, type):
                    self._add_nested(layer, found, encoding)
                elif layer.__code__.co_qualname.startswith(f"{found.__qualname__}."):
                    self._add_names(layer, encoding)
                elif _is_of_project(layer, found.__module__) and not _is_generated(layer):
                    encoding.add(name)
                    self._add(layer, encoding)
            if isinstance(member, _CONSTANTS) and not name.startswith("_"):
                self._add_value(name, member, encoding)

    def _add_nested(self, inner: type, outer: type, encoding: Encoding) -> None:
        if inner.__qualname__.startswith(f"{outer.__qualname__}.") and id(inner) not in self._seen:
            self._seen.add(id(inner))
            self._add_class(inner, encoding)

    def _add_names(self, function: FunctionType, encoding: Encoding) -> None:
        scope = function.__globals__
        names = _global_names(function.__code__)
        for name in names:
            if name in scope:
                for where, meant in _meanings(name, scope[name], names, _module_of(function)):
                    self._add_meaning(where, meant, _module_of(function), encoding)

    def _add_meaning(self, where: str, meant: object, origin: str, encoding: Encoding) -> None:
        if isinstance(meant, MethodType):
            self._add_meaning(where, meant.__func__, origin, encoding)
            self._add_meaning(where, meant.__self__, origin, encoding)
            return
        layers = [layer for layer in _layers(meant) if _is_of_project(layer, origin)]
        for layer in layers:
            encoding.add(where)
            self._add(layer, encoding)
        if isinstance(meant, _CONSTANTS):
            encoding.add(where)
            encoding.add_part(meant, f", which names {where!r}: it")
        elif not layers and not isinstance(meant, _BY_NAME):
            if _is_of_project(type(meant), origin):
                encoding.add(where)
                self._add(type(meant), encoding)
            self._add_value(where, meant, encoding)

    def _add_value(self, where: str, value: object, encoding: Encoding) -> None:
        """Add a value that has a key; of any other its class has to do."""
        try:
            digest = encoding.raw_digest(value)
        except Refused:
            return
        encoding.add(where)
        encoding.parts.append(digest)


def _layers(value: object) -> Iterator[_Code]:
    """Yield the functions that decorators have put over a function or class, and that itself in the end.

    What `cached` puts over it is left out.
    """
    seen = set()
    while value is not None and id(value) not in seen:
        seen.add(id(value))
        own = getattr(value, "__dict__", {})
        if isinstance(value, FunctionType | type) and WRAPPED not in own:
            yield value
        value = own.get("__wrapped__")


def _layers_of_member(member: object) -> Iterator[_Code]:
    """Yield the functions that a name of a class leads to."""
    if isinstance(member, property):
        parts: tuple[object, ...] = (member.fget, member.fset, member.fdel)
    elif isinstance(member, staticmethod | classmethod):
        parts = (member.__func__,)
    elif isinstance(member, functools.cached_property):
        parts = (member.func,)
    else:
        parts = (member,)
    for part in parts:
        yield from _layers(part)


def _is_generated(function: FunctionType) -> bool:
    """Whether no file has a function, as with those that dataclasses write."""
    return function.__code__.co_filename.startswith("<")


def _meanings(
    name: str, value: Any, names: list[str], origin: str, within: tuple[ModuleType, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield what a name means; of a module, what is named of it."""
    if not isinstance(value, ModuleType):
        yield name, value
    elif value not in within:
        of_project = _is_of_project(value, origin)
        for inner in names:
            if inner in vars(value):
                meant = vars(value)[inner]
                if of_project:
                    yield from _meanings(f"{name}.{inner}", meant, names, origin, (*within, value))
                elif isinstance(meant, _CONSTANTS):
                    yield f"{name}.{inner}", meant


@functools.lru_cache(maxsize=4096)
def _global_names(code: CodeType) -> list[str]:
    """Return the names that code and the functions within it look up, in order."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(_global_names(constant))
    return sorted(names)


def _module_of(value: object) -> str:
    """Return the name of the module where something was made, whatever `functools.wraps` made of it."""
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, FunctionType):
        return str(value.__globals__.get("__name__") or "")
    return str(getattr(value, "__module__", None) or "")


def _is_of_project(value: object, origin: str) -> bool:
    """Whether something is developed together with what is in a module of that name."""
    module = _module_of(value)
    return module.partition(".")[0] == origin.partition(".")[0] or _is_developed(module)


@functools.lru_cache(maxsize=4096)
def _is_developed(module: str) -> bool:
    """Whether a module's file is neither Python's nor an installed package's."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or "site-packages" in file or "dist-packages" in file:
        return False
    return not Path(file).is_relative_to(sysconfig.get_path("stdlib"))
