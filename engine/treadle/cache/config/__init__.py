"""The configuration of caches: `fleche.toml`, the table `[cache]` of `treadle.toml`, and caches as tables."""

from __future__ import annotations

from treadle.cache.config.describing import from_config, to_config
from treadle.cache.config.files import Configuration, read_configuration
from treadle.cache.config.loading import find_table, load, load_collectors
from treadle.cache.config.rows import ConfigurationRow, describe_configuration

__all__ = [
    "Configuration",
    "ConfigurationRow",
    "describe_configuration",
    "find_table",
    "from_config",
    "load",
    "load_collectors",
    "read_configuration",
    "to_config",
]
