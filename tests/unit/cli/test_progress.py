"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import re
import sys

import pytest

from treadle.cli.progress import watching
from treadle.compile.observer import Observer
from treadle.model.states import StepState


def play(observer: Observer) -> None:
    observer.step_started(0, "import")
    observer.units_planned(0, 1)
    observer.units_ended(0, 1, 0)
    observer.units_planned(0, 6)
    observer.units_ended(0, 4, 0)
    observer.units_ended(0, 0, 2)
    observer.step_ended(0, StepState.FAILED)


def test_without_a_terminal_each_step_has_a_line_at_both_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with watching(["import", "segment"]) as observer:
        play(observer)
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first == "import ..."
    assert re.fullmatch(r"import: failed, 7/7, 2 failed units, [0-9.]+ s", second)


def test_on_a_terminal_each_step_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with watching(["import", "[segment]"]) as observer:
        play(observer)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).splitlines()
    [import_line] = [line for line in last if line.startswith("import ") and "failed" in line][-1:]
    [segment_line] = [line for line in last if line.startswith("[segment]")][-1:]
    assert "7/7, 2 failed" in import_line
    assert "not run" in segment_line
