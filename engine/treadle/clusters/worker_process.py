"""A Dask worker in a process of its own: `python -P -m treadle.clusters.worker_process`.

Not Dask's nanny, because that starts the worker through multiprocessing, which runs the driver's main module
again in each worker, and sets thread limits in the driver's own environment.

The introduction (scheduler, certificates) comes as one line of JSON on standard input, so that no secret
touches a disk or a command line; the worker has done its imports by then. Standard input stays open as long
as the driver wants the worker: its end, also by the driver's sudden death, ends the worker at once. The
launcher of the units sees the worker's end and ends the units. Both hold standard output open, so the driver
sees by its end that all of them are gone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

from treadle.execute.environment import worker_environment

LAST_WORDS_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a worker must know.

    Attributes:
        scheduler: Address of the scheduler.
        threads: Batches it runs at once.
        authority: Certificate that both sides trust.
        certificate: The worker's own.
        key: Its private key.
        module_path: Where it finds modules, as the driver does.
    """

    scheduler: str
    threads: int
    authority: str
    certificate: str
    key: str
    module_path: list[str]


class WorkerProcess:
    """The driver's side of one worker.

    It has its own session, so that Ctrl-C in the terminal reaches the driver alone.

    Args:
        name: Name of the worker.
        folder: Folder for its own folder, and for the file of what it prints.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)
        self._words = folder / f"{name}.stderr"  # not in the worker's own folder, which it removes itself
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, name, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                env=worker_environment(os.environ),
                start_new_session=True,
            )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)

    def introduce(self, introduction: Introduction) -> None:
        """Let the worker begin; if it has died already, `wait_gone` tells."""
        try:
            self._stdin.write(json.dumps(asdict(introduction)).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            return

    def wait_gone(self) -> None:
        """Return when the worker, its launcher and all its units are gone."""
        with self._stdout:
            while self._stdout.read(1 << 16):
                pass
        self._process.wait()

    def stop(self) -> None:
        """End the worker; its units are asked to end, then killed."""
        try:
            self._stdin.close()
        except BrokenPipeError:
            return

    def kill(self) -> None:
        """Kill the worker at once; its units end as after `stop`."""
        self._process.kill()

    def last_words(self) -> str:
        """Return the end of what the worker printed."""
        return self._words.read_text(errors="replace")[-LAST_WORDS_CHARACTERS:].strip()


async def _work(name: str, folder: str, introduction: Introduction) -> None:
    import dask
    from distributed.security import Security

    from treadle.clusters.servers import CONFIGURATION, QuietWorker

    security = Security(
        require_encryption=True,
        tls_ca_file=introduction.authority,
        tls_worker_cert=introduction.certificate,
        tls_worker_key=introduction.key,
    )
    dask.config.set(CONFIGURATION)
    worker = QuietWorker(
        introduction.scheduler, name=name, threads=introduction.threads, folder=folder, security=security
    )
    await worker.work()


def _end_with_driver(folder: str) -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def main(name: str, folder: str) -> None:
    """Be a worker until the driver, or the scheduler, is gone."""
    import treadle.clusters.delivery
    import treadle.clusters.servers
    import treadle.execute.batch  # noqa: F401 - all imports are done before the driver is waited for
    from treadle.execute.worker import name_worker

    name_worker(name)
    logging.getLogger("distributed").setLevel(logging.WARNING)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    introduction = Introduction(**json.loads(line))
    sys.path[:] = introduction.module_path
    threading.Thread(target=_end_with_driver, args=(folder,), daemon=True).start()
    asyncio.run(_work(name, folder, introduction))
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
