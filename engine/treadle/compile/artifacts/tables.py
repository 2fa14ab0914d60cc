"""Figures of a run's steps as rows of tables, as Prefect shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from treadle.ledger.runs import StepRecord
from treadle.model.figures import Outcome, StepFigures
from treadle.model.states import UnitState

Row = dict[str, JsonValue]


def run_rows(steps: Sequence[StepRecord], figures: Mapping[int, StepFigures]) -> list[Row]:
    """Return a row a step, in the order of execution."""
    return [_step_row(step, figures.get(step.position, StepFigures())) for step in steps]


def outcome_rows(figures: StepFigures) -> list[Row]:
    """Return a row for units that are done, for each cause why others are not, and for the rest."""
    rows = [_outcome_row("done", figures.done)] if figures.done else []
    rows += [_outcome_row(f"{one.state}: {one.cause or 'unknown'}", one) for one in figures.not_done]
    if figures.open:
        rows.append({**_outcome_row("open", None), "units": figures.open})
    if figures.cached:
        rows.append({**_outcome_row("cached (of those done)", None), "units": figures.cached})
    return rows or [{**_outcome_row("planned", None), "units": 0}]


def _step_row(step: StepRecord, figures: StepFigures) -> Row:
    done, failed = figures.done, figures.not_done
    causes = ", ".join(f"{one.count} {one.cause or one.state}" for one in failed)
    return {
        "step": step.name,
        "state": step.state.replace("_", " "),
        "units": figures.units if figures.outcomes else step.units,
        "done": done.count if done else 0,
        "failed": causes or 0,
        "open": figures.open,
        "cached": figures.cached,
        "p50 s": _seconds(done.p50_seconds if done else None),
        "p95 s": _seconds(done.p95_seconds if done else None),
        "peak MB": _rounded(figures.peak_memory_mb, 1),
        "CPU h": _rounded(figures.cpu_hours, 4),
        "retries": figures.retries,
    }


def _outcome_row(name: str, outcome: Outcome | None) -> Row:
    is_ended = outcome is not None and outcome.state is not UnitState.PLANNED
    return {
        "outcome": name,
        "units": outcome.count if outcome else 0,
        "p50 s": _seconds(outcome.p50_seconds if outcome else None),
        "p95 s": _seconds(outcome.p95_seconds if outcome else None),
        "peak MB": _rounded(outcome.peak_memory_mb if outcome else None, 1),
        "CPU h": _rounded(outcome.cpu_hours if outcome and is_ended else None, 4),
        "retries": outcome.retries if outcome else None,
    }


def _seconds(value: float | None) -> float | None:
    """Three significant digits: times go from microseconds to days."""
    return None if value is None else float(f"{value:.3g}")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
