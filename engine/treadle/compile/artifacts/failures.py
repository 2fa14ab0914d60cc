"""Why a run failed, and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from treadle.compile.artifacts.links import log_path
from treadle.compile.artifacts.markdown import block, clipped, code, link, plain, table
from treadle.ledger import Transaction, jobs, units
from treadle.ledger.runs import RunRecord, StepRecord
from treadle.ledger.units import UnitEntry
from treadle.model.figures import StepFigures
from treadle.model.states import StepState, UnitState

UNITS_SHOWN = 3
LINES_SHOWN = 8
LONGEST_LINE = 300


def failures_text(tx: Transaction, run: RunRecord, figures: Mapping[int, StepFigures]) -> str:
    """Return the failed steps of a run as markdown: causes, ends of errors, and the command to go on with."""
    nodes = {job.name: f"job {job.job_id} on {job.node or 'no node'}" for job in jobs.list_jobs(tx, run.id)}
    parts = [f"# Run {run.id} failed"]
    failed = [step for step in run.steps if step.state is StepState.FAILED]
    if run.error and not failed:
        parts.append(plain(run.error))
    for step in failed:
        entries = units.list_units(tx, run.id, step.position, UnitState.FAILED, limit=UNITS_SHOWN)
        parts += _step_parts(run.id, step, figures.get(step.position, StepFigures()), entries, nodes)
    again = f"treadle resume {run.id}"
    parts.append("## What to do")
    if any(step.failed for step in failed):
        parts.append(f"Run just the failed units again: {code(f'{again} --only failed')}")
    parts.append(f"Go on with the whole run: {code(again)}. What is done is not done again.")
    return "\n\n".join(parts)


def _step_parts(
    run_id: int,
    step: StepRecord,
    figures: StepFigures,
    entries: Sequence[UnitEntry],
    nodes: Mapping[str, str],
) -> Iterator[str]:
    yield f"## {plain(step.name)}"
    yield plain(clipped(step.error or "No reason is recorded.", LONGEST_LINE))
    if figures.not_done:
        rows = [(plain(one.cause or one.state), str(one.count)) for one in figures.not_done]
        yield table(["cause", "units"], rows)
    for unit in entries:
        place = f", in {plain(nodes[unit.worker])}" if unit.worker and unit.worker in nodes else ""
        item = f" ({plain(unit.zarr_url)})" if unit.zarr_url else ""
        yield f"**unit {unit.index}**{item}: {plain(unit.cause or unit.state)}{place}"
        if tail := _tail(unit.error or ""):
            yield block(tail)
    if entries:
        command = code(f"treadle logs {run_id} --step {shlex.quote(step.name)} --failed")
        page = link("as a page", log_path(run_id, step=step.name, failed=True))
        yield f"All they printed: {command}, or {page}"


def _tail(text: str) -> str:
    lines = [clipped(line, LONGEST_LINE) for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-LINES_SHOWN:])
