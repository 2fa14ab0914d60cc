"""Which commands run, and which are refused (Fractal 1.3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.errors import CommandInvalid
from treadle.execute.invocation import check_command, find_executable, split_command, unit_words

FORBIDDEN = "`#$&*()\\|[]{};<>?!"


def test_a_command_is_split_by_the_quoting_rules_of_a_shell() -> None:
    assert split_command("""/bin/tool --name 'two words' "it's" plain""") == (
        "/bin/tool",
        "--name",
        "two words",
        "it's",
        "plain",
    )


@pytest.mark.parametrize("character", FORBIDDEN)
def test_each_forbidden_character_is_refused_by_name_even_in_quotes(character: str) -> None:
    with pytest.raises(CommandInvalid) as raised:
        split_command(f"tool 'a{character}b'")
    assert repr(character) in raised.value.what


@pytest.mark.parametrize("character", FORBIDDEN)
def test_a_word_with_a_forbidden_character_is_refused_again_when_it_runs(character: str) -> None:
    with pytest.raises(CommandInvalid):
        check_command(("/bin/tool", f"x{character}"))


@pytest.mark.parametrize("text", ["tool --name='a b", 'tool "', "", "   "])
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(CommandInvalid):
        split_command(text)


@pytest.mark.parametrize("words", [(), ("",), ("tool", "a\0b")])
def test_words_that_no_system_can_run_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandInvalid):
        check_command(words)


def test_ordinary_paths_are_not_refused() -> None:
    check_command(("/home/é/my tools/bin/python3.11", "/data/a-b_c/d.e,f=g:h@i%j^k~l+m'n\"o.py"))


def test_a_first_word_that_is_not_executable_is_named(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    for word in (str(plain), str(tmp_path / "missing"), str(tmp_path)):
        with pytest.raises(CommandInvalid, match=f"'{word}' is not an executable file"):
            find_executable(word, "/bin")


def test_a_bare_name_is_looked_for_in_the_units_path(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert find_executable("tool", str(tmp_path)) == str(tool)
    with pytest.raises(CommandInvalid, match="in any folder of PATH"):
        find_executable("tool", "/nowhere")


def test_the_two_files_come_last() -> None:
    words = unit_words(("python", "task.py"), Path("/s/args.json"), Path("/s/out.json"))
    assert words == ["python", "task.py", "--args-json", "/s/args.json", "--out-json", "/s/out.json"]
