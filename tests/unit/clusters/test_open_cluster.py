"""Choosing a cluster by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from treadle.clusters import open_cluster
from treadle.errors import UsageError
from treadle.settings import Settings


def test_the_local_cluster_has_as_many_slots_as_the_settings_say(tmp_path: Path) -> None:
    cluster = open_cluster("local", Settings(home=tmp_path, workers=3))
    assert (cluster.name, cluster.slots) == ("local", 3)


def test_an_unknown_name_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no cluster 'moon'.*local"):
        open_cluster("moon", Settings(home=tmp_path))


def test_choosing_a_cluster_does_not_load_dask() -> None:
    program = (
        "import sys, treadle.clusters, treadle.settings\n"
        "treadle.clusters.open_cluster('local', treadle.settings.Settings())\n"
        "sys.exit('distributed' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
