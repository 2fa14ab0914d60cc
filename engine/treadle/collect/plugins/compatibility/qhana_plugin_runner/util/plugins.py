"""The base class of plugins (QHAna 3.1); only the standard library, and Python 3.9 on."""

from __future__ import annotations

import re
from typing import Any, ClassVar

_VERSION = re.compile(
    r"\s*v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>\d*))?"
    r"(?P<post>-(?P<post_alone>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>\d*))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*",
    re.IGNORECASE,
)
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_FIRST = ("", -1)
_LAST = ("z", 0)


def plugin_identifier(name: str, version: str) -> str:
    """`name@version` with every dot as a hyphen, so that it can stand in a URL."""
    return f"{name}@{version}".replace(".", "-")


def parse_version(version: str) -> tuple[Any, ...]:
    """Something that compares as the version does in the order of PEP 440.

    Raises:
        ValueError: It is none by PEP 440.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is no version by PEP 440")
    numbers = [int(number) for number in match["release"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    word = (match["pre"] or "").lower()
    post = int(match["post_alone"] or match["post_number"] or 0) if match["post"] else -1
    dev = (0, int(match["dev_number"] or 0)) if match["dev"] else (1, 0)
    pre = (_PRE.get(word, word), int(match["pre_number"] or 0)) if word else _LAST
    if not word and not match["post"] and match["dev"]:
        pre = _FIRST
    local = tuple(
        (1, int(part), "") if part.isdigit() else (0, 0, part.lower())
        for part in re.split("[-_.]", match["local"] or "")
        if part
    )
    return int(match["epoch"] or 0), tuple(numbers), pre, post, dev, local


class QHAnaPluginBase:
    """Base of all plugins: a class that derives from it, and has a name and a version, makes the plugin.

    Attributes:
        name: Stable name that can stand in a URL.
        version: Version by PEP 440; a `v` may stand before it.
        description: For people.
        tags: For searching.
        instance: The one object of the class.
        has_api: Whether the plugin has endpoints.
        app: The application that the plugin belongs to; None here.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    description: ClassVar[str] = ""
    tags: ClassVar[list[str]] = []
    instance: ClassVar[QHAnaPluginBase]
    has_api: ClassVar[bool] = False

    app: Any = None
    __plugins: ClassVar[dict[str, QHAnaPluginBase]] = {}

    def __init__(self, app: Any = None) -> None:
        if app is not None:
            self.init_app(app)

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Make and register the plugin; a class without name or version is there for others to derive from.

        Raises:
            ValueError: Another plugin has its name and version, or the version is none.
        """
        super().__init_subclass__(**keywords)
        plugin = cls(None)
        if not (getattr(plugin, "name", None) and getattr(plugin, "version", None)):
            return
        parse_version(plugin.version)
        if plugin.identifier in QHAnaPluginBase.__plugins:
            raise ValueError(f"two plugins are {plugin.identifier}")
        QHAnaPluginBase.__plugins[plugin.identifier] = plugin
        cls.instance = plugin
        cls.has_api = cls.get_api_blueprint is not QHAnaPluginBase.get_api_blueprint

    def init_app(self, app: Any) -> None:
        """Take the application that the plugin belongs to."""
        self.app = app

    @property
    def identifier(self) -> str:
        """Name and version in one."""
        return plugin_identifier(self.name, self.version)

    @property
    def parsed_version(self) -> tuple[Any, ...]:
        """The version, comparable."""
        return parse_version(self.version)

    @staticmethod
    def get_plugins() -> dict[str, QHAnaPluginBase]:
        """All plugins by their identifiers."""
        return QHAnaPluginBase.__plugins

    def get_api_blueprint(self) -> Any:
        """The plugin's endpoints.

        Raises:
            NotImplementedError: It has none.
        """
        raise NotImplementedError

    def get_requirements(self) -> str:
        """What the plugin needs, in the form of a requirements file.

        Raises:
            NotImplementedError: It needs nothing.
        """
        raise NotImplementedError
