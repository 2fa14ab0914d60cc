"""Wheels of projects in git repositories, one for each commit, folder and Python."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.sources.building import Builder, check_buildable
from treadle.collect.sources.git_mirror import GitMirror, is_full_commit
from treadle.collect.sources.git_url import GitUrl, check_allowed
from treadle.collect.sources.wheels import Wheel, build_project, kept_wheel
from treadle.errors import SourceInvalid


@dataclass(frozen=True, slots=True)
class GitWheel:
    """A wheel that was built from a commit."""

    wheel: Wheel
    commit: str


def wheel_from_git(place: GitUrl, *, builder: Builder) -> GitWheel:
    """Build the wheel of a project in a repository, or find the one that was built from the same commit.

    A branch or tag is looked up each time; a commit written in full is only fetched if it is not known.

    Raises:
        SourceInvalid: Not to be fetched or built here, no such reference or folder, or no project there.
        BuildFailed: It could not be fetched, or its build failed.
        StorageFull: Home may not be written.
        Cancelled: The progress was told to stop.
    """
    settings = builder.settings
    check_allowed(place, schemes=settings.git_schemes, hosts=settings.git_hosts)
    check_buildable("git", str(place), settings)
    mirror = GitMirror(place, settings, builder.uv.progress)
    commit = place.ref.lower() if place.ref and is_full_commit(place.ref) else mirror.resolve()

    def build(aside: Path) -> None:
        if is_full_commit(place.ref) and (found := mirror.resolve()) != commit:
            raise SourceInvalid(f"{place} names no commit, but a tag.", remedy=f"The commit is {found}.")
        builder.uv.progress(f"building the wheel of {place}")
        aside.mkdir(parents=True)
        checkout = aside / "checkout"
        mirror.check_out(commit, checkout)
        dated = replace(builder, epoch=mirror.time_of(commit))
        build_project(_project(checkout, place), aside, builder=dated, shown=str(place))
        shutil.rmtree(checkout)

    python = builder.interpreter
    parts = (place.public_url, commit, place.subdirectory, python.build, python.platform)
    return GitWheel(kept_wheel(tagged_digest("Git", *parts), build, builder.uv), commit)


def _project(checkout: Path, place: GitUrl) -> Path:
    project = checkout / place.subdirectory
    if not project.resolve().is_relative_to(checkout.resolve()):
        raise SourceInvalid(f"{place} leads out of its repository.", remedy="Name a folder inside it.")
    if not project.is_dir():
        raise SourceInvalid(
            f"{place} has no folder {place.subdirectory}.", remedy="Check #subdirectory=, or the reference."
        )
    return project
