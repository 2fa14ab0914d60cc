"""A flow of a deployment: drives one run of the ledger, on from wherever it is."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import State
from prefect.task_runners import ThreadPoolTaskRunner

from treadle.clusters import open_cluster
from treadle.compile.flow import conduct
from treadle.compile.observer import Observer
from treadle.ledger import Ledger, sqlite_url
from treadle.runs.drive import context_of
from treadle.settings import load_settings


@flow(name="resumable", task_runner=ThreadPoolTaskRunner(max_workers=4), persist_result=False)
def drive_run(run: int) -> State[Any]:
    settings = load_settings()
    with (
        Ledger(sqlite_url(settings.home / "ledger.sqlite")) as ledger,
        open_cluster("local", settings) as cluster,
    ):
        return conduct(
            context_of(run, ledger=ledger, settings=settings, cluster=cluster, observer=Observer())
        )
