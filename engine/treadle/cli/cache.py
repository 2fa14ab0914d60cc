"""`treadle cache`: what caches of calls keep, and looking after them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.amounts import age_seconds, size_bytes
from treadle.cli.options import AsJson
from treadle.errors import UsageError

if TYPE_CHECKING:
    from treadle.cache.caches.base import BaseCache
    from treadle.cache.caches.cached_call import Cached
    from treadle.cache.care.archive import Moved
    from treadle.cache.care.fleche import TakenOver
    from treadle.cache.care.reading import Progress
    from treadle.cache.keys.digest import Digest

app = typer.Typer(help="Caches of calls.", no_args_is_help=True)

CacheName = Annotated[
    str | None,
    typer.Option("--cache", metavar="NAME", help="A cache by its name; else the default one."),
]
Function = Annotated[
    str | None, typer.Option(metavar="NAME", help="Calls of this function: its name, or module.name.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")]


@app.command()
def stats(cache: CacheName = None, as_json: AsJson = False) -> None:
    """Show how many calls and values a cache keeps, what they take, and where they are."""
    from treadle.cache.care.statistics import statistics
    from treadle.cli.cache_tables import print_statistics
    from treadle.cli.output import print_json

    with progressing("counting"):
        found = statistics(_open(cache))
    if as_json:
        print_json({"layers": found})
    else:
        print_statistics(found)


@app.command()
def query(
    function: Function = None,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Calls with this argument: a number, true, false, null or text."
        ),
    ] = None,
    cache: CacheName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List calls that are kept, the latest first."""
    from itertools import islice

    from treadle.cache.record_json import encode_record
    from treadle.cli.cache_tables import print_calls
    from treadle.cli.output import print_json

    with progressing("looking for calls"):
        found = [cached.record for cached in islice(_find(_open(cache), function, argument or []), limit)]
    if as_json:
        import json

        print_json({"calls": [json.loads(encode_record(record)) for record in found]})
    else:
        print_calls(found)


@app.command()
def evict(
    function: Function = None,
    *,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The call with this key, or the only one whose key begins so."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Calls recorded before that: 30d, 12h, 5m.")
    ] = None,
    unused_for: Annotated[
        str | None, typer.Option(metavar="AGE", help="Calls that nobody asked for since: 30d, 12h, 5m.")
    ] = None,
    down_to: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Least recently used calls, until the cache takes no more: 20GB, 500MB."
        ),
    ] = None,
    cache: CacheName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove calls, and the values that no other call needs; of several conditions all have to hold."""
    from treadle.cache.care.eviction import Condition, evict_calls
    from treadle.cli.cache_tables import print_evicted
    from treadle.cli.output import print_json

    now = time.time()
    condition = Condition(
        function=function,
        key=key,
        recorded_before=None if older_than is None else now - age_seconds("--older-than", older_than),
        unused_since=None if unused_for is None else now - age_seconds("--unused-for", unused_for),
        down_to=None if down_to is None else size_bytes("--down-to", down_to),
    )
    with progressing("evicting") as progress:
        removed = evict_calls(_open(cache), condition, dry_run=dry_run, progress=progress)
    if as_json:
        freed = sum(part.bytes for part in removed)
        print_json({"dry_run": dry_run, "freed_bytes": freed, "removed": removed})
    else:
        print_evicted(removed, dry_run=dry_run)


@app.command()
def gc(cache: CacheName = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove values that no call needs any more, older than ten minutes."""
    from treadle.cache.care.garbage import collect_garbage
    from treadle.cli.cache_tables import print_collected
    from treadle.cli.output import print_json

    with progressing("collecting garbage") as progress:
        collected = collect_garbage(_open(cache), dry_run=dry_run, progress=progress)
    if as_json:
        freed = sum(part.bytes for part in collected)
        print_json({"dry_run": dry_run, "freed_bytes": freed, "collected": collected})
    else:
        print_collected(collected, dry_run=dry_run)


@app.command()
def verify(cache: CacheName = None, as_json: AsJson = False) -> None:
    """Compare all that is kept with its digests and signatures; what is damaged is put aside.

    Nothing is unpickled. Ends with exit status 1 if something was damaged or gone.
    """
    from treadle.cache.care.verification import verify as check
    from treadle.cli.cache_tables import print_verified
    from treadle.cli.output import print_json

    with progressing("verifying") as progress:
        found = check(_open(cache), progress)
    sound = all(part.is_sound for part in found)
    if as_json:
        print_json({"sound": sound, "parts": found})
    else:
        print_verified(found, sound=sound)
    if not sound:
        raise typer.Exit(1)


@app.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive to write.")],
    function: Function = None,
    cache: CacheName = None,
    as_json: AsJson = False,
) -> None:
    """Write calls with their values to a file that `treadle cache import` reads."""
    from treadle.cache.care.archive import export_calls
    from treadle.cache.care.eviction import Condition
    from treadle.cli.cache_tables import print_exported
    from treadle.cli.output import print_json

    condition = None if function is None else Condition(function=function)
    with progressing("reading calls") as progress:
        moved = export_calls(_open(cache), file, condition, progress)
    if as_json:
        print_json({"file": str(file), **asdict(moved)})
    else:
        print_exported(moved, file)


@app.command("import")
def import_path(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="An archive of `treadle cache export`, or fleche's folder."),
    ],
    trust: Annotated[
        bool,
        typer.Option("--trust-recorded", help="Take fleche's calls whose digests other values could share."),
    ] = False,
    cache: CacheName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take over calls from an archive, or calls that fleche recorded."""
    from treadle.cache.care.archive import import_calls
    from treadle.cache.care.fleche import import_fleche
    from treadle.cli.cache_tables import print_imported
    from treadle.cli.output import print_json

    taken: Moved | TakenOver
    with progressing("importing") as progress:
        if path.is_dir():
            taken = import_fleche(_open(cache), path, trust=trust, dry_run=dry_run, progress=progress)
        else:
            taken = import_calls(_open(cache), path, dry_run=dry_run, progress=progress)
    if as_json:
        print_json({"dry_run": dry_run, **asdict(taken)})
    else:
        print_imported(taken, dry_run=dry_run)


@contextmanager
def progressing(what: str) -> Iterator[Progress]:
    """Show a bar on a terminal where it lasts; elsewhere nothing."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _open(name: str | None) -> BaseCache:
    from treadle.cache.config import load

    return load(name)


def _find(cache: BaseCache, function: str | None, arguments: list[str]) -> Iterator[Cached]:
    """Yield calls of a function, named alone or after its module, with these arguments."""
    from treadle.cache.storages.ports import Template

    parts = dict(_digested(word) for word in arguments)
    if function is None or "." not in function:
        yield from cache.find(Template(name=function, arguments=parts))
        return
    seen = False
    for cached in cache.find(Template(name=function, arguments=parts)):
        seen = True
        yield cached
    module, _, name = function.rpartition(".")
    if not seen:
        yield from cache.find(Template(name=name, module=module, arguments=parts))


def _digested(word: str) -> tuple[str, Digest]:
    import json

    from treadle.cache.keys import digest_of

    name, equals, text = word.partition("=")
    if not (name and equals):
        raise UsageError(
            f"--argument {word!r} is not of the form name=value.", remedy="Write --argument n=3."
        )
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return name, digest_of(value)
