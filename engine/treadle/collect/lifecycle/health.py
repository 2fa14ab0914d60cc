"""Whether what the ledger says of environments is so."""

from __future__ import annotations

from pathlib import Path

from treadle.collect.environments.build import is_usable
from treadle.collect.lifecycle.construction import settle
from treadle.ledger import Ledger
from treadle.ledger.packages import EnvironmentRecord, list_environments
from treadle.settings import Settings


def heal(settings: Settings, ledger: Ledger) -> None:
    """Correct what the ledger says of environments whose builder died, or that somebody took away.

    Environments that are being built now are left alone, and so are those of another home folder and those
    that were not built by Treadle.

    Raises:
        StorageFull: The folder of environments may not be written.
        LedgerError: The ledger could not be read or written.
    """
    with ledger.reading() as tx:
        known = list_environments(tx)
    for environment in known:
        if is_ours(environment, settings) and _is_doubtful(environment):
            settle(ledger, environment.id, Path(environment.path))


def is_ours(environment: EnvironmentRecord, settings: Settings) -> bool:
    """Whether an environment was built in this home folder, so that it is ours to rebuild and to remove."""
    return Path(environment.path) == settings.environments_folder / environment.id


def _is_doubtful(environment: EnvironmentRecord) -> bool:
    if environment.state in {"pending", "building"}:
        return True
    usable = is_usable(Path(environment.path))
    return usable if environment.state == "broken" else environment.state == "ready" and not usable
