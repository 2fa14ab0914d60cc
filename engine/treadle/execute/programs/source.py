"""A task's file: what it imports, and whether imports may be done before it runs."""

from __future__ import annotations

import ast
import os
import sys
import types
from collections.abc import Iterator

# Set before an import they change what the import does; after it they may do nothing.
_CHANGING = frozenset({"append", "clear", "extend", "insert", "pop", "remove", "setdefault", "update"})

_NO_MODULES = frozenset({"__init__", "__main__", "__pycache__"})


class Source:
    """A Python file as it is now.

    Args:
        file: Its path.

    Raises:
        OSError: It cannot be read.
        SyntaxError: It is not Python.
        ValueError: It holds a NUL.
    """

    def __init__(self, file: str) -> None:
        with open(file, "rb") as stream:
            text = stream.read()
        tree = ast.parse(text, file)
        self.code: types.CodeType = compile(text, file, "exec", dont_inherit=True)
        self.folder = os.path.dirname(os.path.realpath(file))
        self._beside = {name.partition(".")[0] for name in os.listdir(self.folder)} - _NO_MODULES
        self.imports = list(dict.fromkeys(_imports(tree.body)))
        self.sets_up_imports = any(map(_changes_imports, ast.walk(tree)))

    def hides(self, modules: list[str]) -> list[str]:
        """Return those modules in whose place a fresh process would find a file beside this one."""
        if getattr(sys.flags, "safe_path", False):
            return []
        return sorted(self._beside.intersection(name.partition(".")[0] for name in modules))


def _imports(statements: list[ast.stmt]) -> Iterator[str]:
    """Yield the modules that module-level statements import, whatever decides whether they run."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield alias.name
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module
            for alias in statement.names:
                yield f"{statement.module}.{alias.name}"
        elif isinstance(statement, ast.Try):
            yield from _imports(statement.body)


def _changes_imports(node: ast.AST) -> bool:
    """Whether a piece of code sets variables or paths that a later import may look at."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "putenv" or (node.func.attr in _CHANGING and _matters(node.func.value))
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
        return _matters(node.value)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return _matters(node)
    return False


def _matters(node: ast.AST) -> bool:
    text = ast.unparse(node)
    return text in {"environ", "os.environ", "sys.path", "sys.meta_path", "sys.modules"}
