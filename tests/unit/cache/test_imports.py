"""What importing and using the cache brings in: libraries of values only with their values."""

from __future__ import annotations

import subprocess
import sys

import pytest

CALL = """
import sys
from treadle.cache import cache, cached

@cached
def echo(x):
    return x

with cache("memory"):
    echo(echo({"a": [1, 2.5, None]}))
"""
KEY_OF_AN_ARRAY = """
import sys
import numpy as np
from treadle.cache import digest_of
digest_of(np.arange(3))
"""


@pytest.mark.parametrize(
    ("program", "foreign"),
    [
        (CALL, {"numpy", "pandas", "sqlalchemy", "prefect", "distributed", "fsspec", "h5py", "pydantic"}),
        (KEY_OF_AN_ARRAY, {"pandas", "numpy.ma", "numpy.random"}),
    ],
    ids=["plain values", "an array"],
)
def test_only_what_values_need_is_imported(program: str, foreign: set[str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "treadle.cache" in shown
    assert not foreign & set(shown)
