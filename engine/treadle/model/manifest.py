"""Manifests: what a task package says it offers (Fractal 1.1)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, ValidationError

from treadle.errors import ManifestInvalid
from treadle.model.constrained import JsonObject, Schema, Text, Types, Value
from treadle.model.problems import found, listed, problem, problems_of
from treadle.model.task import Part, Task, TaskPart, TaskType, infer_type

_VERSION = "2"
_REFUSED_CHARACTERS = frozenset("`#$&*()\\|[]{};<>?!")


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"must be an http or https URL, found {text!r}")
    return text


def _relative_path(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"must be a path inside the package's root, found {text!r}")
    refused = sorted(_REFUSED_CHARACTERS & set(text))
    if refused:
        raise ValueError(f"must not hold {' '.join(refused)}, found {text!r}")
    return text


def _unique(texts: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({text for text in texts if texts.count(text) > 1})
    if repeated:
        raise ValueError(f"names {', '.join(map(repr, repeated))} more than once")
    return texts


Executable = Annotated[Text, AfterValidator(_relative_path)]


class ManifestTask(Value):
    """One entry of `task_list`, field by field."""

    model_config = ConfigDict(extra="ignore")

    name: Text
    executable_non_parallel: Executable | None = None
    executable_parallel: Executable | None = None
    type: TaskType | None = None
    input_types: Types = Field(default_factory=dict)
    output_types: Types = Field(default_factory=dict)
    meta_non_parallel: JsonObject = Field(default_factory=dict)
    meta_parallel: JsonObject = Field(default_factory=dict)
    args_schema_non_parallel: Schema | None = None
    args_schema_parallel: Schema | None = None
    docs_info: str | None = None
    docs_link: Annotated[Text, AfterValidator(_web_address)] | None = None
    category: Text | None = None
    modality: Text | None = None
    tags: Annotated[tuple[Text, ...], AfterValidator(_unique)] = ()
    pure: StrictBool = False

    def parts(self) -> dict[Part, TaskPart]:
        """Return the parts that have an executable."""
        found_parts = {}
        if self.executable_non_parallel is not None:
            found_parts[Part.NON_PARALLEL] = TaskPart(
                executable=self.executable_non_parallel,
                meta=self.meta_non_parallel,
                args_schema=self.args_schema_non_parallel,
            )
        if self.executable_parallel is not None:
            found_parts[Part.PARALLEL] = TaskPart(
                executable=self.executable_parallel,
                meta=self.meta_parallel,
                args_schema=self.args_schema_parallel,
            )
        return found_parts


class Manifest(Value):
    """A manifest of version 2; `parse_manifest` makes it, and checks the rules between fields too."""

    model_config = ConfigDict(extra="ignore")

    manifest_version: Literal["2"]
    task_list: tuple[ManifestTask, ...]
    has_args_schemas: StrictBool = False
    args_schema_version: str | None = None
    authors: Text | None = None

    def tasks(self, package: str, version: str) -> tuple[Task, ...]:
        """Return the tasks of one version of a package, in the manifest's order."""
        return tuple(self._task(entry, package, version) for entry in self.task_list)

    def executables(self) -> tuple[str, ...]:
        """Return the paths of all executables, relative to the package's root, each once."""
        return tuple(
            dict.fromkeys(
                part.executable
                for entry in self.task_list
                for part in entry.parts().values()
                if part.executable is not None
            )
        )

    def _task(self, entry: ManifestTask, package: str, version: str) -> Task:
        parts = entry.parts()
        return Task(
            package=package,
            version=version,
            name=entry.name,
            type=entry.type or infer_type(parts),
            non_parallel=parts.get(Part.NON_PARALLEL),
            parallel=parts.get(Part.PARALLEL),
            input_types=entry.input_types,
            output_types=entry.output_types,
            args_schema_version=self.args_schema_version if self.has_args_schemas else None,
            docs_info=entry.docs_info,
            docs_link=entry.docs_link,
            category=entry.category,
            modality=entry.modality,
            tags=entry.tags,
            pure=entry.pure,
            authors=self.authors,
        )


def parse_manifest(text: str, package: str) -> Manifest:
    """Read the manifest of a package.

    Args:
        text: Content of its `__FRACTAL_MANIFEST__.json`.
        package: Name of the package, for error messages.

    Raises:
        ManifestInvalid: Names the package, and every problem with its place.
    """
    data = _load(text, package)
    problems = [*_rule_problems(data)]
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        problems = problems_of(error) + problems
    if problems:
        raise ManifestInvalid(listed(f"The manifest of {package} is not valid", problems))
    return manifest


def _load(text: str, package: str) -> dict[str, object]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ManifestInvalid(f"The manifest of {package} is not JSON: {error.msg} ({where}).") from error
    if not isinstance(data, dict):
        raise ManifestInvalid(f"The manifest of {package} must be an object, found {found(data)}.")
    version = data.get("manifest_version", _VERSION)
    if version != _VERSION:
        spelled = found(version) if isinstance(version, dict | list) else json.dumps(version)
        old = ", the old generation, which is not supported" if version == "1" else ""
        raise ManifestInvalid(
            f'The manifest of {package} has version {spelled}{old}; only version "{_VERSION}" can be read.',
            remedy="Collect a version of the package whose manifest is of that version.",
        )
    return data


def _rule_problems(data: Mapping[str, object]) -> Iterator[str]:
    """Check the rules between fields on the raw data, so that a bad field elsewhere hides none of them."""
    entries = data.get("task_list")
    names: dict[str, int] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if not isinstance(entry, dict):
            continue
        within = f"task_list[{index}]"
        name = entry.get("name")
        if isinstance(name, str) and names.setdefault(name.strip(), index) != index:
            yield problem(
                ["name"], f"{name.strip()!r} is that of task_list[{names[name.strip()]}] too", within
            )
        yield from _part_problems(entry, within, schemas_needed=data.get("has_args_schemas") is True)


def _part_problems(entry: Mapping[str, object], within: str, *, schemas_needed: bool) -> Iterator[str]:
    present = {part for part in Part if entry.get(f"executable_{part}") is not None}
    if not present:
        yield problem([], "must have executable_non_parallel, executable_parallel or both", within)
    for part in Part:
        schema = entry.get(f"args_schema_{part}")
        if part in present and schemas_needed and schema is None:
            yield problem([f"args_schema_{part}"], "is required, as has_args_schemas is true", within)
        if part not in present and schema is not None:
            yield problem([f"args_schema_{part}"], f"must be null, as there is no executable_{part}", within)
        if part not in present and entry.get(f"meta_{part}"):
            yield problem([f"meta_{part}"], f"must be empty, as there is no executable_{part}", within)
    kind = entry.get("type")
    if present and isinstance(kind, str) and kind in set(TaskType):
        for part in sorted(TaskType(kind).parts - present):
            yield problem(["type"], f"{kind} needs executable_{part}, which is missing", within)
