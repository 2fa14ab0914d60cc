"""Putting distributions into a fresh environment, and asking uv about them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from treadle.collect.index import index_options, wheels_first
from treadle.collect.uv import Uv, UvFailed
from treadle.errors import BuildFailed

_COMPLAINT = re.compile(r"^The package `[^`]+` requires `([^`]+)`", re.MULTILINE)
_FOUND = re.compile(r"^Found \d+ incompatibilit", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Installer:
    """Runs uv on one environment that is being built.

    Attributes:
        environment: Its folder.
        uv: How uv is run.
    """

    environment: Path
    uv: Uv

    def create(self, python: Path) -> None:
        """Make the environment, empty, on an interpreter; it may be renamed afterwards.

        Raises:
            BuildFailed: It is no interpreter that can be used.
        """
        fresh = ["--no-project", "--relocatable", "--python", str(python)]
        self._run(["venv", *fresh, str(self.environment)])

    def install(
        self, locked: Path, *, builds: Collection[str], meanwhile: AbstractContextManager[None]
    ) -> None:
        """Install what a lock says, and nothing else; nothing is compiled.

        Args:
            locked: File of the lock.
            builds: Distributions that may be built if they have no wheel.
            meanwhile: Entered while distributions are fetched, if some are.

        Raises:
            BuildFailed: Something could not be fetched or built, or fits its hash no more.
        """
        where = index_options(self.uv.settings)
        sync = ["pip", "sync", "--require-hashes", *where, *self._python]
        if "--offline" not in where and self._install_from_cache([*sync, str(locked)]):
            return
        try:
            with meanwhile:
                wheels_first(
                    lambda options: self.uv.run(
                        [*sync, *options, str(locked)], folder=self.environment.parent
                    ),
                    builds,
                )
        except UvFailed as error:
            raise _failed(sync, error) from error

    def _install_from_cache(self, sync: Sequence[str]) -> bool:
        """Install if uv has everything, without a question to the index; return whether that was so."""
        lines: list[str] = []
        heard = replace(self.uv, progress=replace(self.uv.progress, log=lines.append))
        try:
            heard.run([*sync, "--only-binary", ":all:", "--offline"], folder=self.environment.parent)
        except UvFailed:
            return False  # the same again with the index tells what is wrong, if anything is
        for line in lines:
            self.uv.progress.log(line)
        return True

    def check(self, *, overridden: Collection[str]) -> None:
        """Check that what is installed has what it requires.

        Args:
            overridden: Normalised names of distributions whose versions were forced on those that need them.

        Raises:
            BuildFailed: Something contradicts the rest.
        """
        command = ["pip", "check", *self._python]
        try:
            self.uv.run(command, folder=self.environment.parent)
        except UvFailed as error:
            if not only_about(error.words, overridden):
                raise _failed(command, error) from error

    def freeze(self) -> str:
        """All that is installed, a line each."""
        return self._run(["pip", "freeze", *self._python])

    def tree(self) -> str:
        """What is installed, by what needs it."""
        return self._run(["pip", "tree", *self._python])

    @property
    def _python(self) -> list[str]:
        return ["--python", str(self.environment / "bin" / "python")]

    def _run(self, command: Sequence[str]) -> str:
        try:
            return self.uv.run(command, folder=self.environment.parent)
        except UvFailed as error:
            raise _failed(command, error) from error


def only_about(words: str, names: Collection[str]) -> bool:
    """Whether all that uv complains of is that some distributions are not as others require them.

    Args:
        words: What `uv pip check` said.
        names: Normalised names of those distributions.
    """
    found = [_name(requirement) for requirement in _COMPLAINT.findall(words)]
    return bool(found) and _FOUND.search(words) is not None and set(found) <= set(names)


def _name(requirement: str) -> str | None:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return None


def _failed(command: Sequence[str], error: UvFailed) -> BuildFailed:
    if error.unreachable:
        return BuildFailed(
            "The package index did not serve the packages of the environment.",
            remedy="Check the network, and UV_DEFAULT_INDEX if the index is not the public one.",
            detail=error.words,
        )
    shown = " ".join(command[:2]) if command[0] == "pip" else command[0]
    return BuildFailed(f"The environment could not be built: `uv {shown}` failed.", detail=error.words)
