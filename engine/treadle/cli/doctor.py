"""`treadle doctor`: whether an installation has what it needs, and what to fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.model.findings import Finding
    from treadle.settings import Settings


def doctor(
    cluster: Annotated[
        str, typer.Option(metavar="NAME", help="Check this cluster too, by submitting a tiny job.")
    ] = "local",
    as_json: AsJson = False,
) -> None:
    """Check this installation, and say what to fix."""
    from treadle.cli.output import print_json
    from treadle.model.findings import Verdict
    from treadle.settings import load_settings

    settings = load_settings()
    findings = _examine(settings, cluster)
    failed = [finding for finding in findings if finding.verdict is Verdict.FAILED]
    if as_json:
        print_json({"ok": not failed, "cluster": cluster, "findings": findings})
    else:
        _print(findings)
    raise typer.Exit(1 if failed else 0)


def _examine(settings: Settings, cluster: str) -> Sequence[Finding]:
    from treadle.api.examination import examine_server
    from treadle.cli.output import note
    from treadle.runs.installation import examine_installation

    profile = settings.cluster(cluster)
    findings = [*examine_installation(settings), *examine_server(settings)]
    if profile.kind == "slurm":
        from pathlib import Path

        from treadle.clusters.slurm.doctor import examine_cluster

        note(f"Asking {cluster}, and waiting for a job of three minutes at most ...")
        shared = Path(profile.shared_folder) if profile.shared_folder else settings.home
        findings += examine_cluster(profile, shared)
    return findings


def _print(findings: Sequence[Finding]) -> None:
    """Print the table of findings, then what to do about those that are not in order."""
    import textwrap

    from treadle.cli.output import print_line, print_table

    print_table(
        ["check", "result", "found"], [(found.check, found.verdict, found.text) for found in findings]
    )
    for found in findings:
        if found.remedy or found.detail:
            print_line()
            print_line(f"{found.check}: {found.remedy or found.text}")
            if found.detail:
                print_line(textwrap.indent(found.detail.strip("\n"), "    "))
