"""A folder that fleche has written: what is in it, and what cannot be read there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treadle.cache.keys.digest import Digest
from treadle.errors import CacheUnavailable, NotCached

_log = logging.getLogger("treadle.cache")


class OldFolder:
    """Reads one of fleche's folders; a missing one is empty.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._told = False

    def names(self) -> Iterator[str]:
        """Yield the names of plain files but hidden ones and locks."""
        with self.reading(self.root):
            try:
                entries = list(self.root.iterdir())
            except FileNotFoundError:
                return
            for path in entries:
                if not path.name.startswith(".") and not path.name.endswith(".lock") and path.is_file():
                    yield path.name

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Translate what can happen when a file is read.

        Raises:
            NotCached: It is not there.
            CacheUnavailable: It cannot be read.
        """
        try:
            yield
        except FileNotFoundError as error:
            raise NotCached(f"There is no {path}.") from error
        except OSError as error:
            raise CacheUnavailable(f"{path} cannot be read: {error.strerror or error}.") from error

    def damaged(self, path: Path, reason: object) -> NotCached:
        """Tell of the first file of this folder that is not as it should be, and make a miss of it.

        fleche's files are fleche's: it is not put aside.
        """
        level = logging.DEBUG if self._told else logging.WARNING
        self._told = True
        _log.log(level, "%s of fleche's cache is passed over: %s", path, reason)
        return NotCached(f"{path} cannot be used: {reason}.")


def as_digest(text: str) -> Digest | None:
    """Take a file's name, or what a file says, for a digest; None if it is none."""
    try:
        return Digest.parse(text)
    except ValueError:
        return None
