"""One step of a run: select items, expand into units, run them, merge what they returned, commit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from treadle.compile.context import RunContext
from treadle.compile.dispatch import Dispatch
from treadle.compile.recording import Recorder
from treadle.errors import TreadleError
from treadle.execute.batch import Batch, UnitCall
from treadle.ledger import Transaction, datasets, runs, units
from treadle.model.dataset import Item
from treadle.model.filters import nothing_selected, select
from treadle.model.merging import Outcome, merge
from treadle.model.outputs import parse_init_output, parse_unit_output
from treadle.model.records import UnitRecord
from treadle.model.states import StepState, UnitState
from treadle.model.units import Unit, compute_units, first_units


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended: its state, and one line for people."""

    state: StepState
    message: str


class StepRun:
    """The execution of one step of a run.

    Args:
        context: The run.
        position: The step's place in the plan, from 0.
    """

    def __init__(self, context: RunContext, position: int) -> None:
        self._context = context
        self._position = position
        self._planned = context.plan.steps[position]
        self._recorder = Recorder(context, position)

    def run(self) -> StepEnd:
        """Run the step to its end; the ledger has its state and the merged dataset when this returns.

        Raises:
            Exception: A defect of Treadle; the ledger then calls the step failed.
        """
        with self._context.ledger.writing() as tx:
            runs.set_step_state(tx, self._context.run_id, self._position, StepState.RUNNING)
        self._context.observer.step_started(self._position, self._planned.step.name)
        try:
            end = self._conduct()
        except TreadleError as error:
            end = self._fail(str(error))
        except BaseException as error:
            self._fail(f"Treadle itself failed: {error!r}")
            raise
        self._context.observer.step_ended(self._position, end.state)
        return end

    def _conduct(self) -> StepEnd:
        inputs = self._select()
        task, step = self._planned.task.task, self._planned.step
        first = first_units(task, step, inputs, self._context.plan.zarr_dir)
        if not task.type.is_compound:
            self._execute(first, is_init=False)
            return self._merge(inputs, first)
        self._execute(first, is_init=True)
        [init] = [self._recorder.records[unit.index] for unit in first]
        if init.state is not UnitState.DONE:
            with self._context.ledger.writing() as tx:
                return self._commit(tx, self._verdict([init]))
        computed = compute_units(step, parse_init_output(init.output).parallelization_list, len(first))
        self._execute(computed, is_init=False)
        return self._merge(inputs, computed)

    def _select(self) -> list[Item]:
        task = self._planned.task.task
        if task.type.is_converter:
            return []
        attributes = self._context.plan.attribute_filters
        with self._context.ledger.reading() as tx:
            _, dataset = datasets.load_dataset(tx, self._context.plan.dataset)
        selected = select(dataset.items, self._planned.type_filters, attributes)
        if not selected:
            name, items = self._planned.step.name, len(dataset.items)
            raise nothing_selected(name, items, self._planned.type_filters, attributes)
        return selected

    def _execute(self, planned: Sequence[Unit], *, is_init: bool) -> None:
        context = self._context
        with context.ledger.writing() as tx:
            units.plan_units(tx, context.run_id, self._position, planned)
        context.observer.units_planned(self._position, len(planned))
        dispatch = Dispatch(
            [self._call(unit, is_init=is_init) for unit in planned],
            pack=self._pack,
            cluster=context.cluster,
            stop=context.stop,
        )
        try:
            for records in dispatch.records():
                self._recorder.add(records)
        finally:
            self._recorder.flush()

    def _call(self, unit: Unit, *, is_init: bool) -> UnitCall:
        resources = self._planned.resources[unit.part]
        return UnitCall(
            index=unit.index,
            command=self._planned.task.command(unit.part),
            args=unit.args,
            is_init=is_init,
            cpus=resources.cpus,
            memory_mb=resources.memory_mb,
        )

    def _pack(self, calls: tuple[UnitCall, ...]) -> Batch:
        return Batch(
            run_id=self._context.run_id,
            position=self._position,
            step=f"{self._position:03d}-{_slug(self._planned.step.name)}",
            calls=calls,
            log_folder=str(self._context.log_folder),
            environment=self._context.unit_environment,
        )

    def _merge(self, inputs: Sequence[Item], ended: Sequence[Unit]) -> StepEnd:
        """Merge into the dataset as it now is; one transaction from reading it to the step's state."""
        records = [self._recorder.records[unit.index] for unit in ended]
        outcomes = [
            Outcome(unit, record.state is UnitState.DONE, parse_unit_output(record.output))
            for unit, record in zip(ended, records, strict=True)
        ]
        plan = self._context.plan
        with self._context.ledger.writing() as tx:
            _, dataset = datasets.load_dataset(tx, plan.dataset)
            merged = merge(
                dataset.items,
                task=self._planned.task.task,
                zarr_dir=plan.zarr_dir,
                inputs=[item.zarr_url for item in inputs],
                outcomes=outcomes,
            )
            datasets.apply_merge(tx, self._context.dataset_id, merged.changed, merged.removed)
            return self._commit(tx, self._verdict(records))

    def _verdict(self, records: Sequence[UnitRecord]) -> StepEnd:
        bad = [record for record in records if record.state is not UnitState.DONE]
        if not bad:
            return StepEnd(StepState.DONE, f"{len(records)} of {len(records)} units done")
        causes = Counter(str(record.cause) for record in bad)
        counted = ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))
        if self._context.stop.is_set():
            return StepEnd(StepState.CANCELLED, f"cancelled with {len(bad)} of {len(records)} units not done")
        first = next((record.error for record in bad if record.error), None) or "no message"
        return StepEnd(
            StepState.FAILED,
            f"{len(bad)} of {len(records)} units are not done ({counted}); "
            f"unit {bad[0].index}: {_last_line(first)}",
        )

    def _fail(self, message: str) -> StepEnd:
        with self._context.ledger.writing() as tx:
            return self._commit(tx, StepEnd(StepState.FAILED, message))

    def _commit(self, tx: Transaction, end: StepEnd) -> StepEnd:
        error = None if end.state is StepState.DONE else end.message
        runs.set_step_state(tx, self._context.run_id, self._position, end.state, error)
        return end


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "step"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else text
