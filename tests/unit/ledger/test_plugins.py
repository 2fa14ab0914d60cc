"""Plugins on record: kept by location, gone but not forgotten, installed as packages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from treadle.ledger import Ledger
from treadle.ledger.plugins import (
    FoundPlugin,
    change_plugin,
    list_plugins,
    name_plugin,
    record_plugins,
)

FOUND = FoundPlugin(
    kind="plugin",
    origin="/plugins",
    location="/plugins/p.py",
    name="p",
    version="v1",
    identifier="p@v1",
    state="found",
    problem=None,
    description={"tags": ["a"]},
    digest="d1",
)
OTHER = replace(FOUND, location="/other/q.py", origin="/other", name="q")


def test_found_again_keeps_its_number_and_package(ledger: Ledger, add_package: Any) -> None:
    with ledger.writing() as tx:
        [first] = record_plugins(tx, [FOUND])
        package = add_package(tx)
        ready = change_plugin(
            tx, first, state="ready", problem=None, description={"tags": []}, package_id=package.id
        )
    assert ready is not None
    assert (ready.state, ready.package_id, ready.description) == ("ready", package.id, {"tags": []})
    with ledger.writing() as tx:
        [again] = record_plugins(tx, [replace(FOUND, version="v2", digest="d2")])
    assert (again.id, again.version, again.package_id, again.state) == (first.id, "v2", package.id, "found")
    assert again.seen_at >= first.seen_at


def test_not_found_is_gone_unless_its_place_could_not_be_seen(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        record_plugins(tx, [FOUND, OTHER])
        assert record_plugins(tx, [], unseen=["/other"]) == []
        assert {plugin.name: plugin.state for plugin in list_plugins(tx)} == {"p": "gone", "q": "found"}


def test_change_of_files_meanwhile_is_not_overwritten(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        [first] = record_plugins(tx, [FOUND])
        record_plugins(tx, [replace(FOUND, digest="d2")])
        changed = change_plugin(tx, first, state="broken", problem="x", description={}, package_id=None)
        assert changed is None
        assert list_plugins(tx)[0].state == "found"


def test_name_that_was_learnt_later_is_recorded(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        [first] = record_plugins(tx, [replace(FOUND, name=None, version=None, identifier=None)])
        named = name_plugin(tx, first, name="p", version="2", identifier="p@2")
    assert (named.id, named.name, named.version, named.identifier) == (first.id, "p", "2", "p@2")
