"""One step of a run: select items, expand into units, run them, merge what they returned, commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from treadle.clusters.port import Pool
from treadle.compile.context import RunContext
from treadle.compile.dispatch import Dispatch
from treadle.compile.failing import causes_text, tails_text
from treadle.compile.feeding import Feed
from treadle.compile.labels import step_label
from treadle.compile.merging import items_seen, merge_step
from treadle.compile.recording import Recorder
from treadle.compile.retrying import Retrying, with_more
from treadle.compile.reuse import StepReuse
from treadle.errors import LeaseLost, TreadleError
from treadle.execute.batch import Batch, UnitCall
from treadle.execute.journal import read_journals
from treadle.ledger import Transaction, runs, units
from treadle.ledger.runs import StepRecord
from treadle.model.dataset import Item
from treadle.model.merging import Outcome
from treadle.model.outputs import parse_init_output, parse_unit_output
from treadle.model.pipelining import settled_items
from treadle.model.policy import is_tolerated
from treadle.model.records import UnitRecord
from treadle.model.states import StepState, UnitState
from treadle.model.task import Part
from treadle.model.units import Unit, compute_units, first_units, input_urls


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended: its state, one line for people, and the ends of units' errors below it."""

    state: StepState
    message: str
    details: str = ""

    @property
    def report(self) -> str:
        """All there is to say."""
        return "\n".join(filter(None, (self.message, self.details)))


def finished_before(context: RunContext, step: StepRecord) -> StepEnd:
    """Pass over a step that was done before the run was resumed; its units are not even read."""
    context.observer.step_started(step.position, step.name)
    context.observer.units_planned(step.position, step.units or 0)
    context.observer.units_ended(step.position, step.done, step.failed)
    context.observer.step_ended(step.position, step.state)
    return StepEnd(step.state, f"done before: {step.done} of {step.units} units")


