"""The Python that environments are built on."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from treadle.errors import InterpreterMissing

_REMEDY = "Set TREADLE_PYTHON to the absolute path of a Python 3."

_QUESTION = """
import json, os, platform, sys, sysconfig
print(json.dumps({
    "path": getattr(sys, "_base_executable", None) or sys.executable,
    "version": platform.python_version(),
    "build": f"{sys.implementation.cache_tag} {sys.version}",
    "platform": " ".join([sysconfig.get_platform(), *platform.libc_ver()]),
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One Python on this machine.

    Attributes:
        path: Absolute path of the base interpreter (of a virtual environment: the one it was made from).
        version: Its version, such as `3.11.2`.
        build: What distinguishes this build from every other: implementation, version, compiler, date.
        platform: Operating system, machine and C library.
    """

    path: Path
    version: str
    build: str
    platform: str


def examine(python: Path) -> Interpreter:
    """Ask an interpreter what it is.

    Raises:
        InterpreterMissing: The path is not absolute, or no Python answers there.
    """
    if not python.is_absolute():
        raise InterpreterMissing(f"{python} is not an absolute path of an interpreter.", remedy=_REMEDY)
    try:
        answer = subprocess.run(
            [python, "-I", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        facts = json.loads(answer.stdout)
        return Interpreter(
            path=Path(facts["path"]),
            version=str(facts["version"]),
            build=str(facts["build"]),
            platform=str(facts["platform"]),
        )
    except OSError as error:
        raise InterpreterMissing(
            f"There is no interpreter at {python}: {error.strerror}.", remedy=_REMEDY
        ) from error
    except subprocess.CalledProcessError as error:
        raise InterpreterMissing(f"{python} did not start.", remedy=_REMEDY, detail=error.stderr) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InterpreterMissing(f"{python} is not a Python.", remedy=_REMEDY, detail=str(error)) from error
