"""Direct references among dependencies: what comes from an address becomes a wheel of ours."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from treadle.collect.credentials import without_credentials
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.sources.building import Builder, check_buildable
from treadle.collect.sources.download import wheel_from_url
from treadle.collect.sources.git_url import parse_git_url
from treadle.collect.sources.git_wheel import wheel_from_git
from treadle.collect.sources.wheels import Wheel, wheel_from_file, wheel_from_folder
from treadle.errors import SourceInvalid


@dataclass(slots=True)
class _Reference:
    url: str
    wheel: Wheel
    extras: set[str]
    asked: str


@dataclass(slots=True)
class DirectReferences:
    """The direct references that have been met while one source is prepared.

    Attributes:
        builder: How projects are built.
        local: Whether paths of this machine may be followed: they come from somebody's own folder.
    """

    builder: Builder
    local: bool
    _found: dict[str, _Reference] = field(default_factory=dict)

    def lines(self) -> tuple[str, ...]:
        """One requirement line `name[extras] @ file://…` for each, by name."""
        return tuple(found.wheel.required(sorted(found.extras)) for _, found in sorted(self._found.items()))

    def provenance(self) -> dict[str, str]:
        """Where each came from, by `dependency <name>`; without credentials."""
        return {f"dependency {name}": found.asked for name, found in sorted(self._found.items())}

    def take_locked(self, locked: str) -> str:
        """Take the references of a package's own lock; what the package itself asks for gives way to them.

        Args:
            locked: Requirement lines with markers and hashes.

        Returns:
            The other lines.

        Raises:
            SourceInvalid: A line is no requirement; or as for `follow`.
        """
        others = []
        for line in locked.splitlines():
            text, *hashes = line.split(" --hash=")
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                raise SourceInvalid(
                    f"The lock of the package has {text.strip()}, which is no requirement.", detail=str(error)
                ) from error
            if requirement.url is None:
                others.append(f"{line}\n")
            elif _applies(requirement, (), self.builder.interpreter):
                if hashes and "#" not in requirement.url:
                    requirement.url += f"#{hashes[0].strip().replace(':', '=')}"
                self._take(requirement)
        return "".join(others)

    def follow(self, wheel: Path, extras: Iterable[str]) -> None:
        """Take the references of a wheel, and those of the wheels that they lead to.

        Args:
            wheel: A wheel of ours.
            extras: Normalised extras that are asked of it.

        Raises:
            SourceInvalid: A reference that may not be followed, or leads to something else than it says.
            BuildFailed: Something could not be fetched or built.
            StorageFull: Home may not be written.
            Cancelled: The progress was told to stop.
        """
        locked = frozenset(self._found)
        before = None
        while before != self.lines():  # a wheel may ask for an extra of what another one leads to
            before = self.lines()
            self._follow(wheel, sorted(extras), locked, set())

    def _follow(
        self,
        wheel: Path,
        extras: Sequence[str],
        locked: frozenset[str],
        seen: set[tuple[Path, tuple[str, ...]]],
    ) -> None:
        if (wheel, tuple(extras)) in seen:
            return
        seen.add((wheel, tuple(extras)))
        for requirement in read_requirements(wheel):
            name = canonicalize_name(requirement.name)
            known = self._found.get(name)
            if not _applies(requirement, extras, self.builder.interpreter):
                continue
            if known is None and not requirement.url:
                continue
            if known and requirement.url and name not in locked and known.url != requirement.url:
                raise SourceInvalid(
                    f"{name} is wanted from {known.asked} and from {without_credentials(requirement.url)}.",
                    remedy="The packages' authors have to agree on one.",
                )
            found = known or self._take(requirement)
            found.extras |= {canonicalize_name(extra) for extra in requirement.extras}
            self._follow(found.wheel.path, sorted(found.extras), locked, seen)

    def _take(self, requirement: Requirement) -> _Reference:
        url = requirement.url or ""
        name = canonicalize_name(requirement.name)
        wheel, asked = self._wheel(url)
        if wheel.name != name:
            raise SourceInvalid(
                f"{asked} is the project {wheel.name}, not {name}.",
                remedy="The package's author has to mend it.",
            )
        extras = {str(canonicalize_name(extra)) for extra in requirement.extras}
        self._found[name] = _Reference(url, wheel, extras, asked)
        return self._found[name]

    def _wheel(self, url: str) -> tuple[Wheel, str]:
        if url.lower().startswith("git+"):
            place = parse_git_url(url)
            built = wheel_from_git(place, builder=self.builder)
            return built.wheel, str(place.at(built.commit))
        shown = without_credentials(urldefrag(url).url)
        parts = urlsplit(url)
        if parts.scheme == "file" and self.local:
            return self._local(Path(unquote(parts.path))), shown
        if parts.scheme in {"http", "https"} and parts.path.endswith(".whl"):
            return wheel_from_url(url, uv=self.builder.uv), shown
        raise SourceInvalid(
            f"A dependency is to come from {shown}, which is not followed.",
            remedy="Only git repositories and the addresses of wheels are; a wheel of it can be put there.",
        )

    def _local(self, path: Path) -> Wheel:
        if path.suffix == ".whl":
            return wheel_from_file(path, uv=self.builder.uv)
        check_buildable("folder", str(path), self.builder.settings)
        return wheel_from_folder(path, builder=self.builder)


def read_requirements(wheel: Path) -> list[Requirement]:
    """What a wheel says it depends on.

    Raises:
        SourceInvalid: It has no metadata, or some that cannot be understood.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            (name,) = [name for name in names if name.count("/") == 1]
            text = archive.read(name).decode("utf-8", "replace")
        found = HeaderParser().parsestr(text).get_all("Requires-Dist") or []
        return [Requirement(line) for line in found]
    except (zipfile.BadZipFile, InvalidRequirement, ValueError) as error:
        raise SourceInvalid(
            f"The metadata of {wheel.name} cannot be read.",
            remedy="The package's author has to mend it.",
            detail=str(error),
        ) from error


def _applies(requirement: Requirement, extras: Sequence[str], interpreter: Interpreter) -> bool:
    if requirement.marker is None:
        return True
    python: dict[str, str | AbstractSet[str]] = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": ".".join(interpreter.version.split(".")[:2]),
        "python_full_version": interpreter.version,
        "implementation_version": interpreter.version,
    }
    return any(requirement.marker.evaluate({**python, "extra": extra}) for extra in extras or ("",))
