"""What goes wrong in a cache without anybody's call failing: said once, counted always."""

from __future__ import annotations

import logging
from collections import Counter

_logger = logging.getLogger("treadle.cache")
_told: set[tuple[str, str]] = set()


class Troubles:
    """Troubles of one storage or function: the first of a kind in a process is a warning, others are counted.

    Args:
        place: Folder or URL of the storage, or the function's name.

    Attributes:
        counts: How many there were in this process, by kind.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self.counts: Counter[str] = Counter()

    def tell(self, kind: str, message: str) -> None:
        """Note a trouble.

        Args:
            kind: Which sort, e.g. `damaged`.
            message: What happened, to which file.
        """
        self.counts[kind] += 1
        level = logging.DEBUG if (self._place, kind) in _told else logging.WARNING
        _told.add((self._place, kind))
        _logger.log(level, "%s", message, extra={"place": self._place, "trouble": kind})

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle without the counts: they are this process's."""
        return type(self), (self._place,)
