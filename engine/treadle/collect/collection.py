"""Collecting a task package, and telling beforehand what collecting it would do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from treadle.collect.contents import Contents
from treadle.collect.environments.build import is_usable
from treadle.collect.lifecycle.construction import Construction, construct
from treadle.collect.manifests.derived import RequirementMissing
from treadle.collect.options import NOTHING_ASKED, CollectOptions
from treadle.collect.progress import Progress
from treadle.collect.register import (
    Registered,
    check_replaceable,
    find_registered,
    known_also,
    known_lock,
    register,
)
from treadle.collect.sources.grammar import Source
from treadle.collect.target import Target, find_target
from treadle.collect.uv import Uv
from treadle.ledger import Ledger
from treadle.ledger.packages import EnvironmentRecord, PackageRecord
from treadle.model.task import Task
from treadle.settings import Settings


@dataclass(frozen=True, slots=True)
class Collected:
    """A package that can be used in workflows.

    Attributes:
        package: The package as the ledger knows it.
        tasks: Its tasks.
        environment: The environment it runs in.
        new: Whether anything was built or registered.
        seconds: Time it took.
    """

    package: PackageRecord
    tasks: tuple[Task, ...]
    environment: EnvironmentRecord
    new: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What collecting a source would install.

    Attributes:
        name: Normalised name of the package.
        version: Its version.
        lock: Every distribution with its hashes, in the form of a requirements file.
        environment_id: Id of the environment.
        packages: Every distribution as `name==version`, by name.
        ready: Whether the environment is already there.
    """

    name: str
    version: str
    lock: str
    environment_id: str
    packages: tuple[str, ...]
    ready: bool


def collect(
    source: str | Source,
    *,
    settings: Settings,
    ledger: Ledger,
    progress: Progress,
    options: CollectOptions = NOTHING_ASKED,
) -> Collected:
    """Give a package its own environment and put its tasks into the ledger.

    Safe to repeat, and to run in several processes at once: an environment that is there is used as it
    is, and a build that failed or was killed leaves nothing behind that counts.

    Args:
        source: A source, or its text: `name[extra]==version`, the path of a folder with a Python project, …
        settings: Where things are kept, and which Python is used.
        ledger: Where packages, environments and tasks are registered.
        progress: Told what is under way; ends it on request.
        options: What is asked beside the source.

    Raises:
        CollectError: No source, nothing that resolves, a failed build, or a bad manifest.
        AlreadyExists: This version is already collected from an index, with another environment.
        StorageFull: Home, temporary folder or uv's cache is full or may not be written.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    start = time.monotonic()
    uv = Uv(settings, progress)
    find = partial(find_target, source, options=options, uv=uv, known=partial(known_lock, ledger))
    target = find(also=partial(known_also, ledger))
    there = _find(target, ledger)
    try:
        found = there or _install(target, ledger, uv)
    except RequirementMissing as missing:
        further = (missing.requirement,)
        found = _install(find(also=lambda _name, _version: further), ledger, uv)
    return _collected(found, new=there is None, start=start)


def find_collected(
    source: str | Source,
    *,
    settings: Settings,
    ledger: Ledger,
    progress: Progress,
    options: CollectOptions = NOTHING_ASKED,
) -> Collected | None:
    """What `collect` would find to be there already, or None if it would build something.

    Arguments and errors are those of `collect`.
    """
    start = time.monotonic()
    uv = Uv(settings, progress)
    target = find_target(
        source, options=options, uv=uv, known=partial(known_lock, ledger), also=partial(known_also, ledger)
    )
    there = _find(target, ledger)
    return None if there is None else _collected(there, new=False, start=start)


def preview(
    source: str | Source,
    *,
    settings: Settings,
    ledger: Ledger,
    progress: Progress,
    options: CollectOptions = NOTHING_ASKED,
) -> Preview:
    """Tell what `collect` would install; no environment is built, and nothing is registered.

    The wheel of a local folder is built, unless the folder did not change: without it nobody can tell what
    the package needs. It is kept for the collection.

    Args:
        source: As for `collect`.
        settings: As for `collect`.
        ledger: What was collected before: a known version keeps its lock.
        progress: As for `collect`.
        options: As for `collect`.

    Raises:
        CollectError: No source, nothing that resolves, or a folder that cannot be built.
        StorageFull: Home, temporary folder or uv's cache is full or may not be written.
        LedgerError: The ledger could not be read.
        Cancelled: The progress was told to stop.
    """
    uv = Uv(settings, progress)
    target = find_target(
        source,
        options=options,
        uv=uv,
        known=partial(known_lock, ledger),
        also=partial(known_also, ledger),
    )
    return Preview(
        name=target.name,
        version=target.version,
        lock=target.lock.text,
        environment_id=target.environment_id,
        packages=tuple(str(pin) for pin in target.lock.pins),
        ready=is_usable(target.folder),
    )


def _find(target: Target, ledger: Ledger) -> Registered | None:
    changeable = target.prepared.editable is not None
    return None if changeable or not is_usable(target.folder) else find_registered(ledger, target)


def _collected(found: Registered, *, new: bool, start: float) -> Collected:
    return Collected(
        package=found.package,
        tasks=found.tasks,
        environment=found.environment,
        new=new,
        seconds=time.monotonic() - start,
    )


def _install(target: Target, ledger: Ledger, uv: Uv) -> Registered:
    check_replaceable(ledger, target)
    wanted = Construction(
        environment_id=target.environment_id,
        folder=target.folder,
        lock=target.lock,
        interpreter=target.interpreter,
        options=target.options,
        contents=Contents.of_target(target),
    )
    return construct(
        wanted,
        ledger=ledger,
        uv=uv,
        then=lambda tx, environment, package: register(tx, target, environment, package),
    )
