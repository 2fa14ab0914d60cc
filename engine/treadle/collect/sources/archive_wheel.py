"""Wheels of source archives (sdists)."""

from __future__ import annotations

import shutil
from pathlib import Path

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.sources.archive import unpack
from treadle.collect.sources.building import Builder, check_buildable
from treadle.collect.sources.fingerprint import file_digest
from treadle.collect.sources.wheels import Wheel, build_project, kept_wheel
from treadle.errors import SourceInvalid


def wheel_from_archive(file: Path, *, builder: Builder) -> Wheel:
    """Build the wheel of a source archive, or find the one that was built from the same archive.

    Args:
        file: Absolute path of a `.tar.gz`, `.tgz` or `.zip`.
        builder: How it is built.

    Raises:
        SourceInvalid: There is no such file, it may not be built here, or is not a proper source archive.
        BuildFailed: Its build failed; its own words are the detail.
        StorageFull: Home may not be written.
        Cancelled: The progress was told to stop.
    """
    if not file.is_file():
        raise SourceInvalid(f"There is no file {file}.", remedy="Check the path.")
    check_buildable("archive", str(file), builder.settings)
    try:
        content = file_digest(file)
    except OSError as error:
        raise SourceInvalid(f"{file} cannot be read: {error.strerror}.") from error

    def build(aside: Path) -> None:
        builder.uv.progress(f"building the wheel of {file.name}")
        unpacked = aside / "unpacked"
        unpacked.mkdir(parents=True)
        build_project(unpack(file, unpacked), aside, builder=builder, shown=str(file))
        shutil.rmtree(unpacked)

    python = builder.interpreter
    digest = tagged_digest("Archive", file.suffix.lower(), content, python.build, python.platform)
    return kept_wheel(digest, build, builder.uv)
