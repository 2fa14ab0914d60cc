"""Calls, and what was done to them, as `treadle cache` prints it for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from treadle.cache.care.archive import Moved
from treadle.cache.care.eviction import Evicted
from treadle.cache.care.fleche import TakenOver
from treadle.cache.care.garbage import Collected
from treadle.cache.care.statistics import PartStatistics
from treadle.cache.care.verification import Verified
from treadle.cache.records import Argument, CallRecord, Inline
from treadle.cli.amounts import size_text, when
from treadle.cli.output import print_line, print_table

_SHOWN = 40
_NOT_HERE = "Nothing can be removed here: the cache can only be read, or is on another machine."


def print_statistics(parts: Sequence[PartStatistics]) -> None:
    """Print what is kept, a row for each storage."""
    rows = [
        (
            part.name or "-",
            kind,
            held.place,
            held.count,
            size_text(held.bytes),
            when(held.oldest),
            when(held.used),
        )
        for part in parts
        for kind, held in (("calls", part.calls), ("values", part.values))
    ]
    print_table(["layer", "what", "place", "count", "size", "oldest", "used"], rows)


def print_calls(records: Sequence[CallRecord]) -> None:
    """Print a table of calls."""
    rows = [
        (
            record.key[:12],
            record.name,
            record.version,
            when(record.created),
            ", ".join(_shown(one) for one in record.arguments),
            record.outcome.value,
            record.provenance,
        )
        for record in records
    ]
    columns = ["key", "function", "version", "recorded", "arguments", "outcome", "provenance"]
    print_table(columns, rows, empty="No call matches.")


def print_evicted(parts: Sequence[Evicted], *, dry_run: bool) -> None:
    """Print which calls and values went, or would go."""
    rows = [(part.place, part.calls, part.values, size_text(part.bytes)) for part in parts]
    print_table(["place", "calls", "values", "size"], rows, empty=_NOT_HERE)
    _print_freed(sum(part.bytes for part in parts), dry_run=dry_run)


def print_collected(parts: Sequence[Collected], *, dry_run: bool) -> None:
    """Print which values went, or would go."""
    rows = [(part.place, part.values, size_text(part.bytes), part.kept) for part in parts]
    print_table(["place", "values", "size", "kept"], rows, empty=_NOT_HERE)
    _print_freed(sum(part.bytes for part in parts), dry_run=dry_run)


def print_verified(parts: Sequence[Verified], *, sound: bool) -> None:
    """Print what is sound, and what is not."""
    rows = [
        (
            part.place,
            part.calls,
            part.values,
            len(part.damaged_calls),
            len(part.damaged_values),
            len(part.without_result),
            part.newer,
        )
        for part in parts
    ]
    columns = ["place", "calls", "values", "damaged calls", "damaged values", "without result", "newer"]
    print_table(columns, rows, empty="The cache is on another machine: verify it there.")
    if not parts:
        return
    damaged = "What was damaged is put aside; it is computed again when needed."
    print_line("All is sound." if sound else damaged)


def print_exported(moved: Moved, file: Path) -> None:
    """Print what was written to an archive."""
    print_line(f"Written to {file}: {_counted(moved.calls, 'call')}, {_counted(moved.values, 'value')}.")
    if moved.incomplete:
        print_line(f"Left out, as values are gone: {_counted(moved.incomplete, 'call')}.")


def print_imported(taken: Moved | TakenOver, *, dry_run: bool) -> None:
    """Print what was taken over, or would be, and what was left out for which reason."""
    what = "Would be taken over" if dry_run else "Taken over"
    print_line(f"{what}: {_counted(taken.calls, 'call')}; there already: {taken.there}.")
    if isinstance(taken, Moved):
        left = {"values are not in the archive": taken.incomplete}
    else:
        left = {
            "fleche's digests could be those of other arguments (--trust-recorded takes them), "
            "or a value is gone": taken.unsure,
            "the cache cannot keep their values": taken.unstorable,
        }
    for reason, count in left.items():
        if count:
            print_line(f"Left out, as {reason}: {_counted(count, 'call')}.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print_freed(freed: int, *, dry_run: bool) -> None:
    print_line(f"{size_text(freed)} {'would be' if dry_run else 'are'} free.")


def _shown(argument: Argument) -> str:
    """An argument in a table: itself if it is small."""
    if isinstance(argument.value, Inline):
        text = repr(argument.value.value)
        return f"{argument.name}={text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"
    return f"{argument.name}=…"
