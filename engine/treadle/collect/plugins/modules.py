"""Python files as they are written: what their names stand for, and what they import from one another."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from treadle.collect.plugins.literals import Literal, NotLiteral, evaluate
from treadle.errors import SourceInvalid

_LARGEST = 5_000_000


@dataclass(frozen=True, slots=True)
class Import:
    """A name that a module takes from another module of the same plugin.

    Attributes:
        file: The module; None if it is not there.
        name: What it is called there; `*` for everything, nothing for the module itself.
    """

    file: Path | None
    name: str


@dataclass(slots=True)
class Module:
    """One file of a plugin.

    Attributes:
        file: Where it is.
        plugin: All modules of the plugin.
        tree: Its statements.
        constants: Names that are bound once, at its top, to an expression.
        imports: Names that are bound once, by an import from the plugin's other modules.
        used: Modules of the plugin from which it takes anything, in the order of its imports.
    """

    file: Path
    plugin: Modules
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    used: list[Path] = field(default_factory=list)
    _values: dict[str, Literal] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    def value(self, name: str) -> Literal:
        """The value of a name of this module.

        Raises:
            NotLiteral: It has none that can be read without running the module.
        """
        if name not in self._values:
            if name in self._open:
                raise NotLiteral
            self._open.add(name)
            try:
                self._values[name] = self._value(name)
            finally:
                self._open.discard(name)
        return self._values[name]

    def _value(self, name: str) -> Literal:
        if name in self.constants:
            return evaluate(self.constants[name], self.value)
        head, _, rest = name.partition(".")
        found = self.imports.get(head)
        if found is None or found.file is None or bool(rest) == bool(found.name):
            raise NotLiteral
        return self.plugin.read(found.file).value(rest or found.name)


@dataclass(slots=True)
class Modules:
    """The files of one plugin, each read once.

    Attributes:
        root: The package's folder, or the one file.
    """

    root: Path
    _read: dict[Path, Module] = field(default_factory=dict)

    @property
    def entry(self) -> Path:
        """The file that is run when the plugin is imported."""
        return self.root / "__init__.py" if self.root.is_dir() else self.root

    def read(self, file: Path) -> Module:
        """Read one file.

        Raises:
            SourceInvalid: It cannot be read, or is not Python; names file and line.
        """
        if file not in self._read:
            module = Module(file, self, self._parse(file))
            self._read[file] = module
            _bind(module)
        return self._read[file]

    def shown(self, file: Path) -> str:
        """A file's name as problems tell it: from the plugin's own name on."""
        return file.relative_to(self.root.parent).as_posix()

    def find(self, file: Path, level: int, module: str, name: str) -> Import:
        """What `from <level dots><module> import <name>` in a file of the package means."""
        folder = file.parent
        for _ in range(level - 1):
            folder = folder.parent
        parts = [part for part in module.split(".") if part]
        if level == 0:
            folder, parts = self.root, parts[1:]
        inside = self.root.is_dir() and folder.is_relative_to(self.root)
        if not inside or not all(part.isidentifier() for part in parts):
            return Import(None, name)
        if submodule := _module_file(folder.joinpath(*parts, name)):
            return Import(submodule, "")
        return Import(_module_file(folder.joinpath(*parts)), name)

    def _parse(self, file: Path) -> ast.Module:
        try:
            if file.stat().st_size > _LARGEST:
                raise SourceInvalid(f"{self.shown(file)} is too large to be read: 5 MB are the limit.")
            content = file.read_bytes()
        except OSError as error:
            raise SourceInvalid(f"{self.shown(file)} cannot be read: {error.strerror}.") from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(content)
        except SyntaxError as error:
            place = f"{self.shown(file)}, line {error.lineno or 1}"
            detail = (
                f"{(error.text or '').rstrip()}\n{' ' * ((error.offset or 1) - 1)}^" if error.text else ""
            )
            raise SourceInvalid(f"{place}: {error.msg}.", detail=detail) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise SourceInvalid(f"{self.shown(file)} is not Python: {error}.") from error


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements that run when a module is imported, those under conditions included."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from statements(getattr(statement, name, []))
            for handler in getattr(statement, "handlers", []):
                yield from statements(handler.body)


def assigned(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """The one name that a statement binds, and to what, or None."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
    return None


def bound_names(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds by itself, without those of the statements in it."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            yield from _names_in(targets)
        case (
            ast.AugAssign(target=target)
            | ast.For(target=target)
            | ast.AnnAssign(target=target, value=ast.expr())
        ):
            yield from _names_in([target])
        case ast.With(items=items):
            yield from _names_in([item.optional_vars for item in items if item.optional_vars])


def _names_in(targets: Iterable[ast.expr]) -> Iterator[str]:
    for target in targets:
        yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _bind(module: Module) -> None:
    """Find what the module's names stand for; one that is bound twice or under a condition is not known."""
    at_top = set(map(id, module.tree.body))
    bound: set[str] = set()
    for statement in statements(module.tree.body):
        names = list(bound_names(statement))
        for name in names:
            module.constants.pop(name, None)
            module.imports.pop(name, None)
        if isinstance(statement, ast.ImportFrom):
            _bind_import(module, statement, bound)
        elif (pair := assigned(statement)) and id(statement) in at_top and pair[0] not in bound:
            module.constants[pair[0]] = pair[1]
        bound.update(names)


def _bind_import(module: Module, statement: ast.ImportFrom, bound: Collection[str]) -> None:
    named = statement.module or ""
    if statement.level == 0 and named.partition(".")[0] != module.plugin.root.name:
        return
    for alias in statement.names:
        name = alias.asname or alias.name
        found = module.plugin.find(module.file, statement.level, named, alias.name)
        if found.file is not None and found.file != module.file:
            module.used.append(found.file)
        if name not in bound:
            module.imports[name] = found


def _module_file(place: Path) -> Path | None:
    choices = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((choice for choice in choices if choice.is_file()), None)
