"""Encodings of functions, methods, partials, classes and modules as values, and what tells a function.

A function that is passed as a value is told by its name and its code, since what it does is what counts. Code
means source: see `source`.
"""

from __future__ import annotations

import functools
import operator
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

from treadle.cache.keys.encoding import Encoder, Encoding, Refused, module_name
from treadle.cache.keys.source import WRAPPED, code_digest


def _function(value: Any, encoding: Encoding) -> None:
    inner = vars(value).get(WRAPPED)
    if inner is not None:
        encoding.add(inner)
        return
    own = vars(value).get("__digest__")
    encoding.add_text(b"\x10", f"{module_name(value)}\0{value.__qualname__}")
    if own is not None:
        encoding.add_part(own(), ".__digest__()")
    else:
        encoding.parts.append(code_digest(value))


def _builtin(value: Any, encoding: Encoding) -> None:
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, ModuleType):
        encoding.add_text(b"\x11", f"{value.__module__}\0{value.__qualname__}")
    else:
        encoding.add_text(b"\x12", value.__qualname__)
        encoding.add_part(owner, ".__self__")


def _descriptor(value: Any, encoding: Encoding) -> None:
    encoding.add_class(b"\x13", value.__objclass__)
    encoding.add(value.__name__)


def _method(value: MethodType, encoding: Encoding) -> None:
    encoding.parts.append(b"\x14")
    encoding.add_part(value.__func__, "")
    encoding.add_part(value.__self__, ".__self__")


def _partial(value: functools.partial[Any], encoding: Encoding) -> None:
    encoding.parts.append(b"\x15")
    encoding.add_part(value.func, ".func")
    encoding.add_part(value.args, ".args")
    encoding.add_part(value.keywords, ".keywords")


def _class(value: type, encoding: Encoding) -> None:
    if module_name(value) == "__main__":
        raise Refused(f"the class {value.__qualname__} belongs to a script, where another may have its name")
    encoding.add_class(b"\x16", value)


def _module(value: ModuleType, encoding: Encoding) -> None:
    encoding.add_text(b"\x17", value.__name__)


def _getter(value: Any, encoding: Encoding) -> None:
    """Add one of operator's by what it pickles to: its class and its arguments."""
    encoding.add_class(b"\x18", type(value))
    encoding.add(value.__reduce__()[1])


BASES: tuple[tuple[type, Encoder], ...] = (
    (FunctionType, _function),
    (BuiltinFunctionType, _builtin),
    (WrapperDescriptorType, _descriptor),
    (MethodWrapperType, _builtin),
    (MethodDescriptorType, _descriptor),
    (MethodType, _method),
    (functools.partial, _partial),
    (operator.itemgetter, _getter),
    (operator.attrgetter, _getter),
    (operator.methodcaller, _getter),
    (type, _class),
    (ModuleType, _module),
)
"""Types of what can be called, and of what it comes from."""
