"""Pages about runs that Prefect's own have links to: logs, the timeline, and pictures that units declared.

They read the ledger and the files of runs, and change nothing. No browser runs anything that is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse

from treadle.api.pictures import read_picture
from treadle.compile.artifacts.links import PAGES
from treadle.errors import TreadleError, UnknownName
from treadle.settings import Settings

if TYPE_CHECKING:
    from treadle.ledger import Ledger
    from treadle.runs.logs import UnitLog

POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
"""Nothing here is a page of an application: no script, no form, nothing loaded."""
NOTHING = "Nothing: no such unit has been planned yet.\n"


def run_pages(settings: Settings) -> APIRouter:
    """Return the routes below `/treadle/runs`; each request is answered in a thread.

    Args:
        settings: Where the ledger and the logs of runs are.
    """
    router = APIRouter(prefix=PAGES + "/{run}")

    @router.get("/log")
    def log(
        run: int,
        step: str | None = None,
        unit: Annotated[int | None, Query(ge=0)] = None,
        failed: bool = False,
    ) -> StreamingResponse:
        """Show what units printed, as text."""
        texts = _log_texts(settings, run, step, unit, failed_only=failed)
        try:
            first = next(texts, NOTHING)
        except TreadleError as error:
            raise _refusal(error) from error
        return StreamingResponse(chain([first], texts), media_type="text/plain", headers=HEADERS)

    @router.get("/timeline.svg")
    def timeline(run: int) -> Response:
        """Draw the run's steps and workers over time, up to now where it has not ended."""
        from treadle.runs.timelines.loading import load_timeline
        from treadle.runs.timelines.svg import draw

        with _reading(settings) as ledger, ledger.reading() as tx:
            svg = draw(load_timeline(tx, run))
        return Response(svg, media_type="image/svg+xml", headers=HEADERS)

    @router.get("/pictures/{position}/{unit}/{number}")
    def picture(run: int, position: int, unit: int, number: int) -> Response:
        """Show a picture that a unit of the run declared."""
        from treadle.ledger.pictures import find_picture
        from treadle.ledger.runs import load_run

        with _reading(settings) as ledger, ledger.reading() as tx:
            folder = load_run(tx, run).plan.zarr_dir
            found = find_picture(tx, run, position, unit, number)
            if found is None:
                raise UnknownName(
                    f"Unit {unit} of step {position} of run {run} declared no picture {number}."
                )
            content, kind = read_picture(Path(found.path), Path(folder))
        return Response(content, media_type=kind, headers=HEADERS)

    return router


def _log_texts(
    settings: Settings, run: int, step: str | None, unit: int | None, *, failed_only: bool
) -> Iterator[str]:
    from treadle.runs.logs import LogQuery, run_logs

    with _opened(settings) as ledger:
        query = LogQuery(run, step, unit, failed_only)
        for log in run_logs(ledger, settings.run_logs_folder(run), query):
            yield _log_text(log)


def _log_text(log: UnitLog) -> str:
    item = f" {log.zarr_url}" if log.zarr_url else ""
    text = log.text if log.text.endswith("\n") or not log.text else log.text + "\n"
    return f"==> {log.step}, unit {log.index}, {log.state}{item}\n{text}"


@contextmanager
def _reading(settings: Settings) -> Iterator[Ledger]:
    """Open the ledger; what it does not have is not found."""
    try:
        with _opened(settings) as ledger:
            yield ledger
    except TreadleError as error:
        raise _refusal(error) from error


@contextmanager
def _opened(settings: Settings) -> Iterator[Ledger]:
    from treadle.ledger import Ledger, sqlite_url

    file = settings.home / "ledger.sqlite"
    if settings.ledger_url is None and not file.exists():
        raise UnknownName("There is no run yet.")
    with Ledger(settings.ledger_url or sqlite_url(file)) as ledger:
        yield ledger


def _refusal(error: TreadleError) -> HTTPException:
    status = 404 if isinstance(error, UnknownName) else 503
    return HTTPException(status, str(error), headers=HEADERS)
