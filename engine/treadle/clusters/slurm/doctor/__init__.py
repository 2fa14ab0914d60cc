"""Whether a site has what Treadle needs: the checks, and the job that makes some of them on a node.

::

    site.py       commands, controller, accounting, partitions and their limits
    trial.py      one tiny job through the profile
    listener.py   what that job calls on this machine
    probe.py      what it runs on the node
    telling.py    what follows from what it tells
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.doctor import site, telling
from treadle.clusters.slurm.doctor.trial import try_job
from treadle.clusters.slurm.transport import Transport
from treadle.clusters.slurm.transports import open_transport
from treadle.model.findings import Finding, Verdict, failure
from treadle.model.profile import ClusterProfile


def examine_cluster(profile: ClusterProfile, folder: Path) -> list[Finding]:
    """Make all checks of a SLURM cluster; a job of its own is waited for, for some minutes at most.

    Args:
        profile: The cluster.
        folder: Folder that its nodes are to share.
    """
    return asyncio.run(_examine(profile, folder))


async def _examine(profile: ClusterProfile, folder: Path) -> list[Finding]:
    transport = open_transport(profile)
    try:
        return await _examine_through(transport, profile, folder)
    finally:
        await transport.close()


async def _examine_through(transport: Transport, profile: ClusterProfile, folder: Path) -> list[Finding]:
    findings: list[Finding] = []
    looks: tuple[tuple[str, Callable[[], Awaitable[Finding]]], ...] = (
        (site.COMMANDS, lambda: site.commands(transport)),
        (site.CONTROLLER, lambda: site.controller(transport)),
        (site.ACCOUNTING, lambda: site.accounting(transport)),
        (site.PARTITIONS, lambda: site.partitions(transport, profile)),
        (site.TIME, lambda: site.time_of_jobs(transport, profile)),
    )
    for check, look in looks:
        needs = (site.COMMANDS, site.CONTROLLER, *([site.PARTITIONS] if check == site.TIME else []))
        missing = _missing(findings, *needs)
        findings.append(_skipped(check, missing) if missing else await _made(check, look))
    missing = _missing(findings, site.COMMANDS, site.CONTROLLER, site.PARTITIONS)
    if not missing:
        tried = sorted(await _tried(Slurm(transport), profile, folder), key=_order)
        missing = next((found.check for found in reversed(tried) if found.verdict is not Verdict.OK), "")
        findings += tried
    made = {finding.check for finding in findings}
    return findings + [_skipped(check, missing) for check in telling.CHECKS if check not in made]


def _order(finding: Finding) -> int:
    return telling.CHECKS.index(finding.check)


async def _made(check: str, look: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await look()
    except Exception as error:  # noqa: BLE001 - a broken check never stops the others
        return failure(check, error)


async def _tried(slurm: Slurm, profile: ClusterProfile, folder: Path) -> list[Finding]:
    try:
        return await try_job(slurm, profile, folder)
    except Exception as error:  # noqa: BLE001 - a broken check never stops the others
        return [failure(telling.JOB, error)]


def _missing(findings: Sequence[Finding], *needs: str) -> str:
    """Return the first of the needs that failed; empty if none did."""
    failed = {finding.check for finding in findings if finding.verdict is Verdict.FAILED}
    return next((need for need in needs if need in failed), "")


def _skipped(check: str, missing: str) -> Finding:
    return Finding(check, Verdict.NOT_CHECKED, f"after: {missing}")