class StepRun:
    """The execution of one step of a run: from its begin, or from where an earlier driver left it.

    Args:
        context: The run.
        position: The step's place in the plan, from 0.
        onward: Where items go on from, each as soon as its unit is done; None where the next step waits.
    """

    def __init__(self, context: RunContext, position: int, *, onward: Feed | None = None) -> None:
        self._context = context
        self._position = position
        self._onward = onward
        self._planned = context.plan.steps[position]
        self._recorder = Recorder(context, position, on_recorded=self._pass_on)
        self._retrying = Retrying(self._planned.step.retries)
        self._known: dict[int, units.PlannedUnit] = {}
        self._done_before: dict[int, UnitRecord] = {}
        self._inputs: dict[str, Item] = {}
        self._urls: dict[int, str] = {}
        self._reuse = StepReuse(context, position)

    def run(self) -> StepEnd:
        """Run the step to its end; the ledger has its state and the merged dataset when this returns.

        Raises:
            LeaseLost: Another process drives the run; nothing was written since.
            Exception: A defect of Treadle; the ledger then calls the step failed.
        """
        with self._context.writing() as tx:
            runs.set_step_state(tx, self._context.run_id, self._position, StepState.RUNNING)
        self._context.observer.step_started(self._position, self._planned.step.name)
        try:
            end = self._conduct()
        except LeaseLost:
            raise
        except TreadleError as error:
            end = self._fail("\n".join(filter(None, (str(error), error.detail))))
        except BaseException as error:
            self._fail(f"Treadle itself failed: {error!r}")
            raise
        self._context.observer.step_ended(self._position, end.state)
        return end

    def _conduct(self) -> StepEnd:
        self._remember()
        task, step = self._planned.task.task, self._planned.step
        first = self._first_units()
        inputs = input_urls(task, first)
        if not task.type.is_compound:
            self._execute(first, is_init=False)
            return self._merge(inputs, first)
        self._execute(first, is_init=True)
        [init] = [self._recorder.records[unit.index] for unit in first]
        if init.state is not UnitState.DONE:
            with self._context.writing() as tx:
                return self._commit(tx, self._verdict([init]))
        computed = compute_units(step, parse_init_output(init.output).parallelization_list, len(first))
        self._execute(computed, is_init=False)
        return self._merge(inputs, computed)

    def _remember(self) -> None:
        """Read which units an earlier driver planned, and which of them are done."""
        with self._context.ledger.reading() as tx:
            planned = units.load_planned(tx, self._context.run_id, self._position)
            done = units.load_done(tx, self._context.run_id, self._position)
        self._known = {known.unit.index: known for known in planned}
        self._done_before = {record.index: record for record in done}

    def _first_units(self) -> list[Unit]:
        task = self._planned.task.task
        if not self._known:
            selected = [] if task.type.is_converter else self._select()
            self._inputs = {item.zarr_url: item for item in selected}
            return first_units(task, self._planned.step, selected, self._context.plan.zarr_dir)
        known = [known.unit for known in self._known.values()]
        if self._onward is not None:
            self._inputs = {item.zarr_url: item for item in self._dataset_items()}
        return known[:1] if task.type.is_compound else known

    def _select(self) -> list[Item]:
        return self._planned.select(self._dataset_items(), self._context.plan.attribute_filters)

    def _dataset_items(self) -> Sequence[Item]:
        with self._context.ledger.reading() as tx:
            return items_seen(tx, self._context, self._position)

    def _execute(self, planned: Sequence[Unit], *, is_init: bool) -> None:
        """Run those of the units that are not done; the recorder has the records of all afterwards."""
        dispatch = self._dispatch(self._begin(planned, is_init=is_init))
        try:
            for records in dispatch.records():
                self._recorder.add(records)
        finally:
            self._recorder.flush()

    def _begin(self, planned: Sequence[Unit], *, is_init: bool = False) -> list[UnitCall]:
        """Write units into the ledger that are new there, and return the calls of those that are to run.

        Those are not done in this run, and were not in an earlier one whose work still stands.
        """
        done = self._done_before
        todo = [unit for unit in planned if unit.index not in done]
        sealed = self._reuse.seal(todo)
        reused = [self._tried(record) for record in self._reuse.find(sealed)]
        self._plan(planned, {one.unit.index: one.key for one in sealed}, reused)
        self._context.observer.units_planned(self._position, len(planned))
        self._urls.update((unit.index, unit.zarr_url) for unit in planned if unit.zarr_url is not None)
        self._recorder.recall([done[unit.index] for unit in planned if unit.index in done])
        self._recorder.recall(reused)
        if reused:
            self._context.observer.units_reused(self._position, len(reused))
        found = {record.index for record in reused}
        return [self._call(unit, is_init=is_init) for unit in todo if unit.index not in found]

    def _tried(self, record: UnitRecord) -> UnitRecord:
        """Return the record of a reused unit, which an earlier driver may have tried in vain."""
        known = self._known.get(record.index)
        return replace(record, attempt=known.attempt) if known else record

    def _plan(self, planned: Sequence[Unit], keys: Mapping[int, str], reused: Sequence[UnitRecord]) -> None:
        """Write which units there are, and which of them need not run, in one transaction."""
        new = [unit for unit in planned if unit.index not in self._known]
        again = {index: key for index, key in keys.items() if index in self._known}
        if not (new or again or reused):
            return
        with self._context.writing() as tx:
            run_id = self._context.run_id
            if new:
                units.plan_units(tx, run_id, self._position, new, keys)
            units.set_keys(tx, run_id, self._position, again)
            if reused:
                units.record_units(tx, run_id, self._position, reused)

    def _dispatch(self, calls: Sequence[UnitCall], *, is_open: bool = False) -> Dispatch:
        return Dispatch(
            self._context.run_id,
            step_label(self._position, self._planned.step.name),
            calls,
            pack=self._pack,
            journaled=self._journaled,
            retrying=self._retrying,
            pool_of=self._pool_of,
            stop=self._context.stop,
            is_open=is_open,
        )

    def _pass_on(self, records: Sequence[UnitRecord]) -> None:
        """Keep units for other runs, and pass on what they leave behind, as soon as the ledger has them."""
        self._reuse.keep(records)
        if self._onward is None:
            return
        settled: list[Item] = []
        for record in records:
            if record.state is UnitState.DONE:
                item = self._inputs[self._urls[record.index]]
                output = parse_unit_output(record.output)
                settled += settled_items(item, output, self._planned.task.task) or []
        self._onward.put(settled)

    def _call(self, unit: Unit, *, is_init: bool) -> UnitCall:
        resources = self._planned.resources[unit.part]
        known = self._known.get(unit.index)
        call = UnitCall(
            index=unit.index,
            command=self._planned.task.command(unit.part),
            function=self._planned.task.function(unit.part),
            args=unit.args,
            is_init=is_init,
            cpus=resources.cpus,
            memory_mb=resources.memory_mb,
            timeout_seconds=resources.timeout_seconds,
            fresh=resources.fresh_process,
            attempt=known.next_attempt if known else 1,
            watched=self._reuse.watched(unit.index),
            by_content=self._context.by_content,
        )
        return with_more(call, known.cause, known.attempt) if known else call

    def _journaled(self, calls: Sequence[UnitCall]) -> Mapping[int, UnitRecord]:
        attempts = {call.index: call.attempt for call in calls}
        return {
            record.index: record
            for position, record in read_journals(self._context.log_folder)
            if position == self._position and attempts.get(record.index) == record.attempt
        }

    def _pool_of(self, call: UnitCall) -> Pool:
        """Return the workers for a unit, which may need more by now than the plan says."""
        kind = self._planned.task.task.type
        part = Part.PARALLEL if kind.is_compound and not call.is_init else kind.first_part
        resources = self._planned.resources[part]
        return self._context.cluster.pool(resources.with_limits(call.memory_mb, call.timeout_seconds))

    def _pack(self, calls: tuple[UnitCall, ...], seconds: float) -> Batch:
        return Batch(
            run_id=self._context.run_id,
            position=self._position,
            step=step_label(self._position, self._planned.step.name),
            calls=calls,
            log_folder=str(self._context.log_folder),
            environment=self._context.unit_environment,
            driver=self._context.driver,
            seconds=seconds,
        )

    def _merge(self, inputs: Sequence[str], ended: Sequence[Unit]) -> StepEnd:
        """Merge into the dataset as it now is; one transaction from reading it to the step's state."""
        records = [self._recorder.records[unit.index] for unit in ended]
        outcomes = [
            Outcome(unit, record.state is UnitState.DONE, parse_unit_output(record.output))
            for unit, record in zip(ended, records, strict=True)
        ]
        with self._context.writing() as tx:
            problem = merge_step(tx, self._context, self._position, inputs, outcomes)
            end = StepEnd(StepState.FAILED, str(problem)) if problem else self._verdict(records)
            return self._commit(tx, end)

    def _verdict(self, records: Sequence[UnitRecord]) -> StepEnd:
        bad = [record for record in records if record.state is not UnitState.DONE]
        if not bad:
            return StepEnd(StepState.DONE, f"{len(records)} of {len(records)} units done")
        if self._context.stop.is_set():
            return StepEnd(StepState.CANCELLED, f"cancelled with {len(bad)} of {len(records)} units not done")
        step = self._planned.step
        if is_tolerated(step.on_failure, step.failure_threshold, len(records), len(bad)):
            done = len(records) - len(bad)
            message = f"{done} of {len(records)} units done, the rest tolerated: {causes_text(bad)}"
            return StepEnd(StepState.DONE, message, details=tails_text(bad))
        first = next((record.error for record in bad if record.error), None) or "no message"
        return StepEnd(
            StepState.FAILED,
            f"{len(bad)} of {len(records)} units are not done ({causes_text(bad)}); "
            f"unit {bad[0].index}: {_last_line(first)}",
            details=tails_text(bad),
        )

    def _fail(self, message: str) -> StepEnd:
        with self._context.writing() as tx:
            return self._commit(tx, StepEnd(StepState.FAILED, message))

    def _commit(self, tx: Transaction, end: StepEnd) -> StepEnd:
        error = None if end.state is StepState.DONE else end.message
        runs.set_step_state(tx, self._context.run_id, self._position, end.state, error)
        return end


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else text
