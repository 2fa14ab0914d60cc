"""The next version of the greeting; it needs what contradicts the version before."""

from __future__ import annotations

from qhana_plugin_runner.util.plugins import QHAnaPluginBase


class Greeting(QHAnaPluginBase):
    """Greets better."""

    name = "greeting"
    version = "v2.0.0rc1"
    description = "Greets whoever calls it, in more words."
    tags = ["example"]

    def get_requirements(self) -> str:
        """What it needs, in the form of a requirements file."""
        return "humanize>=4.10"
