"""What a plugin says of itself, read from its files without importing it (QHAna 3.1 and 4)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from treadle.collect.plugins.identifiers import is_plugin_name, parse_version
from treadle.collect.plugins.interface import Interface, read_interface
from treadle.collect.plugins.literals import Literal, NotLiteral, dotted_name, evaluate
from treadle.collect.plugins.modules import Module, Modules, assigned, bound_names, statements
from treadle.errors import SourceInvalid
from treadle.model.constrained import Value

BASE = "QHAnaPluginBase"


class PluginMetadata(Value):
    """What is known of a plugin.

    Attributes:
        name: Its name; None while nobody knows it.
        version: Its version as it writes it; None while nobody knows it.
        description: For people.
        tags: For searching.
        requirements: What it needs, in the form of a requirements file; None while nobody knows it.
        has_api: Whether it has endpoints.
        interface: What it takes and gives; None where that cannot be read.
        defined: Class, file and line that say so; empty for what is no plugin.
        unknown: Members that only running the plugin can tell.
        derived: Whether it was run, alone and once, to learn some of this.
    """

    name: str | None = None
    version: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    requirements: str | None = ""
    has_api: bool = False
    interface: Interface | None = None
    defined: str = ""
    unknown: tuple[str, ...] = ()
    derived: bool = False


class NoPlugin(SourceInvalid):
    """A module without a plugin's class."""


@dataclass(frozen=True, slots=True)
class PluginClass:
    """A class that makes a plugin, with those of its bases that are the plugin's own."""

    module: Module
    node: ast.ClassDef
    bases: tuple[PluginClass, ...]

    @property
    def place(self) -> str:
        """Its name, file and line."""
        file = self.module.plugin.shown(self.module.file)
        return f"class {self.node.name} in {file}, line {self.node.lineno}"

    def member(self, name: str) -> tuple[PluginClass, ast.stmt] | None:
        """The statement that defines a member, here or in a base, and the class it stands in."""
        for statement in reversed(list(statements(self.node.body))):
            pair = assigned(statement)
            if pair and pair[0] == name:
                return self, statement
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
                return self, statement
        return next((found for base in self.bases if (found := base.member(name))), None)

    def value(self, name: str) -> Literal:
        """The value of a name as the body of the class sees it.

        Raises:
            NotLiteral: It has none that can be read.
        """
        binding = [statement for statement in statements(self.node.body) if name in bound_names(statement)]
        if not binding:
            return self.module.value(name)
        pair = assigned(binding[0])
        if len(binding) > 1 or pair is None or binding[0] not in self.node.body:
            raise NotLiteral
        own = pair[1]
        if any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(own)):
            return evaluate(own, self.module.value)
        return evaluate(own, self.value)


def read_metadata(plugin: Path) -> PluginMetadata:
    """Read a plugin's metadata from its entry module, or from the modules that this one imports.

    Args:
        plugin: The package's folder, or the one file.

    Raises:
        NoPlugin: No class derives from QHAnaPluginBase.
        SourceInvalid: A file cannot be read or is not Python, or a member is missing or not allowed.
    """
    modules = Modules(plugin)
    found = _only(list(_offered(modules.read(modules.entry))), modules)
    unknown: list[str] = []
    metadata = PluginMetadata(
        name=_text(found, "name", unknown),
        version=_text(found, "version", unknown),
        description=_text(found, "description", unknown) or "",
        tags=_tags(found, unknown),
        requirements=_requirements(found, unknown),
        has_api=_is_there(found.member("get_api_blueprint")),
        interface=read_interface(modules),
        defined=found.place,
        unknown=tuple(unknown),
    )
    check_metadata(metadata)
    return metadata


def check_metadata(metadata: PluginMetadata) -> None:
    """Refuse a name or version that no plugin can have.

    Raises:
        SourceInvalid: One is missing though it could be read, or is not allowed.
    """
    for member in ("name", "version"):
        if getattr(metadata, member) is None and member not in metadata.unknown:
            raise SourceInvalid(
                f"{_capital(metadata.defined)}, has no {member}.", remedy=f"Give it a {member}."
            )
    name, version = metadata.name, metadata.version
    if name is not None and not is_plugin_name(name):
        raise SourceInvalid(
            f"{_capital(metadata.defined)}, has the name {name!r}, which cannot stand in a URL.",
            remedy="Use letters, digits, hyphens, dots, underscores and tildes.",
        )
    if version is not None and parse_version(version) is None:
        raise SourceInvalid(
            f"{_capital(metadata.defined)}, has the version {version!r}, which is none by PEP 440.",
            remedy="Write it like v1.2.0.",
        )


