"""One tiny job through a cluster's profile, from its submission to what it tells."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

from treadle.clusters.slurm.address import driver_address
from treadle.clusters.slurm.answers import QueueEntry
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.doctor import probe
from treadle.clusters.slurm.doctor.listener import Listener, listening
from treadle.clusters.slurm.doctor.telling import (
    DISTRIBUTIONS,
    JOB,
    MODULES,
    NETWORK,
    NO_FOLDER,
    NO_INTERPRETER,
    NOT_WRITABLE,
    SHARED,
    Told,
    judge,
)
from treadle.clusters.slurm.script import render
from treadle.clusters.slurm.verdict import JobCause, JobEnd, gone
from treadle.errors import ControllerAway
from treadle.model.findings import Finding, Verdict
from treadle.model.job_shape import JobShape, resolve
from treadle.model.overlay import NOTHING_SAID
from treadle.model.placement import place
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources

QUEUE_SECONDS = 180.0
"""How long the job may wait before it is given up."""

RUN_SECONDS = 120.0
VISIBLE_SECONDS = 60.0
"""How long a network file system may keep a new file from another machine's eyes."""

TIME_LIMIT_SECONDS = 300
POLL_SECONDS = 0.5
LAST_CHARACTERS = 2_000
SAID = "said"

_ON_THE_NODE = (
    f'test -d "$1" || exit {NO_FOLDER}; test -w "$1" || exit {NOT_WRITABLE}; '
    f'test -x "$2" || exit {NO_INTERPRETER}; exec "$2" -P "$1/probe.py" "$1" >"$1/{SAID}" 2>&1'
)


