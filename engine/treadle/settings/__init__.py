"""All settings of Treadle, and where each value comes from.

A value is taken, one setting at a time, from the first of these that has it:

1. a flag of the command;
2. the environment variable `TREADLE_` and the setting's name in capitals;
3. `treadle.toml` in the current folder or the nearest folder above it that has one; the search ends
   at the folder that holds `.git`, or at the root;
4. `treadle.toml` in the home folder of Treadle, which may set everything but `home`;
5. the variables of older servers: of Fractal, what names its SLURM configuration, for `clusters.slurm`, and
   its interpreters, for `python` and `pythons`; of a QHAna plugin runner, `PLUGIN_FOLDERS` and `GIT_PLUGINS`;
6. the default.

The values of clusters are taken one by one in the same way.
"""

from __future__ import annotations

from treadle.settings.layers import FILE_NAME
from treadle.settings.loading import load_settings
from treadle.settings.rows import SettingRow, describe
from treadle.settings.values import PREFIX, Settings

__all__ = ["FILE_NAME", "PREFIX", "SettingRow", "Settings", "describe", "load_settings"]
