"""What SLURM's own commands tell of a site."""

from __future__ import annotations

import asyncio
import re

from treadle.clusters.slurm.transport import NOT_FOUND, Completed, Transport
from treadle.errors import ControllerAway
from treadle.model.findings import Finding, Verdict
from treadle.model.profile import ClusterProfile
from treadle.model.slurm_time import limit_seconds

COMMANDS = "SLURM commands"
CONTROLLER = "SLURM controller"
ACCOUNTING = "SLURM accounting"
PARTITIONS = "partitions"
TIME = "time of jobs"

ANSWER_SECONDS = 60.0

_PROGRAMS = ("sbatch", "squeue", "sacct", "scontrol", "scancel")
_READING = {"LC_ALL": "C"}
_UP = re.compile(r"\b(?:is|are) UP\b")
_PAIR = re.compile(r"(\S+?)=(\S*)")
_NO_ACCOUNTING = "accounting storage is disabled"


async def commands(transport: Transport) -> Finding:
    """See that all commands are there, and of which version."""
    answers = {program: await ask(transport, program, "--version") for program in _PROGRAMS}
    missing = [program for program, answer in answers.items() if answer.status == NOT_FOUND]
    if missing:
        return Finding(
            COMMANDS,
            Verdict.FAILED,
            f"Not on PATH: {', '.join(missing)}.",
            "Work on a machine that submits jobs, put SLURM's commands on PATH, or set ssh in the profile.",
        )
    broken = [program for program, answer in answers.items() if answer.status]
    if broken:
        return Finding(
            COMMANDS,
            Verdict.FAILED,
            f"These cannot be run: {', '.join(broken)}.",
            "Set SLURM_CONF to the site's slurm.conf, or work on a machine that submits jobs.",
            answers[broken[0]].stderr,
        )
    versions = sorted({answer.stdout.strip() for answer in answers.values()})
    return Finding(COMMANDS, Verdict.OK, f"{', '.join(_PROGRAMS)}: {' and '.join(versions)}")


async def controller(transport: Transport) -> Finding:
    """See that slurmctld answers."""
    answer = await ask(transport, "scontrol", "ping")
    said = answer.stdout.strip()
    if _UP.search(said):
        return Finding(CONTROLLER, Verdict.OK, said)
    return Finding(
        CONTROLLER,
        Verdict.FAILED,
        "SLURM's controller does not answer.",
        "Wait until it does: look at `scontrol ping`, and ask the site's administrators.",
        f"{said}\n{answer.stderr}".strip(),
    )


async def accounting(transport: Transport) -> Finding:
    """See whether ended jobs can be asked for."""
    answer = await ask(transport, "sacct", "--allocations", "--noheader", "--parsable2", "--starttime=now")
    if answer.status == 0:
        return Finding(ACCOUNTING, Verdict.OK, "on: sacct answers")
    if _NO_ACCOUNTING in answer.stderr:
        return Finding(
            ACCOUNTING,
            Verdict.WARNING,
            "off: the controller is asked why a job ended, which forgets it after minutes",
            "What jobs used of their memory will not be known; a site that runs slurmdbd tells it.",
        )
    return Finding(
        ACCOUNTING,
        Verdict.FAILED,
        "sacct does not answer.",
        "See that slurmdbd runs, or ask the site's administrators.",
        answer.stderr,
    )


async def partitions(transport: Transport, profile: ClusterProfile) -> Finding:
    """See that there is a partition for every job of the profile."""
    return judge_partitions(await _told(transport), profile)


async def time_of_jobs(transport: Transport, profile: ClusterProfile) -> Finding:
    """See that jobs of the profile ask for no more time than their partition gives."""
    return judge_time(await _told(transport), profile)


def judge_partitions(text: str, profile: ClusterProfile) -> Finding:
    """Compare what `scontrol show partition --oneliner` printed with what a profile names."""
    known = _partitions(text)
    default = _default(known)
    shown = [f"{name} (default)" if name == default else name for name in known]
    wanted = _wanted(profile)
    for part, value in wanted.items():
        for name in value.split(","):
            if problem := _problem(name, known):
                remedy = f"Set partition in the profile's {part} to one of these: {', '.join(known)}."
                return Finding(PARTITIONS, Verdict.FAILED, problem, remedy)
    if default is None and not {"defaults", "force"} & wanted.keys():
        remedy = f"Set partition in the profile's defaults to one of these: {', '.join(known)}."
        return Finding(PARTITIONS, Verdict.FAILED, "The site has no default partition.", remedy)
    named = f"; of the profile: {', '.join(dict.fromkeys(wanted.values()))}" if wanted else ""
    return Finding(PARTITIONS, Verdict.OK, f"{', '.join(shown)}{named}")


def judge_time(text: str, profile: ClusterProfile) -> Finding:
    """Compare what `scontrol show partition --oneliner` printed with the time that jobs of a profile ask for.

    Most sites take a job that asks for more than its partition gives, and let it wait for ever.
    """
    known = _partitions(text)
    named = sorted(set(_wanted(profile).values())) or [_default(known) or ""]
    for names in named:
        limits = [known[name].get("MaxTime", "") for name in names.split(",") if name in known]
        if limits and all(_is_shorter(limit, profile.job_seconds) for limit in limits):
            most = " and ".join(limits)
            what = f"Jobs of {profile.job_time} would wait for ever in {names}, which gives {most} at most."
            remedy = f"Set job_time in the profile to '{limits[-1]}' or less, or name another partition."
            return Finding(TIME, Verdict.FAILED, what, remedy)
    return Finding(TIME, Verdict.OK, f"{profile.job_time}, which {' and '.join(named)} can give")


async def ask(transport: Transport, *words: str) -> Completed:
    """Run one of SLURM's commands.

    Raises:
        ControllerAway: It did not answer in time.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await transport.run(words, variables=_READING)
    except TimeoutError as error:
        raise ControllerAway(f"{words[0]} did not answer within {ANSWER_SECONDS:g} s.") from error


async def _told(transport: Transport) -> str:
    answer = await ask(transport, "scontrol", "show", "partition", "--oneliner")
    if answer.status:
        raise ControllerAway("SLURM does not tell its partitions.", detail=answer.stderr)
    return answer.stdout


def _partitions(text: str) -> dict[str, dict[str, str]]:
    records = [dict(_PAIR.findall(line)) for line in text.splitlines()]
    return {record["PartitionName"]: record for record in records if "PartitionName" in record}


def _default(known: dict[str, dict[str, str]]) -> str | None:
    return next((name for name, values in known.items() if values.get("Default") == "YES"), None)


def _wanted(profile: ClusterProfile) -> dict[str, str]:
    """Return the partitions that a profile names, by the part of it that does."""
    overlays = {"defaults": profile.defaults, "gpu": profile.gpu, "force": profile.force}
    return {part: overlay.partition for part, overlay in overlays.items() if overlay.partition}


def _is_shorter(limit: str, seconds: int) -> bool:
    most = limit_seconds(limit) if limit else None
    return most is not None and most < seconds


def _problem(name: str, known: dict[str, dict[str, str]]) -> str | None:
    if name not in known:
        return f"There is no partition {name!r}, which the profile names."
    state = known[name].get("State", "UP")
    return None if state == "UP" else f"The partition {name!r}, which the profile names, is {state}."
