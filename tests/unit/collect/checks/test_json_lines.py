from __future__ import annotations

import pytest

from treadle.collect.checks.json_lines import first_line, line_of

TEXT = """{
  "manifest_version": "2",
  "task_list": [
    {"name": "one"},
    {
      "name": "two, [and] {three}",
      "meta": {"a b": {"c": 1}},
      "empty": [],
      "type": "parallel"
    }
  ]
}"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("manifest_version", 2),
        ("task_list", 3),
        ("task_list[0].name", 4),
        ("task_list[1]", 5),
        ("task_list[1].name", 6),
        ('task_list[1].meta["a b"].c', 7),
        ("task_list[1].type", 9),
        ("task_list[1].gone", 5),
        ("task_list[7].type", 3),
        ("gone", 1),
        ("", 1),
        ("The manifest of x is empty", 1),
    ],
)
def test_places_have_lines(place: str, line: int) -> None:
    assert line_of(TEXT, place) == line


def test_first_line_is_sought_behind_the_one_before() -> None:
    text = "name = 1\n[project]\nversion = 2\nname = 3\n"

    assert first_line(text, [r"\[project\]", "name"]) == 4
    assert first_line(text, [r"\[project\]", "gone"]) is None
