"""What a trial job tells of the node it ran on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from treadle.clusters.slurm.verdict import JobCause, JobEnd
from treadle.model.findings import Finding, Verdict
from treadle.model.profile import ClusterProfile

JOB = "trial job"
SHARED = "shared folder"
INTERPRETER = "interpreter on the node"
NETWORK = "way to this machine"
CLOCKS = "clocks"
CHECKS = (JOB, SHARED, INTERPRETER, NETWORK, CLOCKS)

NO_FOLDER, NOT_WRITABLE, NO_INTERPRETER = 71, 72, 73
"""Exit statuses of a job on a node that cannot write where anybody would read it."""

MODULES = ("treadle.clusters.slurm", "distributed")
DISTRIBUTIONS = ("treadle", "dask", "distributed", "cloudpickle", "msgpack")
LARGEST_DIFFERENCE_SECONDS = 5.0
END_OF_PROLOGUE = "It ended before its own program began: try the profile's shebang and prologue on a node."


@dataclass(frozen=True, slots=True)
class Told:
    """A trial job at its end.

    Attributes:
        job_id: SLURM's number.
        profile: The cluster.
        shared: Folder that nodes are to share.
        end: How it ended; None where its answer came first.
        answer: What `probe.py` told; None if nothing of it is to be seen here.
        said: What the interpreter printed; None if it was not begun.
        address: Where it was to call this machine; None where this machine could not listen.
        ahead_seconds: How far the node's clock is ahead of ours; None if it did not call.
    """

    job_id: str
    profile: ClusterProfile
    shared: str
    end: JobEnd | None
    answer: Mapping[str, Any] | None
    said: str | None
    address: str | None
    ahead_seconds: float | None

    @property
    def python(self) -> str:
        """The interpreter on the node."""
        return self.profile.python or sys.executable

    @property
    def node(self) -> str:
        """Where it ran."""
        return str(self.answer["host"]) if self.answer else (self.end.node if self.end else "") or "the node"


def judge(told: Told) -> Iterator[Finding]:
    """Say what follows from what a job told, as far as it goes."""
    if told.answer is None:
        yield from _without_answer(told)
        return
    ran = f"job {told.job_id} ran on {told.node}"
    yield Finding(JOB, Verdict.OK, ran)
    yield Finding(SHARED, Verdict.OK, f"{told.shared} is the same on {told.node}")
    yield _interpreter(told, told.answer)
    if told.address is not None:
        yield _network(told, told.address, told.answer["network_error"])
    if told.ahead_seconds is not None:
        yield _clocks(told, told.ahead_seconds)


def _without_answer(told: Told) -> Iterator[Finding]:
    end = told.end
    status = None if end is None else end.exit_code
    if status == NO_FOLDER:
        yield _ran(told)
        yield Finding(
            SHARED,
            Verdict.FAILED,
            f"{told.node} does not see {told.shared}.",
            "Set shared_folder in the profile to a folder that this machine and all nodes share, "
            "or TREADLE_HOME to a folder on such a file system.",
        )
    elif status == NOT_WRITABLE:
        yield _ran(told)
        remedy = "Mend its permissions, or set shared_folder in the profile to another folder."
        yield Finding(SHARED, Verdict.FAILED, f"{told.node} may not write to {told.shared}.", remedy)
    elif status == NO_INTERPRETER:
        yield _ran(told)
        yield Finding(SHARED, Verdict.OK, f"{told.shared} is there on {told.node}")
        remedy = "Set python in the profile to an interpreter that is there and has Treadle."
        yield Finding(INTERPRETER, Verdict.FAILED, f"There is no {told.python} on {told.node}.", remedy)
    elif told.said is not None:
        yield _ran(told)
        yield Finding(SHARED, Verdict.OK, f"{told.shared} is the same on {told.node}")
        what = f"{told.python} does not work on {told.node}."
        remedy = "Set python in the profile to a Python 3.11 or newer with Treadle."
        words = [told.said, end.explanation if end else ""]
        yield Finding(INTERPRETER, Verdict.FAILED, what, remedy, "\n".join(filter(None, words)))
    elif end is not None and end.cause is JobCause.COMPLETED:
        yield _ran(told)
        what = f"What {told.node} wrote to {told.shared} is not to be seen here."
        remedy = "Set shared_folder in the profile to a folder that this machine and all nodes share."
        yield Finding(SHARED, Verdict.FAILED, what, remedy)
    elif end is not None:
        remedy = END_OF_PROLOGUE if end.cause is JobCause.FAILED else end.remedy
        yield Finding(JOB, Verdict.FAILED, end.explanation, remedy)


def _ran(told: Told) -> Finding:
    return Finding(JOB, Verdict.OK, f"job {told.job_id} ran on {told.node}")


def _interpreter(told: Told, answer: Mapping[str, Any]) -> Finding:
    remedy = "Install this version there, or set python in the profile to an interpreter that has it."
    if answer["import_error"]:
        what = f"{told.python} on {told.node} has not all that it needs."
        return Finding(INTERPRETER, Verdict.FAILED, what, remedy, answer["import_error"])
    here = {"Python": ".".join(map(str, sys.version_info[:2]))} | {n: version(n) for n in DISTRIBUTIONS}
    there = {"Python": ".".join(answer["python"].split(".")[:2]), **answer["versions"]}
    others = [
        f"{name} {there[name]} there and {here[name]} here" for name in here if there[name] != here[name]
    ]
    if others:
        what = f"{told.python} on {told.node} has other versions: {', '.join(others)}."
        return Finding(INTERPRETER, Verdict.FAILED, what, remedy)
    text = (
        f"{told.python}: Python {answer['python']}, treadle {there['treadle']}, dask {there['dask']}, as here"
    )
    return Finding(INTERPRETER, Verdict.OK, text)


def _network(told: Told, address: str, error: str | None) -> Finding:
    if error is None and told.ahead_seconds is not None:
        return Finding(NETWORK, Verdict.OK, f"{told.node} reaches {address}, over TLS")
    return Finding(
        NETWORK,
        Verdict.FAILED,
        f"{told.node} does not reach {address}.",
        "Set host or interface in the profile to what nodes reach this machine by, "
        "and let them connect to ports of it.",
        error or "",
    )


def _clocks(told: Told, ahead_seconds: float) -> Finding:
    order = "ahead of" if ahead_seconds > 0 else "behind"
    text = f"{told.node} is {abs(ahead_seconds):.1f} s {order} this machine"
    if abs(ahead_seconds) <= LARGEST_DIFFERENCE_SECONDS:
        return Finding(CLOCKS, Verdict.OK, text)
    return Finding(CLOCKS, Verdict.FAILED, f"{text}.", "Have the clocks of both set by NTP.")
