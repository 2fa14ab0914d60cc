"""Values of expressions that say what they are: constants, their sums, f-strings of them; nothing is run."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import TypeAlias

Literal: TypeAlias = "str | int | float | bool | list[Literal] | None"
"""What an expression can be read as; a tuple or a set is a list here."""

Lookup: TypeAlias = Callable[[str], Literal]
"""Gives the value of a name, which may have dots; raises NotLiteral if it has none that can be read."""

_TEXT_OF_TEXT = {"dedent": textwrap.dedent, "cleandoc": inspect.cleandoc}
_METHODS = {"strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip}
_LONGEST = 1_000_000


class NotLiteral(Exception):
    """The expression's value is known only when it is run."""


def evaluate(expression: ast.expr, lookup: Lookup) -> Literal:
    """Read the value of an expression.

    Args:
        expression: Strings, numbers, lists, `+` of them, f-strings, `dedent`, `cleandoc`, `strip` and `join`.
        lookup: Gives the values of names.

    Raises:
        NotLiteral: It is anything else, or longer than a million characters or entries.
    """
    value = _evaluate(expression, lookup)
    if isinstance(value, str | list) and len(value) > _LONGEST:
        raise NotLiteral
    return value


def _evaluate(expression: ast.expr, lookup: Lookup) -> Literal:
    match expression:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.List(elts=entries) | ast.Tuple(elts=entries) | ast.Set(elts=entries):
            return [value for entry in entries for value in _entry(entry, lookup)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sum(evaluate(left, lookup), evaluate(right, lookup))
        case ast.JoinedStr(values=parts):
            return "".join(_part(part, lookup) for part in parts)
        case ast.Name() | ast.Attribute():
            return lookup(dotted_name(expression))
        case ast.Call(func=function, args=arguments, keywords=[]):
            return _call(function, [evaluate(argument, lookup) for argument in arguments], lookup)
    raise NotLiteral


def dotted_name(expression: ast.expr) -> str:
    """The name that an expression is, such as `a.b`.

    Raises:
        NotLiteral: It is no name.
    """
    match expression:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted_name(value)}.{name}"
    raise NotLiteral


def _entry(entry: ast.expr, lookup: Lookup) -> list[Literal]:
    if not isinstance(entry, ast.Starred):
        return [evaluate(entry, lookup)]
    unpacked = evaluate(entry.value, lookup)
    if not isinstance(unpacked, list):
        raise NotLiteral
    return unpacked


def _sum(left: Literal, right: Literal) -> Literal:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    raise NotLiteral


def _part(part: ast.expr, lookup: Lookup) -> str:
    match part:
        case ast.Constant(value=str() as text):
            return text
        case ast.FormattedValue(value=value, conversion=-1 | 115, format_spec=None):  # 115: !s
            shown = evaluate(value, lookup)
            if isinstance(shown, str | int):
                return str(shown)
    raise NotLiteral


def _call(function: ast.expr, arguments: list[Literal], lookup: Lookup) -> Literal:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    if len(texts) == len(arguments) <= 1 and isinstance(function, ast.Attribute):
        called_on = function.value
        if function.attr in _METHODS and isinstance(text := evaluate(called_on, lookup), str):
            return _METHODS[function.attr](text, *texts)
    if len(texts) == len(arguments) == 1:
        name = dotted_name(function).rpartition(".")[2]
        if name in _TEXT_OF_TEXT:
            return _TEXT_OF_TEXT[name](texts[0])
    if isinstance(function, ast.Attribute) and function.attr == "join" and len(arguments) == 1:
        return _joined(evaluate(function.value, lookup), arguments[0])
    raise NotLiteral


def _joined(separator: Literal, parts: Literal) -> str:
    if isinstance(separator, str) and isinstance(parts, list):
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) == len(parts):
            return separator.join(texts)
    raise NotLiteral
