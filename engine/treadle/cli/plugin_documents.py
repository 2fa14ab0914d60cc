"""Plugins as `treadle plugins` prints them for programs, in the names of QHAna 3.4 where it has any."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.collect.plugins.description import Description
from treadle.collect.plugins.interface import DataItem, Interface
from treadle.collect.plugins.places import PlaceProblem
from treadle.collect.plugins.report import Installation, InstallReport
from treadle.ledger.plugins import PluginRecord


def plugin_document(plugin: PluginRecord) -> dict[str, object]:
    """What the ledger has of a plugin, without what it says of itself."""
    return {
        "id": plugin.id,
        "identifier": plugin.identifier,
        "name": plugin.name,
        "version": plugin.version,
        "kind": plugin.kind,
        "state": plugin.state,
        "problem": plugin.problem,
        "origin": plugin.origin,
        "location": plugin.location,
        "seen_at": plugin.seen_at,
    }


def metadata_document(plugin: PluginRecord) -> dict[str, object]:
    """What a plugin says of itself."""
    description = Description.of(plugin)
    metadata = description.reading.metadata
    return {
        "description": metadata.description,
        "tags": metadata.tags,
        **_interface(metadata.interface),
        "requirements": metadata.requirements,
        "has_api": metadata.has_api,
        "defined": metadata.defined,
        "unknown": metadata.unknown,
        "derived": metadata.derived,
        "provenance": description.provenance,
    }


def _interface(interface: Interface | None) -> dict[str, object]:
    """What a plugin takes and gives, in the names of QHAna 3.4; nothing where it is not known."""
    if interface is None:
        return {}
    inputs = [{"parameter": item.name, **_data(item)} for item in interface.inputs]
    outputs = [{**({"name": item.name} if item.name else {}), **_data(item)} for item in interface.outputs]
    needed = [item.model_dump(exclude_defaults=True) for item in interface.dependencies]
    return {
        "title": interface.title,
        "type": interface.type,
        "entryPoint": {"dataInput": inputs, "dataOutput": outputs, "pluginDependencies": needed},
    }


def _data(item: DataItem) -> dict[str, object]:
    return {"dataType": item.data_type, "contentType": item.content_type, "required": item.required}


def report_document(report: InstallReport) -> dict[str, object]:
    """What an installation did, or would do."""
    return {
        "dry_run": report.dry_run,
        "failed": report.failed,
        "plugins": [_installation(installation) for installation in report.installations],
        "problems": place_documents(report.problems),
        "differing": report.differing,
    }


def _installation(installation: Installation) -> dict[str, object]:
    return {
        **plugin_document(installation.plugin),
        "problem": installation.problem and str(installation.problem),
        "packages": installation.packages,
        "added": installation.difference.added,
        "changed": installation.difference.changed,
        "removed": installation.difference.removed,
        "environment": installation.environment_id,
        "built": installation.built,
    }


def place_documents(problems: Sequence[PlaceProblem]) -> list[dict[str, object]]:
    """Places that could not be looked into."""
    return [
        {"origin": place.origin, "problem": str(place.problem), "missing": place.missing}
        for place in problems
    ]
