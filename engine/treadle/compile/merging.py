"""Merges a step's outputs into the dataset in the ledger, exactly once whatever happened before."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.compile.context import RunContext
from treadle.errors import MergeFailed
from treadle.ledger import Transaction, datasets, merges, runs, units
from treadle.ledger.merges import MergeRecord
from treadle.model.dataset import Item
from treadle.model.merging import Outcome, merge
from treadle.model.outputs import parse_unit_output
from treadle.model.replay import StepOutcomes, difference, replay
from treadle.model.units import input_urls


def merge_step(
    tx: Transaction, context: RunContext, position: int, inputs: Sequence[str], outcomes: Sequence[Outcome]
) -> MergeFailed | None:
    """Bring the dataset to what it is with these outcomes of a step.

    The first time they are merged into the dataset as it is. A step that was merged before, without the units
    that were not done then, is merged anew: the run is replayed on its snapshot as it was merged and as it is
    now to be, and the difference goes into the dataset.

    Returns:
        Why the step could not be merged anew; what was merged of it before is then taken back.

    Raises:
        MergeFailed: The outcomes could not be merged; nothing is changed.
    """
    before = merges.list_merges(tx, context.run_id)
    without = [outcome.unit.index for outcome in outcomes if not outcome.done]
    if any(merged.position == position for merged in before):
        return _merge_anew(tx, context, position, before, without)
    _, dataset = datasets.load_dataset(tx, context.plan.dataset)
    merged = merge(
        dataset.items,
        task=context.plan.steps[position].task.task,
        zarr_dir=context.plan.zarr_dir,
        inputs=inputs,
        outcomes=outcomes,
    )
    datasets.apply_merge(tx, context.dataset_id, merged.changed, merged.removed)
    merges.set_merged(tx, context.run_id, position, without)
    return None


def _merge_anew(
    tx: Transaction,
    context: RunContext,
    position: int,
    before: Sequence[MergeRecord],
    without: Sequence[int],
) -> MergeFailed | None:
    snapshot = runs.load_snapshot(tx, context.run_id).items
    others = {
        merged.position: _recorded(tx, context, merged) for merged in before if merged.position != position
    }
    [partly] = [_recorded(tx, context, merged) for merged in before if merged.position == position]
    anew = _recorded(tx, context, MergeRecord(position, frozenset(without)))

    def replayed(this: StepOutcomes | None) -> tuple[Item, ...]:
        steps = [others.get(merged.position, this) for merged in before]
        return replay(snapshot, [step for step in steps if step is not None], zarr_dir=context.plan.zarr_dir)

    problem = None
    try:
        wanted = replayed(anew)
        merges.set_merged(tx, context.run_id, position, without)
    except MergeFailed as error:
        problem, wanted = error, replayed(None)
        merges.set_unmerged(tx, context.run_id, position)
    change = difference(replayed(partly), wanted)
    datasets.apply_merge(tx, context.dataset_id, change.changed, change.removed)
    return problem


def _recorded(tx: Transaction, context: RunContext, merged: MergeRecord) -> StepOutcomes:
    """What the ledger has of a step, where units that were not merged count as not done."""
    task = context.plan.steps[merged.position].task.task
    planned = [known.unit for known in units.load_planned(tx, context.run_id, merged.position)]
    outputs = {
        record.index: record.output
        for record in units.load_done(tx, context.run_id, merged.position)
        if record.index not in merged.without
    }
    first, rest = (planned[:1], planned[1:]) if task.type.is_compound else (planned, planned)
    outcomes = [
        Outcome(unit, unit.index in outputs, parse_unit_output(outputs.get(unit.index))) for unit in rest
    ]
    return StepOutcomes(task, input_urls(task, first), outcomes)
