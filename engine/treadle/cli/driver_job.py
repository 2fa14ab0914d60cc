"""Runs whose driver is in a SLURM job: submitted, followed, and found again."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from treadle.errors import Cancelled, ControllerAway, RunStranded, UsageError

if TYPE_CHECKING:
    from treadle.cli.session import Session
    from treadle.ledger.jobs import JobRow
    from treadle.ledger.runs import RunRecord

ASK_SECONDS = 10.0
SECRET_SETTINGS = frozenset({"TREADLE_LEDGER_URL"})
PREFIX = "treadle-driver-"


def drive_in_job(session: Session, run_id: int, options: Sequence[str] = ()) -> RunRecord:
    """Submit the driver of a run, and follow the run to its end.

    Args:
        session: Settings and ledger.
        run_id: The run, which nobody drives.
        options: Of `treadle resume`, which is what the job calls.

    Raises:
        SubmissionRefused: SLURM took no job.
        ControllerAway: SLURM did not answer.
        RunStranded: The job ended before the run.
        Cancelled: This process was interrupted; the run goes on.
    """
    from treadle.cli.described import load_run
    from treadle.cli.output import note
    from treadle.clusters.slurm.driver_job import submit_driver
    from treadle.ledger import jobs

    run = load_run(session, run_id)
    profile = session.settings.cluster(run.plan.cluster)
    folder = session.settings.run_logs_folder(run_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    python = profile.python or sys.executable
    job = submit_driver(
        profile,
        run.plan.cluster,
        run_id,
        [python, "-P", "-m", "treadle", "resume", str(run_id), *options],
        variables=_variables(session),
        output=folder / "driver.log",
    )
    with session.ledger.writing() as tx:
        jobs.add_job(
            tx,
            run_id,
            name=job.name,
            cluster=job.cluster,
            job_id=job.id,
            shape=job.shape,
            cpus=job.cpus,
            memory_mb=job.memory_mb,
        )
    note(
        f"Run {run_id} of {run.plan.workflow.name!r} on {run.plan.dataset!r} is driven by SLURM job {job.id}"
    )
    return follow_shown(session, run_id)


def follow_shown(session: Session, run_id: int) -> RunRecord:
    """Show how a run goes on that another process drives, until its end; raises as `drive_in_job`."""
    from treadle.cli.described import load_run
    from treadle.cli.progress import watching
    from treadle.runs.follow import follow

    run = load_run(session, run_id)
    try:
        with watching([planned.step.name for planned in run.plan.steps]) as observer:
            return follow(run_id, session.ledger, observer, is_coming=_coming(session, run))
    except KeyboardInterrupt as error:
        raise Cancelled(
            f"Run {run_id} goes on.",
            remedy=f"Follow it with treadle follow {run_id}; end it with treadle cancel {run_id}.",
        ) from error


def check_driver(session: Session, cluster: str) -> None:
    """Check, before a run is written, that its driver can be in a job of that cluster.

    Raises:
        UnknownName: There is no such cluster.
        UsageError: It has no jobs, or a setting has a secret that no job may know.
    """
    if session.settings.cluster(cluster).kind != "slurm":
        raise UsageError(
            f"The cluster {cluster!r} has no jobs that a driver could be in.",
            remedy="Name one that has, such as --cluster slurm, or leave --driver out.",
        )
    secret = sorted(os.environ.keys() & SECRET_SETTINGS)
    if secret:
        raise UsageError(
            f"The driver's job would not know {secret[0]}, which may hold a password.",
            remedy=f"Write it into {session.settings.home / 'treadle.toml'} instead.",
        )


def _variables(session: Session) -> dict[str, str]:
    """Return what the job must know of this process's settings; `check_driver` has seen to secrets."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("TREADLE_")}
    return {**ours, "TREADLE_HOME": str(session.settings.home)}


def _coming(session: Session, run: RunRecord) -> Callable[[], bool]:
    """Return what says whether a job is still to drive the run; SLURM is asked now and then."""
    from treadle.clusters.slurm.driver_job import end_of

    drivers = _open_drivers(session, run.id)
    asked_at = -ASK_SECONDS

    def is_coming() -> bool:
        nonlocal asked_at
        if not drivers:
            return False
        if time.monotonic() - asked_at >= ASK_SECONDS:
            asked_at = time.monotonic()
            latest = drivers[-1]
            try:
                end = end_of(session.settings.cluster(latest.cluster), latest.job_id)
            except ControllerAway:
                end = None  # nothing is known, so nothing has changed
            if end is not None:
                log = session.settings.run_logs_folder(run.id) / "driver.log"
                words = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise RunStranded(
                    f"Run {run.id} has lost its driver. {end.explanation}",
                    remedy=f"Go on with treadle resume {run.id}.",
                    detail=words,
                )
        return True

    return is_coming


def _open_drivers(session: Session, run_id: int) -> list[JobRow]:
    from treadle.ledger import jobs

    with session.ledger.reading() as tx:
        return [job for job in jobs.list_jobs(tx, run_id) if job.name.startswith(PREFIX) and not job.state]
