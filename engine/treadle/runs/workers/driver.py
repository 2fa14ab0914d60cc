"""The process of one flow run: runs it in its main thread as Prefect's engine does, and outlives its worker.

Run as `python -P -m treadle.runs.workers.driver`, with the flow run's id and Prefect's address and secret in
the environment. The server may be restarted meanwhile: what Prefect could not be told it is told in the end.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from treadle.compile.identity import this_driver
from treadle.runs.workers.process import IN_PLACE

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

FLOW_RUN = "PREFECT__FLOW_RUN_ID"
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 1.0
END_SECONDS = 30.0


def main() -> None:
    """Run the flow run of the environment; the exit status is that of Prefect's engine.

    A flow whose files Prefect copies first gets an empty folder, unless the one argument is `--in-place`.
    """
    number, in_place = os.environ[FLOW_RUN], IN_PLACE in sys.argv
    needs_folder = _announce(UUID(number)) and not in_place
    try:
        with _folder_of_its_own(wanted=needs_folder):
            sys.argv = ["prefect.engine", number]
            runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    finally:
        from treadle.runs.workers.endings import tell_end

        tell_end(number, PATIENCE_SECONDS)
        _end_at_last()


def _end_at_last() -> None:
    """See to it that the process ends: Prefect's client waits on its way out for a connection that was lost.

    The exit status is lost with it, which nobody reads: what became of the flow run is known by then.
    """
    guard = threading.Timer(END_SECONDS, os._exit, [1])
    guard.daemon = True
    guard.start()


def _announce(flow_run_id: UUID) -> bool:
    """Tell Prefect which process this is, and return whether the flow is to be copied into a folder.

    A worker tells the former, too, but may be killed before it can.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with get_client(sync_client=True) as client:
                client.update_flow_run(flow_run_id, infrastructure_pid=this_driver())
                return _is_copied(client, flow_run_id)
        except HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def _is_copied(client: SyncPrefectClient, flow_run_id: UUID) -> bool:
    """Whether Prefect copies the flow's files into the current folder, which therefore must be nobody's."""
    flow_run = client.read_flow_run(flow_run_id)
    if flow_run.deployment_id is None:
        return False
    deployment = client.read_deployment(flow_run.deployment_id)
    in_file = deployment.entrypoint is not None and ":" in deployment.entrypoint
    return in_file or bool(deployment.pull_steps)


@contextmanager
def _folder_of_its_own(*, wanted: bool) -> Iterator[None]:
    before = os.getcwd()  # noqa: PTH109 - it is what chdir takes
    if not wanted:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="treadle-flow-", ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


if __name__ == "__main__":
    main()
