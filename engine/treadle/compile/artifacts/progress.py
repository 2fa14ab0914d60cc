"""How far a step is, as the progress bar that Prefect shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from treadle.compile.artifacts.links import log_path
from treadle.compile.artifacts.markdown import block, code, link, plain
from treadle.compile.artifacts.store import Artifact


@dataclass(slots=True)
class Progress:
    """What is known of a step.

    Attributes:
        name: The step's name.
        task_run_id: Its task run in Prefect.
        units: How many units it has, as far as is known.
        done: How many of them are done.
        failed: How many ended otherwise.
        cached: How many of those done were done before this drive, in this run or an earlier one.
        report: How it ended, with the ends of the errors of its units; empty while it has not.
        is_new: Whether there is something to tell.
    """

    name: str
    task_run_id: UUID
    units: int = 0
    done: int = 0
    failed: int = 0
    cached: int = 0
    report: str = ""
    is_new: bool = True

    @property
    def percent(self) -> float:
        """How much of it has ended."""
        return 100.0 * (self.done + self.failed) / self.units if self.units else 0.0


def progress_artifact(run_id: int, position: int, step: Progress) -> Artifact:
    """Return a step's progress bar."""
    done = f"{step.done} done ({step.cached} cached)" if step.cached else f"{step.done} done"
    counts = f"{done}, {step.failed} failed, of {step.units}"
    message, _, details = step.report.partition("\n")
    lines = [f"**{plain(step.name)}** of run {run_id}: {counts} units", plain(message)]
    if details:
        failed_log = link("as a page", log_path(run_id, step=step.name, failed=True))
        command = code(f"treadle logs {run_id} --failed")
        lines += [block(details), f"All they printed: {command}, or {failed_log}"]
    if step.report:
        lines.append(link("What its units printed", log_path(run_id, step=step.name)))
    text = "\n\n".join(line for line in lines if line)
    return Artifact(f"step-{position}", "progress", step.percent, text, step.task_run_id)
