"""Tables for people, JSON for programs."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from treadle.cli.output import print_json, print_table
from treadle.model.dataset import Item
from treadle.model.states import RunState


def test_piped_table_is_plain_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "seconds", "note"], [("a" * 200, 1.234, None), ("b", 22.0, "two\nlines")])
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "name" + " " * 198 + "seconds  note"
    assert second == "a" * 200 + "  1.23"
    assert third == "b" + " " * 201 + "22.00    two lines"


def test_table_on_a_terminal_fits_it_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_table(["step", "state"], [("x" * 60, RunState.FAILED), ("[bold]", "done")])
    text = terminal.getvalue()
    assert text.count("x") == 60
    assert "[bold]" in text
    assert "─" in text


def test_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a"], [], empty="No run yet.")
    assert capsys.readouterr().out == "No run yet.\n"


def test_json_of_models_times_and_paths_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "item": Item(zarr_url="/data/ä", attributes={"z": 1.0}),
            "at": datetime(2026, 11, 1, 12, tzinfo=UTC),
            "in": Path("/data"),
            "state": RunState.DONE,
        }
    )
    out = capsys.readouterr().out
    assert "/data/ä" in out
    assert json.loads(out) == {
        "item": {"zarr_url": "/data/ä", "origin": None, "attributes": {"z": 1.0}, "types": {}},
        "at": "2026-11-01T12:00:00Z",
        "in": "/data",
        "state": "done",
    }
