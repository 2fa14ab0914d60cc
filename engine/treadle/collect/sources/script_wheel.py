"""Wheels made of scripts: the same script gives the same bytes, and nothing of it is run."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from packaging.specifiers import SpecifierSet

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.sources.script import Script, parse_script
from treadle.collect.sources.wheels import Wheel, kept_wheel
from treadle.collect.uv import Uv
from treadle.errors import SourceInvalid

_FORMAT = "1"
_WHEEL = "Wheel-Version: 1.0\nGenerator: treadle\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_GROUP = "treadle.tasks"


def wheel_from_script(file: Path, *, interpreter: Interpreter, uv: Uv) -> Wheel:
    """Make the wheel of a script, or find the one that was made of the same script.

    Args:
        file: Absolute path of the script.
        interpreter: Python that it is to run on.
        uv: Where wheels are kept.

    Raises:
        SourceInvalid: There is no such file, it says wrong things of itself, or needs another Python.
        StorageFull: The folder of wheels may not be written.
    """
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise SourceInvalid(f"{file} is no text in UTF-8.", remedy="Save it as UTF-8.") from error
    except OSError as error:
        raise SourceInvalid(f"{file} cannot be read: {error.strerror}.", remedy="Check the path.") from error
    script = parse_script(text, file)
    if not SpecifierSet(script.requires_python).contains(interpreter.version, prereleases=True):
        raise SourceInvalid(
            f"{file.name} needs Python {script.requires_python}, not {interpreter.version}.",
            remedy="Choose another interpreter.",
        )

    def make(aside: Path) -> None:
        aside.mkdir(parents=True)
        write_wheel(script, content, aside)

    digest = tagged_digest("Script", _FORMAT, file.name, hashlib.sha256(content).hexdigest())
    return kept_wheel(digest, make, uv)


def write_wheel(script: Script, content: bytes, folder: Path) -> Path:
    """Write the wheel of a script into a folder; nothing but the script and its name decides its bytes."""
    stem = f"{script.name.replace('-', '_')}-{script.version}"
    package = f"treadle_script_{script.name.replace('-', '_')}"  # so that no module of a dependency is hidden
    files = {
        f"{package}/__init__.py": b"",
        f"{package}/{script.module}.py": content,
        f"{stem}.dist-info/METADATA": _metadata(script).encode(),
        f"{stem}.dist-info/WHEEL": _WHEEL.encode(),
        f"{stem}.dist-info/entry_points.txt": _entry_points(script, f"{package}.{script.module}").encode(),
    }
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n".encode()
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data)
    return wheel


def _metadata(script: Script) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {script.name}", f"Version: {script.version}"]
    if script.requires_python:
        lines.append(f"Requires-Python: {script.requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in script.requires]
    return "".join(f"{line}\n" for line in lines)


def _entry_points(script: Script, module: str) -> str:
    named = [f"{name} = {module}:{function}" for name, function in script.tasks.items()]
    return "".join(f"{line}\n" for line in (f"[{_GROUP}]", *(named or [f"tasks = {module}"])))


def _digest(data: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')}"
