"""The timeline of a run, from what the ledger has of it."""

from __future__ import annotations

from treadle.ledger import Transaction, jobs, runs
from treadle.ledger.database import database_time
from treadle.ledger.jobs import JobRow
from treadle.ledger.spans import unit_spans
from treadle.model.durations import duration_text
from treadle.model.timeline import JobSpan, Span, StepSpan, Timeline, make_timeline


def load_timeline(tx: Transaction, run_id: int) -> Timeline:
    """Lay out a run from its submission to its end, or to now where it has not ended.

    Raises:
        UnknownName: There is no such run.
    """
    run = runs.load_run(tx, run_id)
    span = Span(run.started_at or run.created_at, run.ended_at or database_time(tx))
    found = jobs.list_jobs(tx, run_id)
    begin = min([span.begin, *(job.submitted_at for job in found)])
    span = Span(begin, max(span.end, begin))
    title = (
        f"Run {run.id}: {run.workflow} on {run.dataset}, {run.state}, "
        f"{span.begin:%Y-%m-%d %H:%M:%S} UTC, {duration_text(span.seconds)}"
    )
    steps = [
        StepSpan(step.position, step.name, step.state, step.started_at, step.ended_at) for step in run.steps
    ]
    return make_timeline(title, span, steps, unit_spans(tx, run_id), [_job_span(job) for job in found])


def _job_span(job: JobRow) -> JobSpan:
    label = f"job {job.job_id} on {job.node}" if job.node else f"job {job.job_id}"
    return JobSpan(job.name, label, job.submitted_at, job.started_at, job.ended_at)
