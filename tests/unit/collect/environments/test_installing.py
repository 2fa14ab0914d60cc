from __future__ import annotations

import pytest

from treadle.collect.environments.installing import only_about

WORDS = """Using Python 3.11.7 environment at: v
Checked 3 packages in 0.40ms
Found 2 incompatibilities
The package `main` requires `Tiny_Library[x]>=2 ; python_version > '3'`, but `1.0` is installed
The package `other` requires `numpy`, but it's not installed
"""


@pytest.mark.parametrize(
    ("names", "expected"),
    [({"tiny-library", "numpy"}, True), ({"tiny-library"}, False), ({"main", "other"}, False), ((), False)],
)
def test_contradictions_are_accepted_for_overridden_names_alone(names, expected: bool) -> None:
    assert only_about(WORDS, names) is expected


def test_other_failures_are_none_of_overridden_names() -> None:
    assert not only_about("error: no such environment", {"numpy"})
    assert not only_about("Found 1 incompatibility\nThe package `x` requires `? ?`, but", {"numpy"})
