"""Keys of a step's units: what they run, on what, and what that was like when it was looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote

from pydantic import JsonValue

from treadle.cache.keys.digest import Digest
from treadle.cache.keys.encoding import digest_of
from treadle.cache.keys.units import Part, Parts, argument_parts, unit_key
from treadle.cache.records import CallRecord
from treadle.compile.unit_code import UnitCode
from treadle.errors import Indigestible
from treadle.execute.fingerprints import ABSENT, Fingerprint, fingerprint
from treadle.model.plan import PlannedStep
from treadle.model.reuse import leaves_items
from treadle.model.task import Part as TaskPart
from treadle.model.units import ENGINE_ARGUMENTS, Unit

MOST_INPUTS = 64
"""Inputs that are parts of their own; more than that are one part together."""

_REMOTE = "s3://"
_FILE_URL = "file://"


@dataclass(frozen=True, slots=True)
class SealedUnit:
    """A unit whose key is fixed, and which has not begun.

    Attributes:
        unit: The unit.
        key: What its record is found by.
        items: The items that it works on.
        inputs: What was looked at, by URL: what it reads, its items among them if it leaves them as they are.
        code: The files of its program, where they count.
    """

    unit: Unit
    key: Digest
    items: tuple[str, ...]
    inputs: Mapping[str, Fingerprint]
    code: Fingerprint | None


class UnitKeys:
    """Makes the keys of one step's units.

    Where units leave their items as they are, an item counts by its fingerprint. Where they may work in
    place it does not, since it is another one afterwards; then workflow and step count too, so that a step
    that does the same to an item a second time is not taken for the first.

    Args:
        planned: The step.
        workflow: Name of the workflow.
        code: What tells the code of the step's units.
        by_content: Files count by what is in them.
    """

    def __init__(
        self, planned: PlannedStep, workflow: str, code: UnitCode, *, by_content: bool = False
    ) -> None:
        self._planned = planned
        self._workflow = workflow
        self._code = code
        self._by_content = by_content
        self._leaves_items = leaves_items(planned.task.task)
        self._shared: dict[TaskPart, tuple[Parts, Fingerprint | None, tuple[str, ...]]] = {}
        self._looked_at: dict[str, Fingerprint] = {}

    def look_again(self) -> None:
        """Forget what files looked like that several units share."""
        self._looked_at.clear()

    def prepare(self, part: TaskPart) -> None:
        """Look at what all units of a part share.

        Raises:
            Indigestible: None of them has a key: code cannot be read, or an argument names what is remote.
        """
        for path in self._shared_parts(part)[2]:
            self._shared_input(path)

    def seal(self, unit: Unit) -> SealedUnit:
        """Fix the key of a unit as everything is now.

        Raises:
            Indigestible: It has none: an input is remote, missing or cannot be read.
        """
        _, code, paths = self._shared_parts(unit.part)
        items = self._items(unit)
        inputs = {path: self._shared_input(path) for path in paths if path not in items}
        for path in _paths(unit.args.get("init_args")):
            if path not in items:
                inputs[path] = self._shared_input(path)
        if self._leaves_items:
            inputs |= {item: self._present(item) for item in items}
        elif any(item.startswith(_REMOTE) for item in items):
            raise Indigestible(f"{items[0]} is not in a file system, so nobody can tell whether it changed.")
        return SealedUnit(unit, unit_key(self._parts(unit, inputs)), items, inputs, code)

    def parts(self, sealed: SealedUnit) -> Parts:
        """Return what the key of a unit is made of, by name."""
        return self._parts(sealed.unit, sealed.inputs)

    @property
    def packages(self) -> CallRecord | None:
        """What is installed for the code, where it is no part of the environment's name."""
        return self._code.packages

    def is_same_code(self) -> bool:
        """Whether the code is what it was when the keys were made."""
        return self._code.is_unchanged()

    def is_unchanged(self, url: str, sealed: SealedUnit) -> bool:
        """Whether an input that several units share is as it was when a unit was sealed."""
        try:
            return self._shared_input(url).digest == sealed.inputs[url].digest
        except Indigestible:
            return False

    def _parts(self, unit: Unit, inputs: Mapping[str, Fingerprint]) -> Parts:
        own = {name: value for name, value in unit.args.items() if name in ENGINE_ARGUMENTS}
        return {**self._shared_parts(unit.part)[0], **argument_parts(own), **_input_parts(inputs)}

    def _shared_parts(self, part: TaskPart) -> tuple[Parts, Fingerprint | None, tuple[str, ...]]:
        if part not in self._shared:
            args = {
                name: value
                for name, value in self._planned.step.args(part).items()
                if name not in ENGINE_ARGUMENTS
            }
            of_code, code = self._code.parts(part)
            parts = {**of_code, "part": Part.of(f"{part}"), **argument_parts(args)}
            if self._by_content:
                parts["files"] = Part.of("by content")
            if not self._leaves_items:
                parts["workflow"] = Part.of(self._workflow)
                parts["step"] = Part.of(self._planned.step.name)
            self._shared[part] = (parts, code, tuple(dict.fromkeys(_paths(args))))
        return self._shared[part]

    def _shared_input(self, path: str) -> Fingerprint:
        if path not in self._looked_at:
            self._looked_at[path] = fingerprint(path, by_content=self._by_content)
        return self._looked_at[path]

    def _present(self, item: str) -> Fingerprint:
        found = fingerprint(item, by_content=self._by_content, listed=False)
        if found.digest == ABSENT:
            raise Indigestible(f"The item {item} is not there.")
        return found

    def _items(self, unit: Unit) -> tuple[str, ...]:
        if unit.zarr_url is not None:
            return (unit.zarr_url,)
        return tuple(cast("list[str]", unit.args.get("zarr_urls", ())))


def _paths(value: JsonValue) -> Iterator[str]:
    """Yield what the texts within a value name: something remote, or something that is in a file system."""
    if isinstance(value, str):
        if value.startswith(_REMOTE):
            yield value
        elif _is_there(path := _absolute(value), is_spelled_out=path == value or "/" in value):
            yield path
    elif isinstance(value, dict):
        for member in value.values():
            yield from _paths(member)
    elif isinstance(value, list):
        for member in value:
            yield from _paths(member)


def _absolute(text: str) -> str:
    """Return the path that a text may be; functions run in the folder that the run was started from."""
    if text.startswith(_FILE_URL):
        return unquote(text.removeprefix(_FILE_URL))
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - called for arguments of every unit


def _is_there(path: str, *, is_spelled_out: bool) -> bool:
    """Whether there is something; a folder only where it is not named by what may be just a word."""
    return os.path.lexists(path) if is_spelled_out else os.path.isfile(path)  # noqa: PTH113 - see above


def _input_parts(inputs: Mapping[str, Fingerprint]) -> dict[str, Part]:
    if len(inputs) <= MOST_INPUTS:
        return {f"input {url}": Part.digested(found.digest, _text(found)) for url, found in inputs.items()}
    together: JsonValue = {url: found.digest for url, found in inputs.items()}
    return {"inputs": Part(digest_of(together), f"{len(inputs)} inputs")}


def _text(found: Fingerprint) -> str:
    files = "nothing" if found.digest == ABSENT else f"{found.number} of {found.size} bytes"
    return f"{files}, {found.digest[:12]}"
