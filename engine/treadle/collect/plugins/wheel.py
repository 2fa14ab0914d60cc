"""Wheels of plugins: the files as they are, the same bytes for the same files on every machine."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from treadle.errors import SourceInvalid

_WHEEL = "Wheel-Version: 1.0\nGenerator: treadle\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(
    folder: Path,
    *,
    name: str,
    version: str,
    summary: str,
    requires: Sequence[str],
    files: Iterable[tuple[str, Path]],
) -> Path:
    """Write the wheel of some files.

    Nothing is compressed, and no time or owner is kept, so that the bytes depend on nothing else.

    Args:
        folder: Where to write it.
        name: Normalised name of the distribution.
        version: Its version in the spelling of PEP 440.
        summary: For people.
        requires: What it needs, each as PEP 508 writes it.
        files: Files by the names that they have where they are installed.

    Raises:
        SourceInvalid: Two files have the same name, or one cannot be read.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    if summary.strip():
        metadata.append(f"Summary: {' '.join(summary.split())}\n")
    metadata += [f"Requires-Dist: {requirement}\n" for requirement in requires]
    contents = _contents(files)
    contents[f"{stem}.dist-info/METADATA"] = "".join(metadata).encode()
    contents[f"{stem}.dist-info/WHEEL"] = _WHEEL.encode()
    record = "".join(_record_line(place, content) for place, content in contents.items())
    contents[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n".encode()
    wheel = folder / f"{stem}-py3-none-any.whl"
    _write(wheel, contents)
    return wheel


def _contents(files: Iterable[tuple[str, Path]]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for place, path in files:
        if place in contents:
            raise SourceInvalid(f"{place} is a file of Treadle's own: the plugin needs another name.")
        try:
            contents[place] = path.read_bytes()
        except OSError as error:
            raise SourceInvalid(f"{place} cannot be read: {error.strerror}.") from error
    return contents


def _record_line(place: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    quoted = '"' + place.replace('"', '""') + '"' if set(place) & set(',"') else place
    return f"{quoted},sha256={digest},{len(content)}\n"


def _write(wheel: Path, contents: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for place, content in contents.items():
            entry = zipfile.ZipInfo(place)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
