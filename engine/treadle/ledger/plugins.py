"""Plugins, scripts and projects that were found at the plugin sources."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import insert, select, update

from treadle.ledger.columns import now
from treadle.ledger.database import Transaction
from treadle.ledger.people import local_user
from treadle.ledger.tables import PluginKind, PluginState, people, plugins


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """What was found at one place.

    Attributes:
        kind: Plugin, script or project.
        origin: The plugin source that led to it: a folder, or a git line without credentials.
        location: Absolute path; of what is in git: repository, commit and path in it. No other has it.
        name: Its name, if known.
        version: Its version as it writes it, if known.
        identifier: Name and version in one, if both are known.
        state: What is known of it.
        problem: Why it cannot be used; None if it can.
        description: All that was read of it.
        digest: Digest of its files.
    """

    kind: PluginKind
    origin: str
    location: str
    name: str | None
    version: str | None
    identifier: str | None
    state: PluginState
    problem: str | None
    description: JsonValue
    digest: str


@dataclass(frozen=True, slots=True)
class PluginRecord(FoundPlugin):
    """What was found, as it is on record.

    Attributes:
        id: Its number; stays while the location stays.
        package_id: The package that it was installed as last; None if it never was.
        seen_at: When it was there last.
    """

    id: int
    package_id: int | None
    seen_at: datetime


_FOUND = tuple(FoundPlugin.__dataclass_fields__)
_RECORD = tuple(plugins.c[name] for name in PluginRecord.__dataclass_fields__)


def record_plugins(
    tx: Transaction, found: Sequence[FoundPlugin], *, unseen: Collection[str] = ()
) -> list[PluginRecord]:
    """Record what a scan found; whatever it did not find any more is gone, but stays on record.

    Args:
        tx: A writing transaction.
        found: All that was found; of one location once.
        unseen: Origins that could not be looked into: what came from them stays as it is.

    Returns:
        What was found, by location.
    """
    owner = local_user(tx)
    tx.execute(select(people.c.id).where(people.c.id == owner).with_for_update())  # one scan at a time
    query = select(plugins.c.location, plugins.c.id).where(plugins.c.owner_id == owner)
    known = dict(tx.execute(query).all())
    for plugin in found:
        content = {name: getattr(plugin, name) for name in _FOUND} | {"seen_at": now()}
        if plugin.location in known:
            tx.execute(update(plugins).where(plugins.c.id == known[plugin.location]).values(**content))
        else:
            tx.execute(insert(plugins).values(owner_id=owner, **content))
    here = {plugin.location for plugin in found}
    gone = [number for location, number in known.items() if location not in here]
    lost = plugins.c.id.in_(gone), plugins.c.origin.not_in(list(unseen))
    tx.execute(update(plugins).where(*lost).values(state="gone"))
    return [plugin for plugin in list_plugins(tx) if plugin.location in here]


def change_plugin(
    tx: Transaction,
    plugin: PluginRecord,
    *,
    state: PluginState,
    problem: str | None,
    description: JsonValue,
    package_id: int | None,
) -> PluginRecord | None:
    """Record what became of a plugin, unless its files are others by now.

    Args:
        tx: A writing transaction.
        plugin: The plugin as it was.
        state: What is known of it.
        problem: Why it cannot be used.
        description: All that is known of it.
        package_id: The package that it is installed as.

    Returns:
        The plugin as it is now; None if it changed meanwhile, and nothing was recorded.
    """
    same = plugins.c.id == plugin.id, plugins.c.digest == plugin.digest
    content = {"state": state, "problem": problem, "description": description, "package_id": package_id}
    if tx.execute(update(plugins).where(*same).values(**content)).rowcount == 0:
        return None
    return _record(tx, plugin.id)


def name_plugin(
    tx: Transaction, plugin: PluginRecord, *, name: str, version: str, identifier: str
) -> PluginRecord:
    """Record name and version of a plugin that only running it could tell."""
    content = {"name": name, "version": version, "identifier": identifier}
    tx.execute(update(plugins).where(plugins.c.id == plugin.id).values(**content))
    return _record(tx, plugin.id)


def list_plugins(tx: Transaction) -> list[PluginRecord]:
    """All plugins on record, by location."""
    query = select(*_RECORD).where(plugins.c.owner_id == local_user(tx)).order_by(plugins.c.location)
    return [PluginRecord(**row) for row in tx.execute(query).mappings()]


def _record(tx: Transaction, number: int) -> PluginRecord:
    query = select(*_RECORD).where(plugins.c.id == number)
    return PluginRecord(**tx.execute(query).mappings().one())
