"""What runs look like, as JSON and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle.api.environment import UI_PATH
from treadle.cli.output import print_table
from treadle.compile.identity import is_gone
from treadle.ledger import jobs, leases, runs, units
from treadle.model.states import StepState, UnitState

if TYPE_CHECKING:
    from treadle.cli.session import Session
    from treadle.ledger.jobs import JobRow
    from treadle.ledger.runs import RunRecord, RunSummary, StepRecord
    from treadle.ledger.units import UnitEntry
    from treadle.settings import Settings

UNITS_SHOWN = 3
ERROR_LINES = 3


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step that failed, the first of its units that are not done, and the run's jobs by name."""

    step: StepRecord
    units: tuple[UnitEntry, ...]
    jobs: Mapping[str, JobRow]

    def job_of(self, unit: UnitEntry) -> JobRow | None:
        """Return the job of a batch system that ran one of the units; None if none did."""
        return self.jobs.get(unit.worker or "")


def load_failures(session: Session, run: RunRecord) -> list[StepFailure]:
    """Return the failed steps of a run."""
    failures = []
    with session.ledger.reading() as tx:
        by_name = {job.name: job for job in jobs.list_jobs(tx, run.id)}
        for step in run.steps:
            if step.state is StepState.FAILED:
                failed = units.list_units(tx, run.id, step.position, UnitState.FAILED, limit=UNITS_SHOWN)
                failures.append(StepFailure(step, tuple(failed), by_name))
    return failures


def load_run(session: Session, run_id: int) -> RunRecord:
    """Return one run.

    Raises:
        UnknownName: There is no such run.
    """
    with session.ledger.reading() as tx:
        return runs.load_run(tx, run_id)


def driver_of(session: Session, run: RunRecord) -> str | None:
    """Return the process that drives a run; None if none does."""
    with session.ledger.reading() as tx:
        return leases.holder_of(tx, run.id, is_gone=is_gone)


def seconds_of(record: RunSummary | StepRecord) -> float | None:
    """Return how long a run or step took; None while it has not ended."""
    if record.started_at is None or record.ended_at is None:
        return None
    return (record.ended_at - record.started_at).total_seconds()


def run_document(run: RunRecord, failures: Sequence[StepFailure]) -> dict[str, object]:
    """Return a run as JSON: itself, its steps, and the first failed units of each failed step."""
    return {
        **summary_document(run),
        "zarr_dir": run.plan.zarr_dir,
        "steps": [
            {
                "position": step.position,
                "name": step.name,
                "state": step.state,
                "units": step.units,
                "done": step.done,
                "failed": step.failed,
                "cached": step.cached,
                "seconds": seconds_of(step),
                "error": step.error,
            }
            for step in run.steps
        ],
        "failures": [
            {
                "step": failure.step.name,
                "unit": unit.index,
                "zarr_url": unit.zarr_url,
                "cause": unit.cause,
                "error": unit.error,
                "host": unit.host,
                "job": job.job_id if (job := failure.job_of(unit)) else None,
            }
            for failure in failures
            for unit in failure.units
        ],
    }


def summary_document(run: RunSummary) -> dict[str, object]:
    """Return a run without its steps as JSON."""
    return {
        "id": run.id,
        "workflow": run.workflow,
        "dataset": run.dataset,
        "state": run.state,
        "error": run.error,
        "prefect_flow_run_id": run.prefect_flow_run_id,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "seconds": seconds_of(run),
        "cached": run.cached,
    }


def print_steps(run: RunRecord) -> None:
    """Print the table of a run's steps."""
    counts = ["units", "done", "failed", *(["cached"] if run.cached else [])]
    rows = [
        (
            step.name,
            step.state.replace("_", " "),
            *(getattr(step, count) for count in counts),
            seconds_of(step),
        )
        for step in run.steps
    ]
    print_table(["step", "state", *counts, "seconds"], rows)


def failure_text(run: RunRecord, failures: Sequence[StepFailure]) -> str:
    """Return why a run failed: its failed steps, the ends of units' errors, and where to read on."""
    lines = [] if failures or not run.error else [run.error]
    for failure in failures:
        lines.append(f"Step {failure.step.name!r} failed: {failure.step.error or 'no reason is recorded'}")
        for unit in failure.units:
            item = f" ({unit.zarr_url})" if unit.zarr_url else ""
            lines.append(f"  unit {unit.index}{item}: {unit.cause or unit.state}{_place(failure, unit)}")
            lines += [f"    {line}" for line in _tail(unit.error or "")]
        if failure.units:
            lines.append(
                f"  All they printed: treadle logs {run.id} --step {_quoted(failure.step.name)} --failed"
            )
    return "\n".join(lines)


def prefect_page(run: RunRecord, settings: Settings) -> str:
    """Return where `treadle up` shows the run in Prefect's UI; empty if Prefect has not heard of it."""
    if run.prefect_flow_run_id is None:
        return ""
    server = f"http://{settings.host}:{settings.port}" if settings.port else "URL of `treadle up`, then "
    return f"{server}{UI_PATH}/runs/flow-run/{run.prefect_flow_run_id}"


def _tail(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][-ERROR_LINES:]


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)


def _place(failure: StepFailure, unit: UnitEntry) -> str:
    job = failure.job_of(unit)
    return "" if job is None else f", in job {job.job_id} on {job.node or unit.host}"
