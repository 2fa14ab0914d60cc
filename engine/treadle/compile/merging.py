"""Merges a step's outputs into the dataset in the ledger, exactly once whatever happened before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle.compile.context import RunContext
from treadle.errors import MergeFailed
from treadle.ledger import Transaction, datasets, merges, runs, units
from treadle.ledger.merges import MergeRecord
from treadle.model.dataset import Item
from treadle.model.merging import Outcome, merge
from treadle.model.outputs import parse_unit_output
from treadle.model.replay import StepOutcomes, difference, replay
from treadle.model.units import input_urls


def items_seen(tx: Transaction, context: RunContext, position: int) -> Sequence[Item]:
    """Return the items as a step is to see them: as those steps have left them that it needs.

    While no other step of the run has been merged, that is the dataset as it now is.
    """
    before, after = merges.list_merges(tx, context.run_id), context.plan.ancestors[position]
    if all(merged.position in after for merged in before):
        _, dataset = datasets.load_dataset(tx, context.plan.dataset)
        return dataset.items
    needed = [merged for merged in before if merged.position in after]
    return _replayed(tx, context, {merged.position: _recorded(tx, context, merged) for merged in needed})


def merge_step(
    tx: Transaction, context: RunContext, position: int, inputs: Sequence[str], outcomes: Sequence[Outcome]
) -> MergeFailed | None:
    """Bring the dataset to what it is with these outcomes of a step.

    A step whose predecessors alone have been merged is merged into the dataset as it is. Any other, one that
    ran beside others, or one that was merged before without the units that were not done then, is merged into
    the run as a whole: it is replayed on its snapshot as it was merged and as it is now to be, and the
    difference goes into the dataset.

    Returns:
        Why the step could not be merged anew; what was merged of it before is then taken back.

    Raises:
        MergeFailed: The outcomes could not be merged; nothing is changed.
    """
    before = merges.list_merges(tx, context.run_id)
    without = [outcome.unit.index for outcome in outcomes if not outcome.done]
    if any(merged.position not in context.plan.ancestors[position] for merged in before):
        return _merge_among(tx, context, position, before, without)
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


def _merge_among(
    tx: Transaction,
    context: RunContext,
    position: int,
    before: Sequence[MergeRecord],
    without: Sequence[int],
) -> MergeFailed | None:
    present = {merged.position: _recorded(tx, context, merged) for merged in before}
    wanted = {**present, position: _recorded(tx, context, MergeRecord(position, frozenset(without)))}
    problem = None
    try:
        items = _replayed(tx, context, wanted)
        merges.set_merged(tx, context.run_id, position, without)
    except MergeFailed as error:
        if position not in present:
            raise
        problem, items = error, _replayed(tx, context, _without(present, position))
        merges.set_unmerged(tx, context.run_id, position)
    change = difference(_replayed(tx, context, present), items)
    datasets.apply_merge(tx, context.dataset_id, change.changed, change.removed)
    return problem


def _without(steps: Mapping[int, StepOutcomes], position: int) -> dict[int, StepOutcomes]:
    return {other: step for other, step in steps.items() if other != position}


def _replayed(tx: Transaction, context: RunContext, steps: Mapping[int, StepOutcomes]) -> tuple[Item, ...]:
    snapshot = runs.load_snapshot(tx, context.run_id).items
    return replay(snapshot, steps, zarr_dir=context.plan.zarr_dir)


def _recorded(tx: Transaction, context: RunContext, merged: MergeRecord) -> StepOutcomes:
    """What the ledger has of a step, where units that were not merged count as not done."""
    planned = context.plan.steps[merged.position]
    task = planned.task.task
    known = [unit.unit for unit in units.load_planned(tx, context.run_id, merged.position)]
    outputs = {
        record.index: record.output
        for record in units.load_done(tx, context.run_id, merged.position)
        if record.index not in merged.without
    }
    first, rest = (known[:1], known[1:]) if task.type.is_compound else (known, known)
    outcomes = [
        Outcome(unit, unit.index in outputs, parse_unit_output(outputs.get(unit.index))) for unit in rest
    ]
    return StepOutcomes(
        name=planned.step.name,
        task=task,
        after=context.plan.ancestors[merged.position],
        inputs=input_urls(task, first),
        outcomes=outcomes,
    )
