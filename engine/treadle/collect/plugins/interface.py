"""What a plugin takes and gives, as its code describes it to a plugin runner (QHAna 3.4); nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from treadle.collect.plugins.literals import Literal, NotLiteral, dotted_name, evaluate
from treadle.collect.plugins.modules import Module, Modules
from treadle.model.constrained import Value

_DESCRIPTION = "PluginMetadata"


class DataItem(Value):
    """An input or an output.

    Attributes:
        name: Parameter of an input, or file of an output; empty where it is not said.
        data_type: Such as `entity/list`; `*` stands for everything.
        content_type: Media types that it may have.
        required: Whether it is always there.
    """

    name: str = ""
    data_type: str
    content_type: tuple[str, ...]
    required: bool


class Dependency(Value):
    """Another plugin that is needed; whatever is given has to match.

    Attributes:
        parameter: Parameter that gets the other's address.
        required: Whether there has to be one.
        type: Kind of plugin.
        tags: Tags that it has; one with `!` before it, it must not have.
        name: Its name.
        version: Version, or range of versions.
    """

    parameter: str
    required: bool = False
    type: str | None = None
    tags: tuple[str, ...] = ()
    name: str | None = None
    version: str | None = None


class Interface(Value):
    """What a plugin takes and gives.

    Attributes:
        title: Its name for people; None where it is not written as a literal.
        type: Kind of plugin, such as `processing`.
        inputs: What it takes.
        outputs: What it gives.
        dependencies: Plugins that it needs.
    """

    title: str | None = None
    type: str | None = None
    inputs: tuple[DataItem, ...] = ()
    outputs: tuple[DataItem, ...] = ()
    dependencies: tuple[Dependency, ...] = ()


def read_interface(modules: Modules) -> Interface | None:
    """Read the one description in a plugin's entry module and the modules that this one imports from.

    Returns:
        The interface; None if there are none or several, or if it is not literal.

    Raises:
        SourceInvalid: One of these modules cannot be read, or is not Python.
    """
    entry = modules.read(modules.entry)
    files = dict.fromkeys([modules.entry, *entry.used])
    found = [(module, call) for module in map(modules.read, files) for call in _descriptions(module)]
    if len(found) != 1:
        return None
    module, call = found[0]
    try:
        return _interface(module, _keywords(call))
    except (NotLiteral, RecursionError, ValueError):
        return None


def _descriptions(module: Module) -> Iterator[ast.Call]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _called(node) == _DESCRIPTION:
            yield node


def _interface(module: Module, given: dict[str, ast.expr]) -> Interface:
    point = given.get("entry_point")
    parts = _keywords(point) if isinstance(point, ast.Call) else {}
    return Interface(
        title=_literal_text(module, given.get("title")),
        type=_member(given.get("type")),
        inputs=tuple(_data_item(module, item, "parameter") for item in _items(parts.get("data_input"))),
        outputs=tuple(_data_item(module, item, "name") for item in _items(parts.get("data_output"))),
        dependencies=tuple(_dependency(module, item) for item in _items(parts.get("plugin_dependencies"))),
    )


def _data_item(module: Module, item: ast.Call, named: str) -> DataItem:
    values = {name: evaluate(value, module.value) for name, value in _keywords(item).items()}
    return DataItem.model_validate(
        {
            "name": values.get(named, ""),
            "data_type": values.get("data_type"),
            "content_type": values.get("content_type"),
            "required": values.get("required", False),
        }
        | _listed(values, "content_type")
    )


def _dependency(module: Module, item: ast.Call) -> Dependency:
    given = _keywords(item)
    kind = {"type": _member(given.pop("type"))} if "type" in given else {}
    values = {name: evaluate(value, module.value) for name, value in given.items()}
    return Dependency.model_validate({**values, **_listed(values, "tags"), **kind})


def _listed(values: dict[str, Literal], name: str) -> dict[str, Literal]:
    """A value as a list; one text stands for a list of it."""
    value = values.get(name)
    return {name: [value] if isinstance(value, str) else value or []}


def _items(expression: ast.expr | None) -> list[ast.Call]:
    if expression is None:
        return []
    if not isinstance(expression, ast.List | ast.Tuple):
        raise NotLiteral
    calls = [item for item in expression.elts if isinstance(item, ast.Call)]
    if len(calls) != len(expression.elts):
        raise NotLiteral
    return calls


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if call.args or len(named) != len(call.keywords):
        raise NotLiteral
    return named


def _literal_text(module: Module, expression: ast.expr | None) -> str | None:
    try:
        value = evaluate(expression, module.value) if expression is not None else None
    except NotLiteral:
        return None
    return value if isinstance(value, str) else None


def _member(expression: ast.expr | None) -> str | None:
    """The last part of a name such as `PluginType.processing`."""
    return dotted_name(expression).rpartition(".")[2] if expression is not None else None


def _called(call: ast.Call) -> str:
    try:
        return dotted_name(call.func).rpartition(".")[2]
    except NotLiteral:
        return ""
