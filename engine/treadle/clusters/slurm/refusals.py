"""What it means when sbatch fails: a table of SLURM's own words, from its `slurm_errno.c` and limits."""

from __future__ import annotations

import re
from enum import Enum

_FAILED = re.compile(r"Batch job submission failed: (.+)")
_PREFIX = re.compile(r"^sbatch: (error: |fatal: )?")


class Refusal(Enum):
    """What became of a job that sbatch failed to submit."""

    TRANSIENT = "there is no job; the same one may be taken later"
    PERMANENT = "there is no job, and there will be none until something is changed"
    AWAY = "there is no job, because nobody could be asked"
    UNCERTAIN = "the connection broke: the job may be there"


_LATER = "It is submitted again when there is room."
_TABLE: tuple[tuple[str, Refusal, str], ...] = (
    (r"Unable to contact slurm controller \((connect|shutdown) failure\)", Refusal.AWAY, ""),
    (r"Unable to contact slurm controller", Refusal.UNCERTAIN, ""),
    (r"Slurm backup controller in standby mode", Refusal.AWAY, ""),
    (r"Communication connection failure|Can't find an address", Refusal.AWAY, ""),
    (
        r"Could not establish a configuration source|Unable to (process|open) .*configuration",
        Refusal.AWAY,
        "",
    ),
    (r"Protocol authentication error|[Mm]unge|authentication credential", Refusal.AWAY, ""),
    (r"Socket timed out|Connection (timed out|reset)|Zero Bytes were transmitted", Refusal.UNCERTAIN, ""),
    (r"Unexpected (message received|missing socket)|Transport endpoint|Broken pipe", Refusal.UNCERTAIN, ""),
    (r"Message (send|receive) failure|zero length message|Failed to send entire", Refusal.UNCERTAIN, ""),
    (r"(Assoc|QOS|Partition)\w*(MaxSubmit|GrpSubmit|MaxJobs|GrpJobs)\w*", Refusal.TRANSIENT, _LATER),
    (
        r"(Assoc|QOS)\w*(Max|Min|Grp)\w+",
        Refusal.PERMANENT,
        "Ask for less, or for another account or QOS: this limit is one of the job's own size.",
    ),
    (r"Job violates accounting/QOS policy", Refusal.TRANSIENT, _LATER),
    (r"Resource temporarily unavailable|temporarily unable to accept job", Refusal.TRANSIENT, _LATER),
    (r"Unable to create job record, try again|not available right now", Refusal.TRANSIENT, _LATER),
    (r"Requested nodes are busy|I/O error writing script", Refusal.TRANSIENT, _LATER),
    (r"(partition|node) (not available|configuration not available now)", Refusal.TRANSIENT, _LATER),
    (
        r"Partition in DOWN state|maintenance reservation|System submissions disabled",
        Refusal.TRANSIENT,
        _LATER,
    ),
    (r"breached requested QOS usage|resource limit exceeded", Refusal.TRANSIENT, _LATER),
    (
        r"[Ii]nvalid partition|not permitted to use this partition|No partition specified",
        Refusal.PERMANENT,
        "Choose a partition that sinfo lists: --partition, or the site's profile.",
    ),
    (
        r"Invalid account",
        Refusal.PERMANENT,
        "Choose an account that sacctmgr show associations lists for you: --account, or the site's profile.",
    ),
    (
        r"Requested time limit|Invalid (--time|time|time-min) specif",
        Refusal.PERMANENT,
        "Ask for no more time than sinfo shows for the partition.",
    ),
    (
        r"Requested node configuration is not available|Memory|[Gg]eneric resource|CPU count|processors",
        Refusal.PERMANENT,
        "Ask for no more cpus, memory and gpus than a node of the partition has, as sinfo shows them.",
    ),
)
_OTHERWISE = (Refusal.PERMANENT, "Change what it complains of: resources of the task, or the site's profile.")


def classify(words: str) -> tuple[Refusal, str]:
    """Return what sbatch's errors mean, and what to do.

    Words that are not in the table are a refusal for good: sites write their own in `job_submit` plugins.
    """
    for pattern, refusal, remedy in _TABLE:
        if re.search(pattern, words):
            return refusal, remedy
    return _OTHERWISE


def reason(words: str) -> str:
    """Return the one line of sbatch's errors that says most."""
    said = _FAILED.findall(words)
    if said:
        return str(said[-1])
    lines = [line for line in words.splitlines() if line.strip()]
    return _PREFIX.sub("", lines[-1]) if lines else "it gave no reason"
