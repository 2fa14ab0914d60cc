"""`treadle runs`, `show` and `logs`: what ran, how it ended, and what it printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson, RunNumber

if TYPE_CHECKING:
    from treadle.ledger import Transaction
    from treadle.ledger.runs import RunSummary
    from treadle.runs.logs import FreshText, UnitLog

NO_RUN = "No run yet: start one with `treadle run`."


def runs(
    limit: Annotated[int, typer.Option(min=1, help="How many, the latest first.")] = 20,
    usage: Annotated[
        bool, typer.Option("--usage", help="Show CPU time, memory and waiting, and the sums by owner.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the latest runs."""
    from treadle.cli.described import seconds_of, summary_document
    from treadle.cli.output import print_json, print_table
    from treadle.cli.session import open_session
    from treadle.ledger import runs as ledger_runs

    with open_session() as session, session.ledger.reading() as tx:
        found = ledger_runs.list_runs(tx, limit)
        if usage:
            _usage(tx, found, as_json=as_json)
            return
    if as_json:
        print_json({"runs": [summary_document(run) for run in found]})
        return
    counts = ["cached"] if any(run.cached for run in found) else []
    rows = [
        (
            run.id,
            run.workflow,
            run.dataset,
            run.state,
            run.created_at,
            seconds_of(run),
            *(run.cached for _ in counts),
        )
        for run in found
    ]
    print_table(
        ["run", "workflow", "dataset", "state", "submitted", "seconds", *counts],
        rows,
        empty=NO_RUN,
    )


def _usage(tx: Transaction, found: Sequence[RunSummary], *, as_json: bool) -> None:
    """Print what runs used."""
    from treadle.cli.described import summary_document
    from treadle.cli.output import print_json
    from treadle.cli.usage import owner_documents, print_run_usages, run_usage_document
    from treadle.runs.usage import usage_of_runs

    usages = usage_of_runs(tx, [run.id for run in found])
    if as_json:
        documents = [{**summary_document(run), "usage": run_usage_document(usages[run.id])} for run in found]
        print_json({"runs": documents, "owners": owner_documents(usages)})
    else:
        print_run_usages(found, usages, empty=NO_RUN)


def show(
    run: RunNumber,
    *,
    open_: Annotated[
        bool, typer.Option("--open", help="Draw its timeline, as SVG and PNG beside its logs, and open it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run: its steps and jobs, what it used, why it failed, where its logs are."""
    from treadle.cli.described import (
        driver_of,
        failure_text,
        load_failures,
        load_run,
        prefect_page,
        print_steps,
        run_document,
    )
    from treadle.cli.output import print_json, print_line
    from treadle.cli.session import open_session
    from treadle.cli.timeline import draw_timeline, open_picture
    from treadle.cli.usage import job_documents, print_jobs, print_usage, usage_document
    from treadle.ledger.jobs import list_jobs
    from treadle.model.states import RunState
    from treadle.runs.usage import usage_of_run

    with open_session() as session:
        record = load_run(session, run)
        failures = load_failures(session, record)
        driver = driver_of(session, record)
        with session.ledger.reading() as tx:
            jobs, usage = list_jobs(tx, run), usage_of_run(tx, run)
        folder = session.settings.run_logs_folder(run)
        timeline = draw_timeline(session, run) if open_ else None
    page = prefect_page(record, session.settings)
    if as_json:
        places: dict[str, object] = {"logs_folder": folder, "prefect_page": page or None, "driver": driver}
        if timeline is not None:
            places["timeline"] = timeline
        used = {"jobs": job_documents(jobs), "usage": usage_document(record, usage)}
        print_json({**run_document(record, failures), **used, **places})
        return
    print_line(f"Run {record.id} of {record.workflow!r} on dataset {record.dataset!r}: {record.state}")
    submitted = f"{record.created_at.astimezone():%Y-%m-%d %H:%M:%S}"
    print_line(f"submitted {submitted}, results in {record.plan.zarr_dir}")
    print_line()
    print_steps(record)
    if jobs:
        print_line()
        print_jobs(jobs)
    if usage.units.count or usage.jobs.count:
        print_line()
        print_usage(record, usage)
        print_line()
    if record.error or failures:
        print_line(failure_text(record, failures))
    if driver is None and record.state is RunState.RUNNING:
        print_line(f"The process that drove it is gone: go on with treadle resume {run}")
    print_line(f"Logs:    treadle logs {run} (in {folder})")
    if page:
        print_line(f"Prefect: {page} (while `treadle up` runs; open its URL first)")
    if timeline is not None:
        print_line(f"Timeline: {timeline.svg}, {timeline.png}")
        open_picture(timeline.svg)


def logs(
    run: RunNumber,
    *,
    step: Annotated[str | None, typer.Option(help="Only units of this step.")] = None,
    unit: Annotated[int | None, typer.Option(min=0, help="Only the unit of this number in its step.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only units that are not done.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is printed until the run has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what the units of a run printed."""
    from treadle.cli.output import note, print_json
    from treadle.cli.session import open_session
    from treadle.runs.logs import LogQuery, follow_logs, run_logs

    query = LogQuery(run, step, unit, failed)
    with open_session() as session:
        folder = session.settings.run_logs_folder(run)
        if follow:
            _print_fresh(follow_logs(session.ledger, folder, query), as_json=as_json)
            return
        found = run_logs(session.ledger, folder, query)
        if as_json:
            print_json({"logs": list(found)})
        elif not _print_logs(found):
            note("No unit matches." if unit is not None or failed else "No unit has been planned yet.")


def _print_logs(logs: Iterable[UnitLog]) -> bool:
    """Print logs under headings; return whether there was any."""
    from treadle.cli.output import print_line

    matched = False
    for log in logs:
        matched = True
        item = f" {log.zarr_url}" if log.zarr_url else ""
        print_line(f"==> {log.step}, unit {log.index}, {log.state}{item}")
        print_line(log.text.rstrip("\n"))
    return matched


def _print_fresh(texts: Iterable[FreshText], *, as_json: bool) -> None:
    """Print what units print, under a heading where the unit is another; as JSON a line each."""
    import json
    from dataclasses import asdict

    before: tuple[str, int, int] | None = None
    at_line_start = True
    for fresh in texts:
        if as_json:
            _write(json.dumps(asdict(fresh), ensure_ascii=False) + "\n")
            continue
        unit = (fresh.step, fresh.unit, fresh.attempt)
        if unit != before:
            attempt = f", attempt {fresh.attempt}" if fresh.attempt > 1 else ""
            line_end = "" if at_line_start else "\n"
            _write(f"{line_end}==> {fresh.step}, unit {fresh.unit}{attempt}\n")
        _write(fresh.text)
        before, at_line_start = unit, fresh.text.endswith("\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
