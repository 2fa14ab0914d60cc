"""What `show` and `runs --usage` say of jobs and of what was used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from treadle.ledger import Ledger, jobs, runs, sqlite_url, units
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, RunState, StepState, UnitState
from treadle.model.task import Part
from treadle.model.units import Unit
from treadle.testing.bench import Asked, Bench, add_tasks
from treadle.testing.deaths import Fate

BEGIN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ENDED = {"cause": None, "error": None, "state": UnitState.DONE}
KILLED = {"cause": Cause.OUT_OF_MEMORY, "error": "It needed 5 GB.", "state": UnitState.FAILED}


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(home / "ledger.sqlite")) as opened:
        yield opened


@pytest.fixture
def bench(ledger: Ledger, tmp_path: Path) -> Bench:
    """A run of two steps whose units need 2 cpus and 4 GB."""
    with ledger.writing() as tx:
        add_tasks(tx)
    asked = Asked(["Mark", "Derive"], items=2, meta={"cpus_per_task": 2, "mem": 4000})
    return Bench.submitted(ledger, tmp_path, asked, Fate())


def record(bench: Bench, position: int, *ends: dict[str, object], worker: str = "w1") -> None:
    """Write units of 10 s of wall time, 15 s of CPU time and 3 GB."""
    records = [
        UnitRecord(
            index=index,
            output=None,
            exit_code=0,
            seconds=10.0,
            cpu_seconds=15.0,
            peak_memory_bytes=3_000_000_000,
            host="n2",
            worker=worker,
            started_at=BEGIN,
            log_file=None,
            log_offset=0,
            log_length=0,
            **end,  # type: ignore[arg-type]
        )
        for index, end in enumerate(ends)
    ]
    with bench.ledger.writing() as tx:
        planned = [Unit(one.index, Part.PARALLEL, f"/data/item-{one.index}", {}) for one in records]
        units.plan_units(tx, bench.run_id, position, planned)
        units.record_units(tx, bench.run_id, position, records)


def submit_job(bench: Bench, job_id: str, name: str) -> None:
    with bench.ledger.writing() as tx:
        jobs.add_job(
            tx,
            bench.run_id,
            name=name,
            cluster="slurm",
            job_id=job_id,
            shape="4 cpus, 8 GB",
            cpus=4,
            memory_mb=8000,
        )


def end_job(bench: Bench, job_id: str) -> None:
    with bench.ledger.writing() as tx:
        jobs.end_job(
            tx,
            bench.run_id,
            "slurm",
            job_id,
            state="COMPLETED",
            node="n2",
            submitted_at=BEGIN - timedelta(seconds=12),
            started_at=BEGIN,
            ended_at=BEGIN + timedelta(seconds=3600),
            cpu_seconds=7200.0,
            peak_memory_mb=6000,
            text="",
        )


def lines_of(text: str, first_word: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.startswith(first_word)]


def test_a_run_on_this_machine_shows_what_its_steps_used(call: Any, bench: Bench) -> None:
    record(bench, 0, ENDED, ENDED)
    record(bench, 1, ENDED)

    shown = call("show", str(bench.run_id))

    assert shown.out.count("memory efficiency") == 1
    assert "queue seconds" in shown.out
    assert "job" not in shown.out
    assert lines_of(shown.out, "0 Mark")[1] == ["0", "Mark", "0.0083", "0.0111", "75%", "3000", "75%"]
    assert lines_of(shown.out, "3 units")[0][2:] == ["0.0125", "0.0167", "75%", "3000", "75%"]


def test_usage_of_a_run_is_there_for_programs(call: Any, bench: Bench) -> None:
    record(bench, 0, ENDED, ENDED)

    document = call("show", str(bench.run_id), "--json").data

    first, second = document["usage"]["steps"]
    assert (first["name"], first["count"], first["cpu_efficiency"]) == ("0 Mark", 2, 0.75)
    assert first["cpu_hours"] == pytest.approx(30 / 3600)
    assert first["reserved_cpu_hours"] == pytest.approx(40 / 3600)
    assert (second["count"], second["cpu_efficiency"], second["queue_seconds"]) == (0, None, None)
    assert document["usage"]["units"]["count"] == 2
    assert document["usage"]["jobs"]["count"] == 0
    assert document["jobs"] == []


def test_a_run_on_a_cluster_shows_its_jobs_and_who_waited_for_them(call: Any, bench: Bench) -> None:
    submit_job(bench, "17", "w1")
    record(bench, 0, ENDED, ENDED)
    end_job(bench, "17")
    submit_job(bench, "18", "w2")

    text = call("show", str(bench.run_id)).out
    document = call("show", str(bench.run_id), "--json").data

    assert lines_of(text, "17") == [["17", "COMPLETED", "n2", "4", "8000", "6000", "12.00", "3600.00"]]
    assert lines_of(text, "18") == [["18", "not", "ended", "4", "8000"]]
    assert lines_of(text, "1 job")[0][2:] == ["2.0", "4.0", "50%", "6000", "75%", "12"]
    assert lines_of(text, "0 Mark")[1][-1] == "12"
    first, last = document["jobs"]
    assert (first["job"], first["state"], first["queue_seconds"], first["run_seconds"]) == (
        "17",
        "COMPLETED",
        12.0,
        3600.0,
    )
    assert (last["job"], last["state"], last["run_seconds"]) == ("18", None, None)
    assert document["usage"]["steps"][0]["queue_seconds"] == 12.0
    assert document["usage"]["jobs"]["reserved_cpu_hours"] == 4.0


def test_a_failed_unit_names_its_job_and_node(call: Any, bench: Bench) -> None:
    submit_job(bench, "17", "w1")
    record(bench, 0, ENDED, KILLED)
    with bench.ledger.writing() as tx:
        runs.set_run_state(tx, bench.run_id, RunState.RUNNING)
        runs.set_step_state(tx, bench.run_id, 0, StepState.RUNNING)
        runs.set_step_state(tx, bench.run_id, 0, StepState.FAILED, "1 of 2 units failed")

    assert "unit 1 (/data/item-1): out_of_memory, in job 17 on n2" in call("show", str(bench.run_id)).out
    [failure] = call("show", str(bench.run_id), "--json").data["failures"]
    assert (failure["job"], failure["host"]) == ("17", "n2")


def test_a_run_in_which_nothing_has_ended_shows_no_usage(call: Any, bench: Bench) -> None:
    assert "efficiency" not in call("show", str(bench.run_id)).out


def test_runs_are_listed_with_what_they_used_and_summed_by_owner(call: Any, bench: Bench) -> None:
    submit_job(bench, "17", "w1")
    record(bench, 0, ENDED, ENDED)
    end_job(bench, "17")

    text = call("runs", "--usage").out
    document = call("runs", "--usage", "--json").data

    units_line, job_line = lines_of(text, str(bench.run_id))
    assert units_line == [
        str(bench.run_id),
        "w",
        "local",
        "2",
        "units",
        "0.0083",
        "0.0111",
        "75%",
        "3000",
        "75%",
    ]
    assert job_line[3:5] == ["1", "job"]
    assert lines_of(text, "all")[0][:6] == ["all", "1", "run", "local", "2", "units"]
    [run] = document["runs"]
    assert (run["id"], run["usage"]["owner"], run["usage"]["jobs"]["count"]) == (bench.run_id, "local", 1)
    [owner] = document["owners"]
    assert (owner["owner"], owner["runs"], owner["jobs"]["reserved_cpu_hours"]) == ("local", 1, 4.0)


def test_without_a_run_there_is_nothing_to_sum(call: Any) -> None:
    assert "treadle run" in call("runs", "--usage").out
    assert call("runs", "--usage", "--json").data == {"runs": [], "owners": []}
