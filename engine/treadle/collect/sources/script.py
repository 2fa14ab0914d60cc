"""Scripts that say inline what they need (PEP 723), and which of their functions are tasks."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from treadle.errors import SourceInvalid

_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The reference expression of PEP 723."""
_NAME = re.compile(r"[A-Z0-9]([A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE)
_TASK_NAME = re.compile(r"[^\s=\[\]#;:][^=\[\]#;:\n]*")
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_EXAMPLE = '# [tool.treadle.tasks]\n# "Measure areas" = "measure_areas"'
_FORM = "Begin it with `# /// script`, `# dependencies = []` and `# ///`, each on its own line."
_RENAME = "Rename the file, or add `name` below [tool.treadle]."


@dataclass(frozen=True, slots=True)
class Script:
    """What a script says of itself.

    Attributes:
        name: Normalised name of the distribution that it becomes.
        version: Its version as PEP 440 writes it.
        module: Name of the module.
        requires: What it depends on, as PEP 508 writes it.
        requires_python: Which versions of Python it runs on; empty: any.
        tasks: Functions by the names of their tasks; empty: those that are marked.
    """

    name: str
    version: str
    module: str
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)


def parse_script(text: str, file: Path) -> Script:
    """Read the inline metadata of a script, and look for its task functions; nothing of it is run.

    Args:
        text: The script.
        file: Where it is: its stem is the name that it has by default.

    Raises:
        SourceInvalid: Something is not as it has to be; names the line.
    """
    block = _Block.find(text, file)
    table = block.parse()
    treadle = block.table(block.table(table, "tool"), "treadle")
    name = block.text(treadle, "name") or file.stem
    if not _NAME.fullmatch(name):
        raise block.error(
            f"{name!r} is no name of a package", "name", 'Add `name = "…"` below [tool.treadle].'
        )
    script = Script(
        name=canonicalize_name(name),
        version=block.version(treadle),
        module=re.sub(r"\W", "_", file.stem),
        requires=block.requirements(table),
        requires_python=block.specifier(table),
        tasks=block.tasks(treadle),
    )
    if script.name in {canonicalize_name(Requirement(line).name) for line in script.requires}:
        raise block.error(f"it has the name of its own dependency {script.name}", script.name, _RENAME)
    if "sources" in block.table(block.table(table, "tool"), "uv"):
        raise block.error(
            "[tool.uv.sources] is not followed",
            "tool.uv.sources",
            "Write the address among the dependencies: name @ git+https://host/path@ref.",
        )
    _check_functions(script, text, file)
    return script


@dataclass(frozen=True, slots=True)
class _Block:
    """The metadata block of a script, and where it begins."""

    file: Path
    content: str
    first_line: int

    @classmethod
    def find(cls, text: str, file: Path) -> _Block:
        blocks = [found for found in _BLOCK.finditer(text) if found["type"] == "script"]
        if len(blocks) != 1:
            found = f"{len(blocks)} blocks" if blocks else "no block"
            raise SourceInvalid(f"{file} has {found} of inline metadata (PEP 723).", remedy=_FORM)
        lines = blocks[0]["content"].splitlines()
        content = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
        return cls(file, content, text.count("\n", 0, blocks[0].start()) + 2)

    def error(self, what: str, near: str, remedy: str = "Mend it.") -> SourceInvalid:
        lines = self.content.splitlines()
        key = re.compile(rf"\s*[\"']?{re.escape(near)}[\"']?\s*=")
        named = [number for number, line in enumerate(lines) if key.match(line)]
        offset = next(iter(named + [number for number, line in enumerate(lines) if near in line]), 0)
        return SourceInvalid(f"{self.file}, line {self.first_line + offset}: {what}.", remedy=remedy)

    def parse(self) -> dict[str, object]:
        try:
            return tomllib.loads(self.content)
        except tomllib.TOMLDecodeError as error:
            place = _TOML_LINE.search(str(error))
            line = self.first_line + (int(place[1]) - 1 if place else 0)
            words = _TOML_LINE.sub("", str(error)).strip()
            raise SourceInvalid(f"{self.file}, line {line}: {words}.", remedy="It has to be TOML.") from error

    def table(self, table: Mapping[str, object], key: str) -> Mapping[str, object]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self.error(f"{key} has to be a table", key)
        return value

    def text(self, table: Mapping[str, object], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.error(f"{key} has to be a text", key)
        return value

    def version(self, treadle: Mapping[str, object]) -> str:
        text = self.text(treadle, "version") or "0"
        try:
            return str(Version(text))
        except InvalidVersion as error:
            raise self.error(f"{text!r} is no version", "version") from error

    def specifier(self, table: Mapping[str, object]) -> str:
        text = self.text(table, "requires-python")
        try:
            return str(SpecifierSet(text))
        except InvalidSpecifier as error:
            raise self.error(f"{text!r} is no range of versions", "requires-python") from error

    def requirements(self, table: Mapping[str, object]) -> tuple[str, ...]:
        found = table.get("dependencies", [])
        if not isinstance(found, list):
            raise self.error("dependencies has to be a list", "dependencies")
        for line in found:
            try:
                Requirement(line)
            except (InvalidRequirement, TypeError) as error:
                raise self.error(f"{line!r} is no requirement", str(line)) from error
        return tuple(found)

    def tasks(self, treadle: Mapping[str, object]) -> dict[str, str]:
        tasks: dict[str, str] = {}
        for name, function in self.table(treadle, "tasks").items():
            if not _TASK_NAME.fullmatch(name):
                raise self.error(f"{name!r} cannot be the name of a task", name)
            if not isinstance(function, str) or not function.isidentifier():
                raise self.error(f"the task {name!r} has to name a function", name)
            tasks[name.strip()] = function
        return tasks


def _check_functions(script: Script, text: str, file: Path) -> None:
    try:
        tree = ast.parse(text, str(file))
    except SyntaxError as error:
        raise SourceInvalid(f"{file}, line {error.lineno}: {error.msg}.", remedy="Mend it.") from error
    functions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name, function in script.tasks.items():
        if function not in functions:
            raise SourceInvalid(
                f"{file} has no function {function}, which is to be the task {name!r}.",
                remedy=f"It has {', '.join(functions) or 'none'}.",
            )
    if not script.tasks and not any(map(_is_marked, functions.values())):
        raise SourceInvalid(
            f"{file} has no tasks.",
            remedy=f"Mark one with @treadle.task, or name functions in the inline metadata:\n{_EXAMPLE}",
        )


def _is_marked(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = (node.func if isinstance(node, ast.Call) else node for node in function.decorator_list)
    return any(ast.unparse(node) in {"task", "treadle.task"} for node in decorators)
