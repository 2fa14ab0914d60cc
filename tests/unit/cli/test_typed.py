from pathlib import Path

import pytest

from treadle.cli.typed import as_typed


def test_a_command_is_named_plainly_where_treadle_was_called_plainly() -> None:
    assert as_typed("treadle up", {}) == "treadle up"


def test_a_command_goes_through_uv_where_this_one_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    through_uv = {"UV": str(tmp_path / ".uv" / "bin" / "uv"), "UV_RUN_RECURSION_DEPTH": "1"}
    assert as_typed("treadle up", through_uv) == ".uv/bin/uv run treadle up"


def test_uv_elsewhere_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    through_uv = {"UV": "/opt/my tools/uv", "UV_RUN_RECURSION_DEPTH": "1"}
    assert as_typed("treadle up", through_uv) == "'/opt/my tools/uv' run treadle up"