class _GivenUp(Exception):
    """The trial went no further than to this finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


async def try_job(slurm: Slurm, profile: ClusterProfile, shared: Path) -> list[Finding]:
    """Submit a job, wait for it, and return what it tells; the job and its files are gone then.

    Args:
        slurm: The commands.
        profile: The cluster.
        shared: Folder that nodes are to share.

    Raises:
        TreadleError: There can be no such job, or SLURM refused it or went away.
    """
    try:
        return await _try_job(slurm, profile, shared)
    except _GivenUp as early:
        return [early.finding]


async def _try_job(slurm: Slurm, profile: ClusterProfile, shared: Path) -> list[Finding]:
    shape, findings = trial_shape(profile), []
    secret = secrets.token_hex(16)
    with _private_folder(shared) as folder:
        async with AsyncExitStack() as stack:
            listener = None
            try:
                address = driver_address(profile)
                listener = await stack.enter_async_context(listening(address, secret, folder))
            except (OSError, ValueError) as error:
                findings.append(_deaf(profile, error))
            _ask(folder, secret, listener)
            job_id, end = await _run(slurm, shape, profile, folder)
            findings += judge(
                Told(
                    job_id=job_id,
                    profile=profile,
                    shared=str(shared),
                    end=end,
                    answer=_answer(folder),
                    said=_said(folder),
                    address=f"{listener.host}:{listener.port}" if listener else None,
                    ahead_seconds=listener.ahead_seconds if listener else None,
                )
            )
    return findings


def trial_shape(profile: ClusterProfile) -> JobShape:
    """Return the job for one unit that needs nothing, as the profile has it, with some minutes of time.

    Raises:
        WorkersUnavailable: The profile allows no such job.
    """
    unit = Resources(tasks_per_job=1, parallel_tasks_per_job=1)
    shape = resolve(place(unit, {}, profile, NOTHING_SAID).resources, profile)
    return shape.model_copy(update={"time_seconds": min(shape.time_seconds, TIME_LIMIT_SECONDS)})


@contextmanager
def _private_folder(shared: Path) -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=shared))
    except OSError as error:
        what = f"The shared folder {shared} cannot be written here: {error.strerror}."
        remedy = "Make it, or set shared_folder in the profile to a folder that all nodes share."
        raise _GivenUp(Finding(SHARED, Verdict.FAILED, what, remedy)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _deaf(profile: ClusterProfile, error: Exception) -> Finding:
    named = profile.host or profile.interface or "its own name"
    what = f"This machine cannot listen on the address that goes with {named}."
    remedy = "Set host or interface in the profile to an address of this machine."
    return Finding(NETWORK, Verdict.FAILED, what, remedy, str(error))


def _ask(folder: Path, secret: str, listener: Listener | None) -> None:
    shutil.copy(probe.__file__, folder / "probe.py")
    question = {
        "secret": secret,
        "modules": MODULES,
        "distributions": DISTRIBUTIONS,
        "host": listener.host if listener else None,
        "port": listener.port if listener else None,
    }
    (folder / probe.QUESTION).write_text(json.dumps(question))


async def _run(
    slurm: Slurm, shape: JobShape, profile: ClusterProfile, folder: Path
) -> tuple[str, JobEnd | None]:
    """Submit the job and wait for its end, which is not told where its answer is there."""
    name = f"treadle-{folder.name}"
    python = profile.python or sys.executable
    command = ("/bin/sh", "-c", _ON_THE_NODE, name, str(folder), python)
    script = render(shape, name=name, command=command, log_file="/dev/null")
    try:
        job_id = await slurm.submit(script, name)
        return job_id, await _until_over(slurm, job_id, folder)
    except BaseException:
        with suppress(ControllerAway):
            await slurm.cancel_named(name)
        raise


async def _until_over(slurm: Slurm, job_id: str, folder: Path) -> JobEnd | None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    started = None
    while True:
        entry = (await slurm.queue([job_id])).get(job_id)
        if entry is None or entry.is_final or entry.state == "COMPLETING":
            return None if _is_answered(folder) else await _end(slurm, job_id, folder)
        if entry.state == "PENDING":
            if loop.time() - begin > QUEUE_SECONDS:
                raise _GivenUp(_waiting(entry))
        else:
            started = started or loop.time()
            if loop.time() - started > RUN_SECONDS:
                raise _GivenUp(_hanging(entry))
        await asyncio.sleep(POLL_SECONDS)


def _waiting(entry: QueueEntry) -> Finding:
    what = f"Job {entry.job_id} waited {QUEUE_SECONDS:.0f} s in vain; SLURM's reason is {entry.reason}."
    remedy = "Try again when there is room, or name a partition in the profile that has some."
    return Finding(JOB, Verdict.NOT_CHECKED, what, remedy)


def _hanging(entry: QueueEntry) -> Finding:
    what = f"Job {entry.job_id} on {entry.node} did not come to its end within {RUN_SECONDS:.0f} s."
    remedy = "See whether the profile's prologue hangs there, or the file system of the shared folder."
    return Finding(JOB, Verdict.FAILED, what, remedy)


async def _end(slurm: Slurm, job_id: str, folder: Path) -> JobEnd:
    """Ask how a job ended, which accounting learns late, and wait for what it wrote."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + VISIBLE_SECONDS
    end = None
    while loop.time() < deadline:
        end = (await slurm.ended([job_id])).get(job_id)
        if end is not None and (end.cause is not JobCause.COMPLETED or _is_answered(folder)):
            return end
        await asyncio.sleep(POLL_SECONDS)
    return end or gone(job_id)


def _is_answered(folder: Path) -> bool:
    """Look for the answer in the folder's list, which network file systems renew before a single name."""
    return probe.ANSWER in {path.name for path in folder.iterdir()}


def _answer(folder: Path) -> dict[str, object] | None:
    if not _is_answered(folder):
        return None
    answer: dict[str, object] = json.loads((folder / probe.ANSWER).read_text())
    return answer


def _said(folder: Path) -> str | None:
    try:
        return (folder / SAID).read_text(errors="replace")[-LAST_CHARACTERS:].strip()
    except FileNotFoundError:
        return None
