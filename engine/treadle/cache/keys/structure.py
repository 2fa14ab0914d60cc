"""The source of functions and classes as text that layout, comments and docstrings do not change."""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import FunctionType
from typing import Any

from treadle.cache.keys.encoding import Refused

_BLIND = {"ctx", "kind", "type_comment"}
_OWN_DECORATORS = ("cached", "fleche")


def structure_of(found: FunctionType | type) -> str:
    """Return the source of a function or class as text that its layout does not change.

    Of a function that stands for another it is its own source, not that of the other.

    Raises:
        Refused: Its source cannot be had, or not told from its neighbour's.
    """
    if isinstance(found, type) and issubclass(found, tuple) and "_field_defaults" in vars(found):
        return repr((found.__qualname__, *vars(found)["_fields"]))
    try:
        source = inspect.getsource(found.__code__ if isinstance(found, FunctionType) else found)
    except (OSError, TypeError):
        raise Refused(f"the source of {found.__qualname__} cannot be had") from None
    if found.__name__ == "<lambda>":
        return _lambda_structure(found, textwrap.dedent(source))
    [node] = _parsed(source)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        node.decorator_list = [one for one in node.decorator_list if not _is_ours(one)]
    return _dump(node)


def _parsed(source: str) -> list[ast.stmt]:
    """Parse what may stand within a class; to shift it would change text that goes over several lines."""
    if not source[:1].isspace():
        return ast.parse(source).body
    [block] = ast.parse(f"if True:\n{source}").body
    return block.body if isinstance(block, ast.If) else []


def _is_ours(decorator: ast.expr) -> bool:
    """Whether a decorator only says how calls are cached."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
    return name in _OWN_DECORATORS


def _lambda_structure(found: Any, source: str) -> str:
    """Return that of a lambda, which stands within a longer line."""
    for text in (source, f"({source.strip()})", source.strip().rstrip(",)")):
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
        names = found.__code__.co_varnames[: found.__code__.co_argcount]
        fitting = {_dump(node) for node in nodes if tuple(a.arg for a in node.args.args) == names}
        if len(fitting) == 1:
            return fitting.pop()
        break
    raise Refused("the source of a lambda cannot be told from what stands beside it: write it with def")


def _dump(node: object) -> str:
    """Return a syntax tree as text, without what differs between Python versions."""
    if isinstance(node, ast.AST):
        body = getattr(node, "body", None)
        fields = [
            f"{name}={_dump(_without_docstring(value) if value is body else value)}"
            for name, value in ast.iter_fields(node)
            if name not in _BLIND and value not in (None, [])
        ]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_dump(item) for item in node)}]"
    return ascii(node)  # which characters count as printable differs between Python versions


def _without_docstring(body: Any) -> Any:
    if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
        constant = body[0].value
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
            return body[1:]
    return body
