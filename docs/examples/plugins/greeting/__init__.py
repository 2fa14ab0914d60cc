"""A plugin in the usual form: this module says what it is, and imports nothing that costs time."""

from __future__ import annotations

from textwrap import dedent

from qhana_plugin_runner.util.plugins import QHAnaPluginBase

_NAME = "greeting"
__version__ = "v1.2.0"


class Greeting(QHAnaPluginBase):
    """Greets."""

    name = _NAME
    version = __version__
    description = "Greets whoever calls it."
    tags = ["example", f"{_NAME}-maker"]

    def get_requirements(self) -> str:
        """What it needs, in the form of a requirements file."""
        return dedent(
            """
            # numbers as people read them
            humanize>=4.6,<4.10
            """
        )


try:
    from . import routes  # the last: it needs what is above
except ImportError:
    pass
