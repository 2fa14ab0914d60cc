"""Building an environment so that the ledger knows at any time how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from treadle.collect.contents import Contents
from treadle.collect.environments.build import build_environment, is_usable, read_facts
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.environments.staging import alone, alone_at_once, build_aside
from treadle.collect.lock import Lock
from treadle.collect.manifests.installed import TaskPackage
from treadle.collect.options import CollectOptions
from treadle.collect.progress import Progress
from treadle.collect.storage import writing_below
from treadle.collect.uv import Uv
from treadle.errors import BuildFailed, LedgerError, StorageFull
from treadle.ledger import Ledger, Transaction
from treadle.ledger.lifecycle import (
    announce_environment,
    forget_environment,
    holders,
    move_packages,
    set_environment_state,
)
from treadle.ledger.packages import EnvironmentRecord, add_environment, get_environment
from treadle.ledger.tables import EnvironmentState

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Construction:
    """An environment that is to be there.

    Attributes:
        environment_id: Digest of lock, interpreter, platform and builder.
        folder: Where it is, or will be.
        lock: Everything that it contains.
        interpreter: What it is built on.
        options: What was asked when its package was collected.
        contents: The package that it is for.
    """

    environment_id: str
    folder: Path
    lock: Lock
    interpreter: Interpreter
    options: CollectOptions
    contents: Contents

    def announce(self, tx: Transaction, state: EnvironmentState) -> None:
        """Record how far it is."""
        announce_environment(
            tx,
            environment_id=self.environment_id,
            lock=self.lock.text,
            python=str(self.interpreter.path),
            python_version=self.interpreter.version,
            path=str(self.folder),
            state=state,
        )

    def record(self, tx: Transaction) -> EnvironmentRecord:
        """Record that it is there, and that packages which had it in another home folder have it here."""
        facts = read_facts(self.folder)
        known = get_environment(tx, self.environment_id)
        if known is not None:
            move_packages(tx, known, known.id, str(self.folder))
        return add_environment(
            tx,
            environment_id=self.environment_id,
            lock=self.lock.text,
            python=facts.python,
            python_version=facts.python_version,
            path=str(self.folder),
            build_seconds=facts.build_seconds,
            size_bytes=facts.size_bytes,
        )


def construct(
    wanted: Construction,
    *,
    ledger: Ledger,
    uv: Uv,
    then: Callable[[Transaction, EnvironmentRecord, TaskPackage], Result],
) -> Result:
    """Build an environment unless it can be used, and record what it is for.

    Nobody else builds or removes it meanwhile. What a build that failed leaves in the ledger is what was
    there before it; what one that was killed leaves there is mended by whoever looks next.

    Args:
        wanted: The environment.
        ledger: Where it is recorded.
        uv: How uv is run.
        then: Records what depends on it, in the transaction that records it as ready.

    Raises:
        CollectError: It could not be built, or is not as it should be.
        StorageFull: Its place is full or may not be written.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    with writing_below(wanted.folder.parent):
        there = is_usable(wanted.folder)
    if not there:
        _announce(ledger, wanted, "pending", unless=frozenset({"building"}))
    try:
        with alone_for(wanted.folder, uv.progress):
            if not is_usable(wanted.folder):
                _announce(ledger, wanted, "building")
                build_aside(wanted.folder, lambda aside: _build(wanted, aside, uv))
            uv.progress("reading the manifest")
            package = wanted.contents.read(wanted.folder, uv)
            with ledger.writing() as tx:
                return then(tx, wanted.record(tx), package)
    except BaseException:
        with suppress(LedgerError):  # then whoever looks next settles it
            _withdraw(ledger, wanted)
        raise


def alone_for(folder: Path, progress: Progress) -> AbstractContextManager[None]:
    """Keep others from building or removing an environment; says so where that takes waiting."""
    return alone(
        folder,
        waiting=lambda: progress("waiting for another process that builds the same environment"),
        check=progress.check,
    )


def settle(ledger: Ledger, environment_id: str, folder: Path) -> None:
    """Record what can be done with an environment by what is there, unless somebody builds or removes it.

    One that cannot be used, and that no package is installed in, is forgotten.
    """
    with alone_at_once(folder) as free:
        if not free:
            return
        usable = is_usable(folder)
        with ledger.writing() as tx:
            known = get_environment(tx, environment_id)
            if known is None or (not usable and forget_environment(tx, environment_id)):
                return
            state: EnvironmentState = "ready"
            if not usable:
                active = any(holder.active for holder in holders(tx, environment_id))
                state = "broken" if active else "inactive"
            if state != known.state:
                set_environment_state(tx, environment_id, state)


def _withdraw(ledger: Ledger, wanted: Construction) -> None:
    try:
        settle(ledger, wanted.environment_id, wanted.folder)
    except (StorageFull, BuildFailed):  # nobody can build there
        with ledger.writing() as tx:
            if not forget_environment(tx, wanted.environment_id):
                set_environment_state(tx, wanted.environment_id, "broken")


def _announce(
    ledger: Ledger,
    wanted: Construction,
    state: EnvironmentState,
    *,
    unless: frozenset[EnvironmentState] = frozenset(),
) -> None:
    with ledger.writing() as tx:
        known = get_environment(tx, wanted.environment_id)
        if known is None or known.state not in unless:
            wanted.announce(tx, state)


def _build(wanted: Construction, aside: Path, uv: Uv) -> None:
    uv.progress("building the environment")
    build_environment(
        aside,
        lock=wanted.lock,
        interpreter=wanted.interpreter,
        options=wanted.options,
        uv=uv,
        inspect=partial(wanted.contents.complete, uv=uv),
    )
