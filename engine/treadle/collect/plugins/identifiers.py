"""How plugins are told apart: by name and version, in QHAna's spelling (QHAna 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from packaging.version import InvalidVersion, Version

_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]*[A-Za-z0-9][A-Za-z0-9._~-]*")


class Named(Protocol):
    """Whatever has the name and the version of a plugin; None where it is not known."""

    @property
    def name(self) -> str | None:
        """Name."""

    @property
    def version(self) -> str | None:
        """Version as the plugin writes it."""


N = TypeVar("N", bound=Named)


def plugin_identifier(name: str, version: str) -> str:
    """`name@version` with every dot as a hyphen, so that it can stand in a URL."""
    return f"{name}@{version}".replace(".", "-")


def is_plugin_name(name: str) -> bool:
    """Whether a name can stand in a URL as it is."""
    return _URL_SAFE.fullmatch(name) is not None


def parse_version(text: str) -> Version | None:
    """The version that a text is by PEP 440, with or without a `v` before it, or None."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def distribution_name(name: str) -> str:
    """The name under which a plugin is installed: normalised, and never that of what it needs."""
    return f"plugin-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"


def newest(plugins: Iterable[N]) -> N | None:
    """The plugin with the highest version in the order of PEP 440, or None if none has a version.

    A pre-release is older than its release, and newer than any release before that.
    """
    known = [(version, plugin) for plugin in plugins if (version := parse_version(plugin.version or ""))]
    return max(known, key=lambda pair: pair[0], default=(None, None))[1]
