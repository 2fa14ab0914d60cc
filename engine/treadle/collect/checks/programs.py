"""A task's program: whether it is Python, and whether its function takes what its schema describes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from treadle.model.task import Part, TaskType
from treadle.model.units import engine_arguments


def syntax_problem(text: bytes, name: str) -> tuple[str, int | None] | None:
    """Say why a file is no Python, and in which line; None if it is."""
    try:
        compile(text, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"does not compile: {error.msg}", error.lineno
    except ValueError as error:
        return f"does not compile: {error}", None
    return None


def argument_problems(
    text: bytes, schema: Mapping[str, object] | None, kind: TaskType, part: Part
) -> Iterator[tuple[str, int]]:
    """Say where the function that a program runs and its schema disagree, as far as the file itself tells.

    Only the form is understood in which `run_fractal_task(task_function=name)` calls a function that is
    defined at the top of the same file; of everything else nothing is said.

    Args:
        text: A Python file that compiles.
        schema: Schema of the arguments, if there is one.
        kind: Type of the task.
        part: Its part that is this program.
    """
    function = _task_function(ast.parse(text))
    if function is None or function.args.kwarg is not None:
        return
    takes, needs = _arguments(function)
    engine = engine_arguments(kind, part)
    for name in sorted(engine - takes):
        yield f"{function.name} takes no argument {name!r}, which the engine gives it", function.lineno
    if schema is None:
        return
    properties = schema.get("properties")
    described = set(properties) if isinstance(properties, dict) else set()
    required = schema.get("required")
    asked = {str(name) for name in required} if isinstance(required, list) else set()
    for name in sorted(described - takes - engine):
        yield f"{function.name} takes no argument {name!r}, which its schema describes", function.lineno
    for name in sorted(needs - engine - described):
        yield f"{function.name} needs {name!r}, which its schema does not describe", function.lineno
    for name in sorted((needs & described) - engine - asked):
        yield f"{function.name} needs {name!r}, which its schema does not require", function.lineno


def _task_function(tree: ast.Module) -> ast.FunctionDef | None:
    names = {
        keyword.value.id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("run_fractal_task")
        for keyword in call.keywords
        if keyword.arg == "task_function" and isinstance(keyword.value, ast.Name)
    }
    found = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name in names]
    return found[0] if len(found) == 1 else None


def _arguments(function: ast.FunctionDef) -> tuple[set[str], set[str]]:
    """Return the names of all arguments, and of those without a default."""
    positional = [argument.arg for argument in [*function.args.posonlyargs, *function.args.args]]
    needs = set(positional[: len(positional) - len(function.args.defaults)])
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if default is None:
            needs.add(argument.arg)
    return {*positional, *(argument.arg for argument in function.args.kwonlyargs)}, needs