def _only(found: list[PluginClass], modules: Modules) -> PluginClass:
    """The one class that is no other's base."""
    inner = {id(base.node) for plugin in found for base in plugin.bases}
    leaves = {id(plugin.node): plugin for plugin in found if id(plugin.node) not in inner}
    if not leaves:
        raise NoPlugin(
            f"{modules.shown(modules.entry)} has no plugin: no class in it derives from {BASE}.",
            remedy="Move what is no plugin out of the folder, or give it a name that begins with a dot.",
        )
    first, *others = leaves.values()
    if others:
        places = "; ".join(plugin.place for plugin in (first, *others))
        raise SourceInvalid(f"{modules.shown(modules.entry)} has several plugins: {places}.")
    return first


def _offered(module: Module) -> Iterator[PluginClass]:
    """The plugin classes of a module, or else those of the modules that it imports from."""
    own = [found for node in _classes(module) if (found := _plugin_class(module, node, ()))]
    if own:
        yield from own
        return
    for file in dict.fromkeys(module.used):
        other = module.plugin.read(file)
        yield from (found for node in _classes(other) if (found := _plugin_class(other, node, ())))


def _classes(module: Module) -> Iterator[ast.ClassDef]:
    return (node for node in statements(module.tree.body) if isinstance(node, ast.ClassDef))


def _plugin_class(module: Module, node: ast.ClassDef, seen: tuple[object, ...]) -> PluginClass | None:
    """The class as a plugin's, or None if it derives from no such class."""
    if node in seen:
        return None
    aliases = {BASE} | {
        alias.asname
        for statement in statements(module.tree.body)
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.name == BASE and alias.asname
    }
    derives = False
    bases = []
    for expression in node.bases:
        try:
            name = dotted_name(expression)
        except NotLiteral:
            continue
        if name in aliases or name.endswith(f".{BASE}"):
            derives = True
        elif base := _named_class(module, name, (*seen, node)):
            bases.append(base)
    return PluginClass(module, node, tuple(bases)) if derives or bases else None


def _named_class(module: Module, name: str, seen: tuple[object, ...]) -> PluginClass | None:
    for node in _classes(module):
        if node.name == name:
            return _plugin_class(module, node, seen)
    found = module.imports.get(name)
    if found is None or found.file is None or found in seen:
        return None
    return _named_class(module.plugin.read(found.file), found.name, (*seen, found))


def _text(plugin: PluginClass, name: str, unknown: list[str]) -> str | None:
    value = _member(plugin, name, unknown)
    if value is None or isinstance(value, str):
        return value
    raise SourceInvalid(f"{_capital(plugin.place)}, has a {name} that is no text.")


def _tags(plugin: PluginClass, unknown: list[str]) -> tuple[str, ...]:
    value = _member(plugin, "tags", unknown)
    if value is None:
        return ()
    tags = [tag for tag in value if isinstance(tag, str)] if isinstance(value, list) else None
    if tags is None or tags != value:
        raise SourceInvalid(f"{_capital(plugin.place)}, has tags that are no list of texts.")
    return tuple(tags)


def _member(plugin: PluginClass, name: str, unknown: list[str]) -> Literal:
    found = plugin.member(name)
    if found is None:
        return None
    owner, statement = found
    pair = assigned(statement)
    if pair is None:
        unknown.append(name)
        return None
    try:
        return owner.value(name)
    except (NotLiteral, RecursionError):
        unknown.append(name)
        return None


def _requirements(plugin: PluginClass, unknown: list[str]) -> str | None:
    found = plugin.member("get_requirements")
    if found is None or not _is_there(found):
        return ""
    owner, function = found
    try:
        if isinstance(function, ast.FunctionDef) and isinstance(text := _returned(owner, function), str):
            return text
    except (NotLiteral, RecursionError):
        pass
    unknown.append("requirements")
    return None


def _returned(owner: PluginClass, function: ast.FunctionDef) -> Literal:
    """The value of a function that only binds names to literals and returns one."""
    local: dict[str, ast.expr] = {}

    def lookup(name: str) -> Literal:
        if name in local:
            return evaluate(local[name], lookup)
        if name.partition(".")[0] in {"self", "cls", owner.node.name}:
            return owner.value(name.partition(".")[2])
        return owner.module.value(name)

    for statement in _body(function):
        pair = assigned(statement)
        if isinstance(statement, ast.Return) and statement.value is not None:
            return evaluate(statement.value, lookup)
        if pair is None or pair[0] in local:
            break
        local[pair[0]] = pair[1]
    raise NotLiteral


def _is_there(found: tuple[PluginClass, ast.stmt] | None) -> bool:
    """Whether a method does anything but refuse."""
    if found is None:
        return False
    function = found[1]
    body = _body(function) if isinstance(function, ast.FunctionDef) else []
    if len(body) != 1 or not isinstance(body[0], ast.Raise) or body[0].exc is None:
        return True
    raised = body[0].exc.func if isinstance(body[0].exc, ast.Call) else body[0].exc
    return not (isinstance(raised, ast.Name) and raised.id == "NotImplementedError")


def _body(function: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    match function.body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case body:
            return body


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
