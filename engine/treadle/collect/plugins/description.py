"""All that is known of a plugin: what was read of it, where it is, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.collect.plugins.reading import Problem, Reading
from treadle.ledger.plugins import PluginRecord
from treadle.ledger.tables import PluginState
from treadle.model.constrained import Value


class Description(Value):
    """All that is known of a plugin, as the ledger keeps it.

    Attributes:
        reading: What was read of it.
        path: Where its files are on this machine.
        boundary: Folder that no link in it may lead out of.
        provenance: Of what is in git: url, ref, commit and path in the repository.
        installed: Digest of the files that were installed last; nothing if none were.
        failure: Why these files could not be installed, or None.
    """

    reading: Reading
    path: str
    boundary: str
    provenance: Mapping[str, str] = {}
    installed: str = ""
    failure: Problem | None = None

    @classmethod
    def of(cls, plugin: PluginRecord) -> Description:
        """What is known of a plugin on record."""
        return cls.model_validate(plugin.description)


def state_of(
    description: Description, digest: str, *, problem: Problem | None, installed: bool
) -> PluginState:
    """What is known of a plugin: it is ready as long as the files that were installed are those it has.

    Args:
        description: All that is known of it.
        digest: Digest of its files.
        problem: Why it cannot be used.
        installed: Whether the package is there that it was installed as.
    """
    if problem is not None:
        return "broken"
    return "ready" if installed and description.installed == digest else "found"
