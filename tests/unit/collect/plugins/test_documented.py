"""The plugins that the documentation shows are such as Treadle reads."""

from __future__ import annotations

from pathlib import Path

from treadle.collect.plugins.reading import read
from treadle.collect.plugins.walk import candidates

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples" / "plugins"


def test_examples_are_two_versions_of_a_plugin_that_are_literal_throughout() -> None:
    found = [read(path) for path in candidates(EXAMPLES)]
    assert [(reading.metadata.name, reading.metadata.version) for reading in found] == [
        ("greeting", "v1.2.0"),
        ("greeting", "v2.0.0rc1"),
    ]
    for reading in found:
        assert reading.problem is None
        assert reading.metadata.unknown == ()
        assert "humanize" in (reading.metadata.requirements or "")
