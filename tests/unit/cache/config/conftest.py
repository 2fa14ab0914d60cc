"""Folders and files of a user who has no other configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Place:
    """A home folder and a project in it, where the user is."""

    home: Path
    project: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project, or of a folder above it."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path.resolve()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path / "user", tmp_path / "user" / "science" / "project")
    made.project.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("FLECHE_SECRET_KEY", raising=False)
    monkeypatch.setenv("TREADLE_HOME", str(made.home / "treadle"))
    monkeypatch.chdir(made.project)
    return made


Write = Callable[[str, str], Path]
