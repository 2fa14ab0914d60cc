"""`treadle explain`: why a unit ran, or was reused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson, RunNumber

if TYPE_CHECKING:
    from treadle.ledger.runs import RunRecord
    from treadle.runs.explain import Change, Explanation


def explain(
    run: RunNumber,
    unit: Annotated[int, typer.Argument(metavar="UNIT", min=0, help="Number of the unit in its step.")],
    *,
    step: Annotated[
        str | None, typer.Option(help="The unit's step; needed where the run has several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a unit ran, or why it was reused: what changed since it was done before."""
    from treadle.cli.described import load_run
    from treadle.cli.output import print_json
    from treadle.cli.session import open_session
    from treadle.runs.explain import explain as explained
    from treadle.runs.unit_cache import unit_cache

    with open_session() as session:
        position = _position(load_run(session, run), step)
        found = explained(
            session.ledger,
            unit_cache(session.settings),
            (run, position, unit),
            by_content=session.settings.compare_contents,
        )
    if as_json:
        print_json(found)
    else:
        _print(found)


def _position(run: RunRecord, step: str | None) -> int:
    from treadle.errors import UnknownName, UsageError

    names = [row.name for row in run.steps]
    if step is None:
        if len(names) == 1:
            return 0
        raise UsageError(f"Run {run.id} has {len(names)} steps.", remedy=f"Name one: --step {names[0]!r}.")
    if step not in names:
        raise UnknownName(
            f"Run {run.id} has no step {step!r}.", remedy=f"Its steps are {', '.join(map(repr, names))}."
        )
    return names.index(step)


def _print(found: Explanation) -> None:
    from treadle.cli.output import print_line

    item = f" ({found.zarr_url})" if found.zarr_url else ""
    how = "was reused" if found.cached else "has not run" if found.state == "planned" else "ran"
    print_line(f"Unit {found.index} of {found.step!r} in run {found.run_id}{item} {how}.")
    print_line(found.reason)
    if found.former is not None:
        former = found.former
        where = f"unit {former.index} of step {former.position} in run {former.run_id}"
        when = f"{former.recorded_at.astimezone():%Y-%m-%d %H:%M:%S}"
        what = "Reused is" if found.cached else "Compared with" if former.same_item else "Most like it is"
        print_line(f"{what} {where} of {when}, which took {former.seconds:.3g} s.")
    for change in found.changes:
        print_line(f"  {_words(change)}")
        for detail in change.details:
            print_line(f"    {detail}")
    print_line(f"Reuse in this step: {found.reuse}.")


def _words(change: Change) -> str:
    if change.before is None and change.now is None:
        return change.part
    before = "(not kept)" if change.before is None else change.before
    now = "(not kept)" if change.now is None else change.now
    return f"{change.part}: {before} -> {now}"
