"""How filters are read from the command line."""

from __future__ import annotations

import pytest

from treadle.cli.options import attribute_filters, type_filters
from treadle.errors import UsageError, WorkflowInvalid


def test_values_of_one_key_are_alternatives_and_keep_their_type() -> None:
    assert attribute_filters(["plate=A", "plate=B=1", "well=3", 'name="3"', "used=true", "z=1.5"]) == {
        "plate": ["A", "B=1"],
        "well": [3],
        "name": ["3"],
        "used": [True],
        "z": [1.5],
    }


@pytest.mark.parametrize("text", ["NaN", "Infinity", "null", "[1]", '{"a": 1}', "01"])
def test_what_is_no_json_scalar_is_text(text: str) -> None:
    assert attribute_filters([f"key={text}"]) == {"key": [text]}


def test_mixed_types_of_one_key_are_refused() -> None:
    with pytest.raises(WorkflowInvalid, match="well"):
        attribute_filters(["well=3", "well=A"])


def test_types_are_true_or_false() -> None:
    assert type_filters(["is_3D=false", "masked=true"]) == {"is_3D": False, "masked": True}


@pytest.mark.parametrize("word", ["plate", "=A", "plate=", " =A"])
def test_words_of_another_form_are_refused_with_an_example(word: str) -> None:
    with pytest.raises(UsageError, match="name=value") as caught:
        attribute_filters([word])
    assert "--where plate=A1" in caught.value.remedy


@pytest.mark.parametrize("words", [["is_3D=maybe"], ["is_3D"], ["a=true", "a=false"]])
def test_wrong_types_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--type"):
        type_filters(words)
