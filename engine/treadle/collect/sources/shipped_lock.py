"""The lock that a project ships, uv.lock or pylock.toml (PEP 751), as requirement lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.utils import canonicalize_name

from treadle.collect.sources.building import Builder
from treadle.collect.sources.uv_sources import source_lines
from treadle.collect.uv import UvFailed
from treadle.errors import SourceInvalid

_CONTINUED = re.compile(r"\\\n\s*")
_PATH = re.compile(r"(-e\s|\.{0,2}/|[^@;\s]+\s*@\s*file:)")
_OPTIONS = {
    "resolution-mode": "--resolution",
    "prerelease-mode": "--prerelease",
    "fork-strategy": "--fork-strategy",
    "exclude-newer": "--exclude-newer",
}
"""What a uv.lock was made with that uv would otherwise take from a user's configuration."""
_EXPORT = ("export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate", "--quiet")


def read_shipped_lock(project: Path, *, builder: Builder, shown: str) -> str:
    """Read what a project's own lock says, and nothing of the project is run.

    One without a lock may at least say where some dependencies come from, in `[tool.uv.sources]`.

    Args:
        project: Folder of the project.
        builder: Its interpreter is the one that the lock must serve.
        shown: What errors call the project.

    Returns:
        Requirement lines with markers and hashes: `name==version`, or `name @ address` of git or of a wheel.

    Raises:
        SourceInvalid: The lock cannot be read, does not fit the project any more, or leads to other folders.
    """
    if (project / "uv.lock").is_file():
        name, lines = "uv.lock", _from_uv(project, builder, shown)
    elif (project / "pylock.toml").is_file():
        name, lines = "pylock.toml", _from_pylock(project, shown)
    else:
        name, lines = "pyproject.toml", source_lines(_document(project / "pyproject.toml", shown))
    for line in lines:
        if _PATH.match(line):
            raise SourceInvalid(
                f"The {name} of {shown} takes a dependency from a folder: {line}.",
                remedy="Let the project name it by a git address, or publish it.",
            )
    return "".join(f"{line}\n" for line in lines)


def _from_uv(project: Path, builder: Builder, shown: str) -> list[str]:
    document = _document(project / "uv.lock", shown)
    python = ["--python", str(builder.interpreter.path)]
    if not _has_dynamic_dependencies(project, shown):
        check = ["lock", "--check", "--offline", "--no-build", *python, *_made_with(document)]
        try:
            builder.uv.run(check, folder=project)
        except UvFailed as error:
            raise SourceInvalid(
                f"The uv.lock of {shown} does not fit its pyproject.toml.",
                remedy="Run `uv lock` there, or leave the lock out.",
                detail=error.words,
            ) from error
    form = ["--format", "requirements.txt", *python]
    try:
        text = builder.uv.run([*_EXPORT, "--all-extras", *form], folder=project)
    except UvFailed as error:
        raise SourceInvalid(
            f"The uv.lock of {shown} cannot be used on Python {builder.interpreter.version}.",
            remedy="Choose another Python, or leave the lock out.",
            detail=error.words,
        ) from error
    lines = _CONTINUED.sub("", text).splitlines()
    return [line.replace("--hash", " --hash") for line in map(str.strip, lines) if line]


def _made_with(document: Mapping[str, object]) -> Iterator[str]:
    """Options that let uv judge a lock as those did who made it, whatever indexes are used here."""
    options = document.get("options")
    if isinstance(options, dict):
        for name, option in _OPTIONS.items():
            if isinstance(value := options.get(name), str):
                yield from (option, value)
    packages = document.get("package")
    sources = [package.get("source", {}) for package in packages] if isinstance(packages, list) else []
    indexes = sorted({source["registry"] for source in sources if isinstance(source.get("registry"), str)})
    for number, index in enumerate(indexes):
        yield from ("--index" if number else "--default-index", index)


def _has_dynamic_dependencies(project: Path, shown: str) -> bool:
    """Whether only the project's build code knows what it needs, so that the lock cannot be checked."""
    table = _document(project / "pyproject.toml", shown).get("project")
    dynamic = table.get("dynamic", []) if isinstance(table, dict) else []
    return "dependencies" in dynamic or "optional-dependencies" in dynamic


def _from_pylock(project: Path, shown: str) -> list[str]:
    try:
        lock = Pylock.from_dict(_document(project / "pylock.toml", shown))
    except PylockValidationError as error:
        raise SourceInvalid(
            f"The pylock.toml of {shown} is not as PEP 751 says.",
            remedy="Make it anew, such as with `uv export --format pylock.toml`.",
            detail=str(error),
        ) from error
    own = _project_name(project, shown)
    return [_pylock_line(package) for package in lock.packages if package.name != own]


def _pylock_line(package: Package) -> str:
    marker = f" ; {package.marker}" if package.marker is not None else ""
    if package.vcs is not None:
        address = package.vcs.url or package.vcs.path or ""
        folder = f"#subdirectory={package.vcs.subdirectory}" if package.vcs.subdirectory else ""
        return f"{package.name} @ {package.vcs.type}+{address}@{package.vcs.commit_id}{folder}{marker}"
    if package.directory is not None:
        return f"./{package.directory.path}"
    if package.archive is not None:
        address = package.archive.url or f"./{package.archive.path}"
        return f"{package.name} @ {address}{marker}{_hashes([package.archive.hashes])}"
    hashes = [wheel.hashes for wheel in package.wheels or []]
    if package.sdist is not None:
        hashes.append(package.sdist.hashes)
    return f"{package.name}=={package.version}{marker}{_hashes(hashes)}"


def _hashes(found: Sequence[Mapping[str, str]]) -> str:
    return "".join(f" --hash={name}:{value}" for hashes in found for name, value in sorted(hashes.items()))


def _project_name(project: Path, shown: str) -> str:
    table = _document(project / "pyproject.toml", shown).get("project")
    name = table.get("name") if isinstance(table, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else ""


def _document(file: Path, shown: str) -> dict[str, object]:
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceInvalid(
            f"The {file.name} of {shown} cannot be read: {error}.", remedy="Mend it."
        ) from error
    except OSError as error:
        raise SourceInvalid(f"The {file.name} of {shown} cannot be read: {error.strerror}.") from error
