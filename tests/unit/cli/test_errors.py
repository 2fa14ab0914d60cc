"""How the command ends when something is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.cli.errors import error_text
from treadle.errors import ResolutionFailed, TreadleError


def test_error_reads_what_then_remedy_then_the_other_programs_words() -> None:
    error = ResolutionFailed("No set of packages.", remedy="Check the name.", detail="\ncause:\n  no numpy\n")
    assert error_text(error) == "Error: No set of packages.\nCheck the name.\n    cause:\n      no numpy"
    assert error_text(TreadleError("Only this.")) == "Error: Only this."


def test_known_error_is_told_without_a_traceback(call) -> None:
    said = call("dataset", "show", "nothing")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Error: ")
    assert "'nothing'" in said.err
    assert "Traceback" not in said.err


def test_known_error_is_a_json_document_too(call) -> None:
    said = call("show", "7", "--json")
    assert said.code == 2
    assert said.data["error"]["kind"] == "UnknownName"
    assert "7" in said.data["error"]["what"]
    assert said.data["error"]["what"] in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs", "--wrong"], "No such option: --wrong"),
        (["rusn"], "No such command 'rusn'. Did you mean 'run', 'runs'?"),
        (["show"], "Missing argument"),
        (["show", "three"], "'RUN': Input should be a valid integer"),
        (["runs", "--limit", "0"], "'--limit': Input should be greater than or equal to 1"),
    ],
)
def test_wrong_words_are_told_in_one_line(call, words: list[str], message: str) -> None:
    said = call(*words)
    assert (said.code, said.out) == (2, "")
    first, second = said.err.splitlines()
    assert first.startswith("Error: ")
    assert message in first
    assert second.startswith("See `treadle")


def test_group_without_a_command_shows_its_help(call) -> None:
    said = call("dataset")
    assert said.code == 2
    assert "create" in said.err


def test_broken_settings_are_named(call, tmp_path: Path) -> None:
    (tmp_path / "treadle.toml").write_text("port = 'x'\n")
    said = call("runs")
    assert said.code == 2
    assert f"{tmp_path}/treadle.toml, line 1: port cannot be 'x'" in said.err


def test_defect_leaves_its_traceback_in_a_file(call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle.settings.describe", lambda _: 1 / 0)
    said = call("config", "show")
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "ZeroDivisionError" in said.err
    [file] = (home / "logs").iterdir()
    assert str(file) in said.err
    assert "ZeroDivisionError" in file.read_text()
    assert "Traceback" in file.read_text()


def test_defect_is_kept_even_where_the_home_cannot_be_made(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treadle.settings.describe", lambda _: 1 / 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "home").write_text("in the way")
    said = call("config", "show")
    [file] = tmp_path.glob("treadle-failure-*.txt")
    assert said.code == 1
    assert str(file) in said.err


def test_home_that_cannot_be_made_is_an_error_with_a_remedy(call, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    said = call("runs")
    assert said.code == 1
    assert "cannot be made" in said.err
    assert "TREADLE_HOME" in said.err


def test_interrupt_ends_with_one_line_and_130(tmp_path: Path) -> None:
    """The command reads a pipe that nobody writes to; Ctrl-C then comes.

    The pipe ends after the signal: one that comes just before the read has its effect when the read is over.
    """
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-m", "treadle", "workflow", "import", str(pipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        writer = os.open(pipe, os.O_WRONLY)  # returns when the command has opened its end
        command.send_signal(signal.SIGINT)
        os.close(writer)
        out, err = command.communicate(timeout=30)
    assert (command.returncode, out, err) == (130, "", "Error: Interrupted.\n")
