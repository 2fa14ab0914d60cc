"""What one command or one process works with: the settings and the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.ledger import Ledger
    from treadle.settings import Settings


@dataclass(frozen=True, slots=True)
class Session:
    """Settings and ledger, as long as they are open."""

    settings: Settings
    ledger: Ledger


@contextmanager
def open_session() -> Iterator[Session]:
    """Read the settings and open the ledger that they name; both are there for the first time if need be.

    Raises:
        SettingsInvalid: A setting is wrong.
        StorageFull: The home folder cannot be made or written.
        LedgerError: The ledger cannot be opened.
    """
    from treadle.ledger import Ledger, sqlite_url
    from treadle.settings import load_settings

    settings = load_settings()
    settings.create_home()
    with Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite")) as ledger:
        yield Session(settings, ledger)
