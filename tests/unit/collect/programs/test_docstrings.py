from __future__ import annotations

from treadle.collect.programs.docstrings import read_docstring


def test_no_docstring_says_nothing() -> None:
    assert read_docstring(None) == ("", {})
    assert read_docstring("Only a sentence.") == ("Only a sentence.", {})


def test_arguments_are_described_over_several_lines() -> None:
    text = """Do it.

    At length.

    Args:
        first: What comes
            first: and more of it.

            A second paragraph.
        second (int, optional): What comes next.
        *third: The rest.

    Returns:
        not: an argument.
    """

    info, descriptions = read_docstring(text)

    assert info == "Do it.\n\nAt length."
    assert descriptions == {
        "first": "What comes first: and more of it. A second paragraph.",
        "second": "What comes next.",
        "third": "The rest.",
    }


def test_a_section_of_arguments_may_be_empty_or_not_first() -> None:
    assert read_docstring("Raises:\n    ValueError: never\nArgs:") == ("", {})
    assert read_docstring("Note:\n    x\nArgs:\n    a: b") == ("", {"a": "b"})
