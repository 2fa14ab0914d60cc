"""Packages that somebody else has installed: an interpreter and a manifest, of which nothing is built."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from treadle.collect.collection import Collected
from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.interpreter import examine
from treadle.collect.manifests.installed import read_manifest
from treadle.errors import InterpreterMissing, SourceInvalid
from treadle.ledger import Ledger
from treadle.ledger.packages import add_environment, add_package

_ANSWER_SECONDS = 60
_QUESTION = """
import importlib.util, json, sys
spec = importlib.util.find_spec(sys.argv[1])
print(json.dumps(spec and [*(spec.submodule_search_locations or [])]))
"""


@dataclass(frozen=True, slots=True)
class CustomPackage:
    """Tasks of an environment that Treadle does not look after.

    Attributes:
        manifest: The manifest file.
        interpreter: Absolute path of the interpreter that runs the tasks.
        name: What the package is to be called.
        version: Its version.
        root: Folder that the executables are relative to, or
        module: the import name of the package whose folder that is.
    """

    manifest: Path
    interpreter: Path
    name: str
    version: str
    root: Path | None = None
    module: str | None = None


def collect_custom(package: CustomPackage, *, ledger: Ledger) -> Collected:
    """Put the tasks of a package into the ledger that somebody else has installed; safe to repeat.

    Raises:
        SourceInvalid: Name, version, root or module is none, or there is no such file or folder.
        InterpreterMissing: No Python answers at that path.
        ManifestInvalid: The manifest is bad, or names an executable that is not there.
        AlreadyExists: The version is collected from an index or from git.
        LedgerError: The ledger could not be written.
    """
    start = time.monotonic()
    name, version = _identity(package)
    python = examine(package.interpreter)
    manifest = package.manifest.expanduser().absolute()
    if not manifest.is_file():
        raise SourceInvalid(f"There is no file {manifest}.", remedy="Check the path of the manifest.")
    root = _root(package)
    tasks = read_manifest(manifest, root=root, name=name, version=version)
    with ledger.writing() as tx:
        environment = add_environment(
            tx,
            environment_id=f"custom-{tagged_digest('Custom', str(package.interpreter), python.build)}",
            lock="",
            python=str(package.interpreter),
            python_version=python.version,
            path=str(package.interpreter.parent.parent),
            build_seconds=0.0,
            size_bytes=0,
        )
        record = add_package(
            tx,
            name=name,
            version=version,
            origin="custom",
            source=str(manifest),
            environment_id=environment.id,
            root=str(root),
            tasks=tasks,
            provenance={"interpreter": str(package.interpreter)},
        )
    return Collected(record, tasks, environment, new=True, seconds=time.monotonic() - start)


def _identity(package: CustomPackage) -> tuple[str, str]:
    try:
        return canonicalize_name(package.name, validate=True), str(Version(package.version))
    except InvalidName as error:
        raise SourceInvalid(
            f"{package.name!r} is no name of a package.", remedy="Use letters, digits and - _ . between them."
        ) from error
    except InvalidVersion as error:
        raise SourceInvalid(
            f"{package.version!r} is no version.", remedy="Give one such as 1.0 (PEP 440)."
        ) from error


def _root(package: CustomPackage) -> Path:
    if (package.root is None) == (package.module is None):
        raise SourceInvalid(
            f"The folder of {package.name} is given {'not at all' if package.root is None else 'twice'}.",
            remedy="Give its root, or the module whose folder that is.",
        )
    root = package.root.expanduser().absolute() if package.root else _folder_of(package)
    if not root.is_dir():
        raise SourceInvalid(f"There is no folder {root}.", remedy="Check the root of the package.")
    return root


def _folder_of(package: CustomPackage) -> Path:
    """Ask the interpreter where a module's folder is; the module is not imported for that."""
    top, *below = str(package.module).split(".")
    command = [str(package.interpreter), "-I", "-c", _QUESTION, top]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_ANSWER_SECONDS,
        )
        folders = json.loads(answer.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        words = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise InterpreterMissing(
            f"{package.interpreter} could not tell where module {top} is.", detail=words or ""
        ) from error
    if not folders:
        raise SourceInvalid(
            f"{package.interpreter} knows no package {top}.",
            remedy="Check the module's name, or give the root of the package instead.",
        )
    return Path(folders[0], *below)
