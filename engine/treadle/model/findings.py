"""What an examination of an installation found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from treadle.errors import TreadleError


class Verdict(StrEnum):
    """What a check came to; a warning is about what works until it matters."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        verdict: What it came to.
        text: What was found, for people.
        remedy: What to do about it, in one sentence; empty where there is nothing to do.
        detail: Text of another program that explains it, shown as it came.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""
    detail: str = ""


def failure(check: str, error: Exception) -> Finding:
    """Return what a check found that ended with an error; one of ours says itself what is wrong."""
    if isinstance(error, TreadleError):
        return Finding(check, Verdict.FAILED, error.what, error.remedy, error.detail)
    remedy = "If nothing else is wrong, this is a defect of Treadle."
    return Finding(check, Verdict.FAILED, f"The check broke off: {error!r}", remedy)
