"""The Python that environments are built on."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from treadle.errors import InterpreterMissing
from treadle.settings import Settings

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


def choose_interpreter(asked: str | None, settings: Settings) -> Interpreter:
    """Find the interpreter that a collection is to use.

    Args:
        asked: Version out of the setting `pythons`, such as `3.12`, or absolute path; None: the default.
        settings: What is configured.

    Raises:
        InterpreterMissing: No such version is configured, its interpreter is of another one, or no Python
            answers at the path.
    """
    if asked is None:
        return examine(settings.python)
    if "/" in asked:
        return examine(Path(asked), remedy="Name the absolute path of a Python 3.")
    if asked in settings.pythons:
        found = examine(settings.pythons[asked], remedy=f"Correct {asked} in the setting pythons.")
        if not _is_version(found, asked):
            raise InterpreterMissing(
                f"{settings.pythons[asked]}, configured as Python {asked}, is Python {found.version}.",
                remedy=f"Correct {asked} in the setting pythons.",
            )
        return found
    default = examine(settings.python)
    if _is_version(default, asked):
        return default
    configured = {**settings.pythons, f"{default.version} (the default)": default.path}
    shown = ", ".join(f"{version} = {path}" for version, path in configured.items())
    raise InterpreterMissing(
        f"No interpreter of version {asked} is configured.",
        remedy=f"There are: {shown}. Add it to the setting pythons, or give the path of an interpreter.",
    )


def _is_version(interpreter: Interpreter, asked: str) -> bool:
    return f"{interpreter.version}.".startswith(f"{asked}.")


def examine(python: Path, *, remedy: str = _REMEDY) -> Interpreter:
    """Ask an interpreter what it is.

    Args:
        python: Its absolute path.
        remedy: What to do where there is none.

    Raises:
        InterpreterMissing: The path is not absolute, or no Python answers there.
    """
    if not python.is_absolute():
        raise InterpreterMissing(f"{python} is not an absolute path of an interpreter.", remedy=remedy)
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
            f"There is no interpreter at {python}: {error.strerror}.", remedy=remedy
        ) from error
    except subprocess.CalledProcessError as error:
        raise InterpreterMissing(f"{python} did not start.", remedy=remedy, detail=error.stderr) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InterpreterMissing(f"{python} is not a Python.", remedy=remedy, detail=str(error)) from error
