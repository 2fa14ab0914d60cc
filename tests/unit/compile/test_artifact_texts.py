"""What people read of a run in Prefect: tables, plan, failures and pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from treadle.compile.artifacts.failures import failures_text
from treadle.compile.artifacts.links import log_path
from treadle.compile.artifacts.markdown import block, clipped, code, plain
from treadle.compile.artifacts.pictures import pictures_text
from treadle.compile.artifacts.plan import plan_text
from treadle.compile.artifacts.tables import outcome_rows, run_rows
from treadle.compile.naming import flow_run_name, flow_run_tags
from treadle.ledger import usage
from treadle.ledger.pictures import DeclaredPicture
from treadle.model.figures import Outcome, StepFigures
from treadle.model.outputs import Picture
from treadle.model.profile import THIS_MACHINE
from treadle.model.states import Cause, UnitState
from treadle.testing.bench import Asked, Bench, NewBench

DONE = Outcome(UnitState.DONE, None, 90, 0.12345, 2.0, 250_000_000, 7200.0, 3)
SLOW = Outcome(UnitState.FAILED, Cause.TIMEOUT, 4, 60.0, 60.0, 1_000_000_000, 360.0, 8)
OPEN = Outcome(UnitState.PLANNED, None, 6, None, None, None, 0.0, 0)
FIGURES = StepFigures((DONE, SLOW, OPEN), cached=10)


def failed_run(new_bench: NewBench) -> Bench:
    """A run whose second step has a unit that fails in two ways and one that is done."""
    bench = new_bench(Asked(["Make", "Mark"]))
    bench.world.failures = {(1, 0): [Cause.TIMEOUT] * 9, (1, 2): [Cause.FAILED] * 9}
    bench.drive()
    return bench


def test_a_steps_row_has_every_figure(new_bench: NewBench) -> None:
    bench = failed_run(new_bench)

    first, second = run_rows(bench.record.steps, {1: FIGURES})

    assert first == {**first, "step": "0 Make", "state": "done", "units": 1, "p50 s": None}
    assert second == {
        "step": "1 Mark",
        "state": "failed",
        "units": 100,
        "done": 90,
        "failed": "4 timeout",
        "open": 6,
        "cached": 10,
        "p50 s": 0.123,
        "p95 s": 2.0,
        "peak MB": 1000.0,
        "CPU h": 2.1,
        "retries": 11,
    }


def test_each_way_to_end_has_a_row() -> None:
    rows = outcome_rows(FIGURES)

    assert [(row["outcome"], row["units"]) for row in rows] == [
        ("done", 90),
        ("failed: timeout", 4),
        ("open", 6),
        ("cached (of those done)", 10),
    ]
    assert len({tuple(row) for row in rows}) == 1, "rows of a table have the same keys"


def test_a_step_without_units_has_a_table_too() -> None:
    assert outcome_rows(StepFigures()) != []


def test_the_summary_of_failures_has_causes_ends_of_errors_and_the_way_on(new_bench: NewBench) -> None:
    bench = failed_run(new_bench)
    with bench.ledger.reading() as tx:
        outcomes = usage.outcomes(tx, bench.run_id)
        figures = {position: StepFigures(found) for position, found in outcomes.items()}
        text = failures_text(tx, bench.record, figures)

    assert "## 1 Mark" in text
    assert "## 0 Make" not in text
    assert "| timeout | 1 |" in text
    assert "| failed | 1 |" in text
    assert "```\nline one\nit was timeout\n```" in text
    assert f"`treadle resume {bench.run_id} --only failed`" in text
    assert f"`treadle logs {bench.run_id} --step '1 Mark' --failed`" in text
    assert log_path(bench.run_id, step="1 Mark", failed=True) in text


def test_long_errors_are_clipped(new_bench: NewBench) -> None:
    bench = failed_run(new_bench)
    with bench.ledger.reading() as tx:
        record = bench.record
        assert len(failures_text(tx, record, {})) < 3_000
    assert clipped("x" * 1000, 10) == "x" * 9 + "…"


def test_the_plan_names_each_step_with_its_task_units_and_resources(new_bench: NewBench) -> None:
    bench = new_bench(Asked(["Make", "Mark"], meta={"cpus_per_task": 3}))

    text = plan_text(bench.record, THIS_MACHINE)

    assert "## 2. 1 Mark" in text
    assert "Mark (parallel) of tasks 1" in text
    assert r"cpus=3 (step)" in text
    assert "known when earlier steps are done" in text
    assert log_path(bench.run_id) in text
    assert bench.record.plan.zarr_dir in text


def test_secret_arguments_are_not_in_the_plan(new_bench: NewBench) -> None:
    bench = new_bench(Asked(["Mark"]))
    record = bench.record
    planned = record.plan.steps[0]
    schema = {"properties": {"token": {"type": "string", "format": "password"}, "size": {"type": "integer"}}}
    task = planned.task.task
    assert task.parallel is not None
    part = task.parallel.model_copy(update={"args_schema": schema})
    installed = planned.task.model_copy(update={"task": task.model_copy(update={"parallel": part})})
    step = planned.step.model_copy(update={"args_parallel": {"token": "s3cret", "size": 7}})
    changed = planned.model_copy(update={"task": installed, "step": step})
    plan = record.plan.model_copy(update={"steps": (changed,)})

    text = plan_text(replace(record, plan=plan), THIS_MACHINE)

    assert "s3cret" not in text
    assert '"size": 7' in text


def test_pictures_are_inline_and_the_rest_is_counted() -> None:
    shown = [
        DeclaredPicture(4, 0, "/d/a", Picture(path="/d/a.png", title="A [plate]")),
        DeclaredPicture(5, 1, "/d/b", Picture(path="/d/b.png")),
    ]

    text = pictures_text(7, 2, shown, declaring=9, folder="/d")

    assert r"![A \[plate\]](/treadle/runs/7/pictures/2/4/0)" in text
    assert "![b.png](/treadle/runs/7/pictures/2/5/1)" in text
    assert "7 more units" in text


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "[x](http://evil)", "a|b", "`x`", "# x", "![](y)"]
)
def test_others_text_is_no_markdown(text: str) -> None:
    shown = plain(text)
    assert "".join(shown.split("\\")) == "".join(text.split("\\"))
    for special in "<[|`#!":
        assert shown.count(special) == shown.count(f"\\{special}")


def test_code_holds_any_number_of_backticks() -> None:
    assert code("a``b") == "```a``b```"
    assert block("x\n```\ny").splitlines()[0] == "````"


def test_links_carry_names_of_any_letters() -> None:
    assert log_path(3, step="a/b & c", failed=True) == "/treadle/runs/3/log?step=a%2Fb+%26+c&failed=true"


def test_a_run_is_found_by_workflow_dataset_cluster_and_number(new_bench: NewBench) -> None:
    plan = new_bench(Asked(["Mark"])).record.plan

    assert flow_run_tags(plan, 7) == ["workflow:w", "dataset:data", "cluster:local", "run:7"]
    assert flow_run_name("a/b", 7) == "a-b 7"
