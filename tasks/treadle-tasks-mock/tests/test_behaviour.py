from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from treadle_tasks_mock.tasks import act_on_item


def test_both_streams_are_used(run, item, monkeypatch):
    monkeypatch.setenv("FRACTAL_CACHE_DIR", "/cache")
    done = run(
        "act_on_item",
        zarr_url=item,
        stdout="hello",
        stderr="trouble",
        print_lines=3,
        print_environment=["FRACTAL_CACHE_DIR", "NOT_SET"],
    )
    assert done.stdout == "hello\nFRACTAL_CACHE_DIR=/cache\nNOT_SET=\nline 0\nline 2\n"
    assert done.stderr == "trouble\nline 1\n"


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ({}, 1, "ChosenFailure: asked to fail on"),
        ({"failure": "exit", "exit_code": 7}, 7, "asked to fail on"),
        ({"failure": "signal"}, -signal.SIGKILL, "asked to fail on"),
        ({"failure": "signal", "signal": "SIGSEGV"}, -signal.SIGSEGV, "asked to fail on"),
    ],
)
def test_a_chosen_item_fails_in_the_chosen_way(run, item, how, status, words):
    done = run("act_on_item", zarr_url=item, fail_on=["_0000"], output="updates", **how)
    assert done.status == status
    assert words in done.stderr
    assert done.out is None
    assert run("act_on_item", zarr_url=item, fail_on=["_0001"], **how).status == 0


def test_an_attempt_after_the_failing_ones_succeeds(run, item):
    statuses = [run("act_on_item", zarr_url=item, fail_on=[""], fail_first=2).status for _ in range(3)]
    assert statuses == [1, 1, 0]


def test_a_call_for_all_items_fails_if_one_is_chosen(run, tmp_path):
    given = {"zarr_dir": str(tmp_path), "zarr_urls": ["/d/a", "/d/b"]}
    assert run("act_on_all_items", **given, fail_on=["/b"]).status == 1
    assert run("act_on_all_items", **given, fail_on=["/c"]).status == 0


def test_time_is_taken(run, item):
    start = time.monotonic()
    run("act_on_item", zarr_url=item, sleep_seconds=0.3, cpu_seconds=0.2)
    assert time.monotonic() - start >= 0.5


def test_memory_is_really_used(item, tmp_path):
    """The operating system's peak for the process holds the pages that were asked for."""

    def peak_mb(memory_mb):
        arguments = tmp_path / f"{memory_mb}.json"
        arguments.write_text(json.dumps({"zarr_url": item, "memory_mb": memory_mb}))
        options = ["--args-json", str(arguments), "--out-json", str(tmp_path / "out.json")]
        command = [sys.executable, act_on_item.__file__, *options]
        process = os.posix_spawn(sys.executable, command, os.environ)
        _, status, usage = os.wait4(process, 0)
        assert status == 0
        return usage.ru_maxrss * 1024 / 1e6

    assert peak_mb(0) < 150
    assert 300 < peak_mb(300) < 350


def test_files_are_written_and_runs_recorded(run, item, tmp_path):
    record = tmp_path / "records" / "runs.jsonl"
    for _ in range(2):
        run("act_on_item", zarr_url=item, write_file="sub/x.bin", file_size=5000, record_file=str(record))
    assert (Path(item) / "sub" / "x.bin").stat().st_size == 5000
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["zarr_url"] for line in lines] == [item, item]
    assert lines[0]["pid"] != lines[1]["pid"]
    assert lines[0]["started"] < lines[1]["started"]


def test_it_waits_for_a_file_or_gives_up(run, item, tmp_path):
    gate = tmp_path / "gate"
    done = run("act_on_item", zarr_url=item, wait_for_file=str(gate), wait_seconds=0.1)
    assert done.status == 1
    assert f"{gate} did not appear" in done.stderr
    gate.touch()
    assert run("act_on_item", zarr_url=item, wait_for_file=str(gate), wait_seconds=0.1).status == 0


def test_a_child_process_outlives_the_unit(run, item):
    done = run("act_on_item", zarr_url=item, child_seconds=600, child_keeps_output=False)
    assert done.status == 0
    child = int(done.stdout.split()[1])
    try:
        os.kill(child, 0)
        assert os.getsid(child) == child
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("text", ["[]", "not json", '{"image_list_updates": [], "extra": 1}', ""])
def test_any_text_can_be_the_out_file(run, item, text):
    done = run("act_on_item", zarr_url=item, output="updates", raw_output=text)
    assert (done.status, done.out) == (0, text)


def test_raw_output_can_be_for_chosen_items_and_name_them(run, item):
    asked = {"raw_output": '{"url": "{zarr_url}"}', "output": "null"}
    assert run("act_on_item", zarr_url=item, **asked).output == {"url": item}
    assert run("act_on_item", zarr_url=item, raw_output_on=["_0001"], **asked).out == "null"
    whole = run("create_items", zarr_dir="/nowhere", count=0, raw_output="[1]")
    assert whole.out == "[1]"
