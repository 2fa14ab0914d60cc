"""Where a project of uv takes its dependencies from, besides an index (`[tool.uv.sources]`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


def source_lines(pyproject: Mapping[str, object]) -> list[str]:
    """Requirement lines for what a project takes from elsewhere than an index; its wheel does not tell.

    An index that is named there does not count: which indexes are asked is up to whoever collects.

    Args:
        pyproject: Content of a pyproject.toml.

    Returns:
        `name @ address` for git and archives, and `./folder` for other folders.
    """
    sources = _table(_table(_table(pyproject, "tool"), "uv"), "sources")
    wanted = set(_dependencies(_table(pyproject, "project")))
    lines = []
    for name, value in sources.items():
        if canonicalize_name(name) in wanted:
            entries = value if isinstance(value, list) else [value]
            lines += [line for entry in entries if isinstance(entry, dict) for line in _lines(name, entry)]
    return lines


def _lines(name: str, entry: Mapping[str, object]) -> Iterator[str]:
    marker = f" ; {entry['marker']}" if "marker" in entry else ""
    folder = f"#subdirectory={quote(str(entry['subdirectory']))}" if "subdirectory" in entry else ""
    if "git" in entry:
        ref = next((f"@{entry[key]}" for key in ("rev", "tag", "branch") if key in entry), "")
        yield f"{name} @ git+{entry['git']}{ref}{folder}{marker}"
    elif "url" in entry:
        yield f"{name} @ {entry['url']}{folder}{marker}"
    elif "path" in entry:
        yield f"./{entry['path']}"
    elif entry.get("workspace"):
        yield f"./{name} (of its workspace)"


def _dependencies(project: Mapping[str, object]) -> Iterator[str]:
    optional = _table(project, "optional-dependencies").values()
    for group in (project.get("dependencies"), *optional):
        for line in group if isinstance(group, list) else ():
            try:
                yield canonicalize_name(Requirement(str(line)).name)
            except InvalidRequirement:
                continue  # its build says so better


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}
