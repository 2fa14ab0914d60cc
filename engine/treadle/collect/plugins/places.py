"""Where plugins may be: the folders and the git lines of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from treadle.collect.plugins.checkouts import check_out
from treadle.collect.plugins.git_lines import GitLine, parse_git_lines
from treadle.collect.plugins.reading import Problem
from treadle.collect.progress import Progress
from treadle.errors import CollectError, SourceInvalid
from treadle.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or file that may hold plugins.

    Attributes:
        origin: What led to it: an absolute path, or a git line without credentials.
        path: Where its files are.
        line: The git line, if it is in git.
        commit: The commit, if it is in git.
        root: The folder of the whole repository, if it is in git.
    """

    origin: str
    path: Path
    line: GitLine | None = None
    commit: str = ""
    root: Path | None = None

    def location(self, path: Path) -> str:
        """What an entry is called that no other has."""
        if self.line is None or self.root is None:
            return str(path)
        return self.line.at(self.commit, path.relative_to(self.root).as_posix())

    def provenance(self, path: Path) -> Mapping[str, str]:
        """Where exactly an entry comes from."""
        if self.line is None or self.root is None:
            return {}
        return {
            "url": self.line.place.public_url,
            "ref": self.line.place.ref or "",
            "commit": self.commit,
            "subdirectory": path.relative_to(self.root).as_posix(),
        }

    def boundary(self, path: Path) -> Path:
        """The folder that no link in an entry may lead out of.

        Whoever may write a folder of plugins may put links to plugins there; a repository leads nowhere else.

        Raises:
            SourceInvalid: The entry itself leads out of its repository.
        """
        if self.root is None:
            return path.resolve() if path.is_symlink() else self.path
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise SourceInvalid(f"{self.location(path)} is a link out of the repository.")
        return self.root


@dataclass(frozen=True, slots=True)
class PlaceProblem:
    """A place that could not be looked into.

    Attributes:
        origin: What led to it.
        problem: Why not.
        missing: Whether it is merely a folder that is not there.
    """

    origin: str
    problem: Problem
    missing: bool = False


@dataclass(slots=True)
class Places:
    """All places, and those that could not be had."""

    found: list[Place] = field(default_factory=list)
    problems: list[PlaceProblem] = field(default_factory=list)


def find_places(settings: Settings, progress: Progress) -> Places:
    """Find the places that the settings name; what is in git is fetched.

    A place that cannot be had hinders no other.

    Raises:
        StorageFull: The folder of checkouts may not be written.
        Cancelled: The progress was told to stop.
    """
    places = Places()
    for folder in dict.fromkeys(settings.plugin_folders):
        if folder.exists():
            places.found.append(Place(str(folder), folder))
        else:
            what = f"There is no folder {folder}."
            problem = Problem(what=what, remedy="Make it, or take it out of plugin_folders.")
            places.problems.append(PlaceProblem(str(folder), problem, missing=True))
    lines, bad = parse_git_lines(settings.git_plugins)
    for wrong in bad:
        problem = Problem(what=f"Line {wrong.number} of git_plugins, {wrong.text}: {wrong.problem}")
        places.problems.append(PlaceProblem(wrong.text, problem))
    for line in lines:
        try:
            places.found.append(_in_git(line, settings, progress))
        except CollectError as error:
            problem = Problem.of(error)
            problem = problem.model_copy(
                update={"what": f"Line {line.number} of git_plugins: {problem.what}"}
            )
            places.problems.append(PlaceProblem(str(line), problem))
    return places


def _in_git(line: GitLine, settings: Settings, progress: Progress) -> Place:
    checkout = check_out(line.place, settings=settings, progress=progress)
    path = checkout.folder / line.place.subdirectory
    if not path.exists() or not path.resolve().is_relative_to(checkout.folder.resolve()):
        what = line.at(checkout.commit, line.place.subdirectory)
        raise SourceInvalid(f"{what} names nothing in the repository.")
    return Place(str(line), path, line, checkout.commit, checkout.folder)
