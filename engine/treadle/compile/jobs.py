"""Writes the jobs of a run's cluster into the ledger."""

from __future__ import annotations

import logging

from treadle.clusters.port import JobOver, JobStarted
from treadle.compile.context import RunContext
from treadle.errors import LedgerBusy, UnknownName
from treadle.ledger import jobs

TRIES = 10
"""How often the ledger is asked to take an end; each time it waits for other processes by itself."""

logger = logging.getLogger(__name__)


class LedgerBook:
    """The jobs of one run in the ledger, where its user and whoever resumes it find them.

    Implements `JobBook`; called from threads of the cluster, also when the run has ended.

    Args:
        context: The run.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def started(self, job: JobStarted) -> None:
        """Note a job, durably.

        Raises:
            LeaseLost: Another process drives the run: no job of this one is wanted.
            LedgerError: The ledger could not take it.
        """
        with self._context.writing() as tx:
            jobs.add_job(
                tx,
                self._context.run_id,
                name=job.name,
                cluster=job.cluster,
                job_id=job.id,
                shape=job.shape,
                cpus=job.cpus,
                memory_mb=job.memory_mb,
            )

    def over(self, job: JobOver) -> None:
        """Note the end of a job, whoever drives the run by now.

        Raises:
            LedgerBusy: Other processes held the ledger for minutes.
            LedgerError: The ledger could not take it.
        """
        for left in reversed(range(TRIES)):
            try:
                self._write_end(job)
            except LedgerBusy as error:
                if not left:
                    raise
                logger.warning("job_not_written_yet run=%d job=%s %s", self._context.run_id, job.id, error)
            else:
                return

    def _write_end(self, job: JobOver) -> None:
        run_id = self._context.run_id
        with self._context.ledger.writing() as tx:
            try:
                jobs.end_job(
                    tx,
                    run_id,
                    self._context.cluster.name,
                    job.id,
                    state=job.state,
                    node=job.node,
                    submitted_at=job.submitted_at,
                    started_at=job.started_at,
                    ended_at=job.ended_at,
                    cpu_seconds=job.cpu_seconds,
                    peak_memory_mb=job.peak_memory_mb,
                    text=job.text,
                )
            except UnknownName as error:
                logger.warning("job_not_of_this_run run=%d job=%s %s", run_id, job.id, error)
