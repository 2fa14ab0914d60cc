"""How a unit's end is judged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from treadle.execute.logs import LogPart
from treadle.execute.records import Verdict, ended_without_result, judge
from treadle.model.states import Cause, UnitState


def judged(
    folder: Path, *, exit_code: int = 0, out: str | None = None, log: str = "", is_init: bool = False
) -> Verdict:
    if out is not None:
        (folder / "out.json").write_text(out)
    (folder / "log").write_text(log)
    part = LogPart(folder / "log", 0, len(log))
    return judge(exit_code, folder / "out.json", part, is_init=is_init)


@pytest.mark.parametrize("out", [None, "null", " null\n"])
@pytest.mark.parametrize("is_init", [False, True])
def test_no_output_is_success_without_updates(tmp_path: Path, out: str | None, is_init: bool) -> None:
    verdict = judged(tmp_path, out=out, is_init=is_init)
    assert (verdict.state, verdict.output) == (UnitState.DONE, None)


def test_output_is_kept_as_it_was_returned(tmp_path: Path) -> None:
    verdict = judged(tmp_path, out='{"image_list_updates": [{"zarr_url": "/d/a", "types": {"x": true}}]}')
    assert verdict.state is UnitState.DONE
    assert verdict.output == {"image_list_updates": [{"zarr_url": "/d/a", "types": {"x": True}}]}


@pytest.mark.parametrize(
    ("out", "is_init"),
    [
        ("", False),
        ("{", False),
        ("[" * 100_000, False),
        ("[]", False),
        ("7", False),
        ('{"filters": {}}', False),
        ('{"image_list_updates": [{"zarr_url": "relative"}]}', False),
        ('{"parallelization_list": []}', False),
        ('{"image_list_updates": []}', True),
    ],
)
def test_output_that_is_not_a_units_is_invalid(tmp_path: Path, out: str, is_init: bool) -> None:
    verdict = judged(tmp_path, out=out, is_init=is_init)
    assert (verdict.state, verdict.cause) == (UnitState.FAILED, Cause.INVALID_OUTPUT)
    assert verdict.error


def test_output_that_is_no_file_is_invalid_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.json")
    assert judged(tmp_path).cause is Cause.INVALID_OUTPUT


@pytest.mark.parametrize(("exit_code", "words"), [(3, "Exit status 3."), (-9, "SIGKILL"), (-64, "signal 64")])
def test_any_other_end_is_a_failure_with_status_and_last_lines(
    tmp_path: Path, exit_code: int, words: str
) -> None:
    log = "".join(f"line {number}\n" for number in range(1000)) + "ValueError: no such well\n"
    verdict = judged(tmp_path, exit_code=exit_code, out="{}", log=log)
    assert (verdict.state, verdict.cause, verdict.output) == (UnitState.FAILED, Cause.FAILED, None)
    assert verdict.error is not None
    assert words in verdict.error.splitlines()[0]
    assert verdict.error.endswith("ValueError: no such well")
    assert "line 0\n" not in verdict.error


def test_a_huge_log_is_replaced_by_a_placeholder_above_its_last_lines(tmp_path: Path) -> None:
    verdict = judged(tmp_path, exit_code=1, log="x" * 100_001 + "\nthe end\n")
    assert verdict.error is not None
    assert "too long to repeat" in verdict.error
    assert verdict.error.endswith("the end")
    assert len(verdict.error) < 10_000


def test_a_unit_without_a_process_has_a_record_too() -> None:
    lost = ended_without_result(4, Cause.WORKER_LOST, "died")
    cancelled = ended_without_result(5, Cause.CANCELLED, "stopped")
    assert (lost.index, lost.state, lost.error) == (4, UnitState.FAILED, "died")
    assert (cancelled.index, cancelled.state) == (5, UnitState.CANCELLED)
    assert lost.started_at.utcoffset() is not None
