"""Wheels that come from no index: built from a folder, or copied from a file, and kept by digest."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.staging import build_once
from treadle.collect.sources.archive import check_wheel_archive
from treadle.collect.sources.build_system import read_build_system
from treadle.collect.sources.building import Builder, Kind
from treadle.collect.sources.fingerprint import file_digest, fingerprint
from treadle.collect.sources.shipped_lock import read_shipped_lock
from treadle.collect.uv import Uv
from treadle.errors import SourceInvalid

_LOCKED = "shipped-lock.txt"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel in our own folder; name and version are normalised."""

    path: Path
    name: str
    version: str

    @property
    def locked(self) -> str:
        """What the lock says that its project ships: requirement lines, or nothing."""
        file = self.path.with_name(_LOCKED)
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def required(self, extras: Sequence[str] = ()) -> str:
        """The requirement for exactly this file, as PEP 508 writes it."""
        asked = f"[{','.join(extras)}]" if extras else ""
        return f"{self.name}{asked} @ file://{quote(str(self.path))}"


def wheel_from_folder(folder: Path, *, builder: Builder, kind: Kind = "wheel") -> Wheel:
    """Build the wheel of a project, or find the one that was built from the same files.

    Args:
        folder: Absolute path of the project.
        builder: How it is built.
        kind: A wheel of its files, or an editable one, which leads to the folder.

    Raises:
        SourceInvalid: The folder holds no Python project, or cannot be read.
        BuildFailed: The project's build failed; its own words are the detail.
        StorageFull: The folder of wheels may not be written.
        Cancelled: The progress was told to stop.
    """
    if not folder.is_dir():
        raise SourceInvalid(f"There is no folder {folder}.", remedy="Check the path.")
    read_build_system(folder, str(folder))

    def build(aside: Path) -> None:
        builder.uv.progress(f"building the wheel of {folder.name}")
        aside.mkdir(parents=True)
        build_project(folder, aside, builder=builder, shown=str(folder), kind=kind)

    digest = fingerprint(folder, interpreter=builder.interpreter, home=builder.settings.home)
    if kind == "editable":
        digest = tagged_digest("Editable", str(folder), digest)
    return kept_wheel(digest, build, builder.uv)


def build_project(project: Path, folder: Path, *, builder: Builder, shown: str, kind: Kind = "wheel") -> None:
    """Build a project's wheel into a folder that is to be kept, with what its own lock says beside it.

    Args:
        project: Absolute path of the project.
        folder: There already.
        builder: How it is built.
        shown: What errors call the project.
        kind: Which wheel.

    Raises:
        SourceInvalid: It is no project, or its lock does not fit it.
        BuildFailed: Its build failed.
        StorageFull: The disk is full or may not be written.
        Cancelled: The progress was told to stop.
    """
    locked = read_shipped_lock(project, builder=builder, shown=shown)
    builder.build(project, folder, shown=shown, kind=kind)
    if locked:
        (folder / _LOCKED).write_text(locked, encoding="utf-8")


def wheel_from_file(file: Path, *, uv: Uv) -> Wheel:
    """Copy a wheel into our own folder, unless it is there.

    Args:
        file: Absolute path of the wheel.
        uv: Where it is kept.

    Raises:
        SourceInvalid: There is no such file, it is no wheel, or has what no wheel has.
        StorageFull: The folder of wheels may not be written.
    """
    if not file.is_file():
        raise SourceInvalid(f"There is no file {file}.", remedy="Check the path.")
    try:
        parse_wheel_filename(file.name)
        digest = tagged_digest("Wheel", file.name, file_digest(file))
    except InvalidWheelFilename as error:
        raise SourceInvalid(
            f"{file} is not named as a wheel is.",
            remedy="A wheel keeps the name that its build gave it: name-version-python-abi-platform.whl.",
            detail=str(error),
        ) from error
    except OSError as error:
        raise SourceInvalid(f"{file} cannot be read: {error.strerror}.") from error
    if not zipfile.is_zipfile(file):
        raise SourceInvalid(f"{file} is not a wheel: its content is not a zip archive.")

    check_wheel_archive(file)

    def copy(aside: Path) -> None:
        aside.mkdir(parents=True)
        shutil.copyfile(file, aside / file.name)

    return kept_wheel(digest, copy, uv)


def kept_wheel(digest: str, build: Callable[[Path], None], uv: Uv) -> Wheel:
    """Find the wheel that is kept under a digest, or make it and look through it, once across processes.

    Args:
        digest: Name of its folder.
        build: Makes the folder at the path it is given, with one wheel in it.
        uv: Where wheels are kept, and who is told of waiting.

    Raises:
        StorageFull: The folder of wheels may not be written.
        SourceInvalid: The wheel has what no wheel has.
        TreadleError: Whatever `build` raised; nothing is kept then.
    """

    def build_and_check(aside: Path) -> None:
        build(aside)
        for wheel in aside.glob("*.whl"):
            check_wheel_archive(wheel)

    place = uv.settings.wheels_folder / digest
    build_once(
        place,
        is_ready=lambda folder: len(list(folder.glob("*.whl"))) == 1,
        build=build_and_check,
        waiting=lambda: uv.progress("waiting for another process that builds the same wheel"),
        check=uv.progress.check,
    )
    (path,) = place.glob("*.whl")
    name, version, _, _ = parse_wheel_filename(path.name)
    return Wheel(path, canonicalize_name(name), str(version))
