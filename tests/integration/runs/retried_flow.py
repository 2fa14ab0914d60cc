"""Does what a worker of Prefect does after somebody pressed Retry: calls the flow of a flow run once more."""

from __future__ import annotations

import sys
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry

from treadle.clusters import open_cluster
from treadle.compile.flow import compile_flow
from treadle.compile.observer import Observer
from treadle.ledger import Ledger, runs, sqlite_url
from treadle.runs.drive import context_of
from treadle.settings import Settings


def main(home: str, number: str) -> None:
    settings, run_id = Settings(home=Path(home), workers=2, port=0), int(number)
    with (
        Ledger(sqlite_url(settings.home / "ledger.sqlite")) as ledger,
        open_cluster("local", settings) as cluster,
        get_client(sync_client=True) as client,
    ):
        with ledger.reading() as tx:
            record = runs.load_run(tx, run_id)
        flow_run = client.read_flow_run(record.prefect_flow_run_id)
        client.set_flow_run_state(flow_run.id, AwaitingRetry(), force=False)
        context = context_of(run_id, ledger=ledger, settings=settings, cluster=cluster, observer=Observer())
        run_flow(
            compile_flow(context),
            flow_run=client.read_flow_run(flow_run.id),
            parameters={"run": run_id, "dataset": record.dataset},
            return_type="state",
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
