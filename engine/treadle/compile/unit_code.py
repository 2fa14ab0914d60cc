"""What tells the code that a step's units run, beyond the name of their environment.

An environment that Treadle built is named by its content, so that its name says it all. Where the code is
somebody's own files, or the engine's, their content is a part of each unit's key: of a function, its module
and those that it imports and nobody installed; else all sources below the package's folder.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from treadle.cache.keys.units import Part
from treadle.cache.records import CallRecord
from treadle.compile.unit_packages import packages_record
from treadle.errors import Indigestible
from treadle.execute.fingerprints import Fingerprint, of_contents
from treadle.execute.imported import Stamp, stamp_of
from treadle.ledger import Ledger
from treadle.ledger.packages import find_package
from treadle.model.task import InstalledTask
from treadle.model.task import Part as TaskPart

CHANGING = frozenset({"editable", "custom", "python", "plugin"})
"""Origins of packages whose code may change under the name of an environment."""

SUFFIXES = frozenset({".py", ".pyx", ".so", ".sh", ".R", ".jl", ".json", ".toml", ".yaml", ".yml"})
"""Files that count as code, wherever they are."""

MOST_DATA_BYTES = 1_000_000
"""Of files of a Python package that are no code and have more, the content is not read."""

MOST_SOURCES = 10_000
_NOT_LOOKED_AT = sys.stdlib_module_names | {"treadle"}
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_METADATA = ("*.dist-info", "*.egg-info")
_NO_SOURCES = frozenset({"__pycache__"})
_NO_PACKAGES = frozenset({"node_modules", "build", "dist", "venv", "site-packages"})


class UnitCode:
    """The code of one step's units.

    Args:
        ledger: Where the task's package is recorded.
        task: The task.
    """

    def __init__(self, ledger: Ledger, task: InstalledTask) -> None:
        self._task = task
        with ledger.reading() as tx:
            package = find_package(tx, task.task.package, task.task.version)
        self._stamps: dict[Path, Stamp] = {}
        self._packages: CallRecord | None = None
        self._origin = package.origin if package else "custom"
        self._source = Path(package.source if package and self._origin == "editable" else task.installed.root)

    def parts(self, part: TaskPart) -> tuple[dict[str, Part], Fingerprint | None]:
        """Return what the code of one part of the task adds to keys, and its files where they count.

        Raises:
            Indigestible: The files cannot be read, or are too many.
        """
        found = self._task.task.part(part)
        parts = {
            "environment": Part.of(self._task.installed.environment),
            "task": Part.of(self._task.task.name),
            "program": Part.of(found.function or found.executable),
        }
        if self._origin not in CHANGING:
            return parts, None
        try:
            if found.function is not None:
                sources = _of_function(found.function, found.folder)
            else:
                sources = {str(path.relative_to(self._source)): path for path in _below(self._source)}
            self._stamps |= {path: stamp_of(path) for path in sources.values()}
            code = of_contents({name: _content(path) for name, path in sources.items()})
            packages = _distributions(Path(self._task.installed.python))
            installed = of_contents(dict.fromkeys(packages, b""))
        except OSError as error:
            raise Indigestible(f"The code of the task cannot be read: {error}.") from error
        parts["code"] = Part.digested(code.digest, code.number)
        parts["packages"] = Part.digested(installed.digest, f"{installed.files} packages")
        self._packages = packages_record(parts["packages"].digest, packages)
        return parts, code

    @property
    def packages(self) -> CallRecord | None:
        """What was installed when the parts were made; None where the environment's name tells that."""
        return self._packages

    def is_unchanged(self) -> bool:
        """Whether no file that counts was changed since its content was read."""
        return all(stamp == stamp_of(path) for path, stamp in self._stamps.items())


def _below(folder: Path) -> Iterator[Path]:
    """Yield the sources below a folder; all files of the Python packages there, and what looks like code."""
    number = 0
    packages: set[str] = set()
    for root, folders, files in os.walk(folder):
        if "__init__.py" in files or os.path.dirname(root) in packages:  # noqa: PTH120 - for many folders
            packages.add(root)
        skipped = _NO_SOURCES if root in packages else _NO_SOURCES | _NO_PACKAGES
        folders[:] = [name for name in folders if not name.startswith(".") and name not in skipped]
        for name in files:
            if root in packages or Path(name).suffix in SUFFIXES:
                number += 1
                if number > MOST_SOURCES:
                    raise Indigestible(f"{folder} has more than {MOST_SOURCES:,} source files.")
                yield Path(root, name)


def _content(path: Path) -> bytes:
    """Return what a file counts by: what is in it or, of large data, its size and when it was changed."""
    if path.suffix not in SUFFIXES and path.stat().st_size > MOST_DATA_BYTES:
        return repr(stamp_of(path)).encode()
    return path.read_bytes()


def _distributions(python: Path) -> list[str]:
    """Return what is installed for an interpreter, by its version and the names of folders of metadata."""
    prefix = Path(sys.prefix) if str(python) == sys.executable else python.parent.parent
    folders = [*prefix.glob("lib/python*/site-packages"), *prefix.glob("lib/python*/dist-packages")]
    found = [path for folder in folders for kind in _METADATA for path in folder.glob(kind)]
    return [f"{path.parent.parent.name}/{path.name}" for path in found]


def _of_function(function: str, folder: str | None) -> dict[str, Path]:
    """Return the files of a function's module and of those that it imports and no package installed.

    Of a function in an installed package these are the package's own.
    """
    module = function.partition(":")[0]
    own = module.partition(".")[0]
    roots: dict[str, Path | None] = {own: Path(folder) if folder else _folder_of(module)}
    sources: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in sources or (folder is None and top != own):
            continue
        if top not in roots:
            roots[top] = _root_of(top, beside=folder)
        root = roots[top]
        path = None if root is None else _file_of(name, root)
        if path is None:
            continue
        sources[name] = path
        if len(sources) > MOST_SOURCES:
            raise Indigestible(f"The function {function} imports more than {MOST_SOURCES:,} modules.")
        waiting += _imports(path, name)
        waiting += [name.rsplit(".", count)[0] for count in range(1, name.count(".") + 1)]
    if module not in sources:
        raise Indigestible(f"The source of {function} is not in {roots[own]}.")
    return sources


def _root_of(top: str, *, beside: str | None) -> Path | None:
    """Return the folder that a package or module is imported from; None for those that are installed."""
    if beside is not None and (_file_of(top, Path(beside)) or Path(beside, top).is_dir()):
        return Path(beside)
    if top in _NOT_LOOKED_AT:
        return None
    try:
        root = _folder_of(top)
    except (Indigestible, ImportError, ValueError):
        return None
    return None if _INSTALLED & {*root.parts} else root


def _folder_of(module: str) -> Path:
    spec = find_spec(module.partition(".")[0])
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin)
        return file.parent.parent if file.name == "__init__.py" else file.parent
    places = [] if spec is None else [Path(place).parent for place in spec.submodule_search_locations or ()]
    found = next((place for place in places if _file_of(module, place) is not None), None)
    if found is None:
        raise Indigestible(f"The source of the module {module} cannot be found.")
    return found


def _file_of(module: str, root: Path) -> Path | None:
    place = root.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imports(path: Path, module: str) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise Indigestible(f"{path} is no Python: {error.msg}.") from error
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            base = ".".join([*filter(None, above), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
