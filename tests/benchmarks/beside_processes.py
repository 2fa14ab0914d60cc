"""Runs the units of a task as most engines do: one interpreter a unit, started and awaited."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from treadle.execute.environment import unit_environment
from treadle.model.task import InstalledTask, Part


def one_process_per_unit(task: InstalledTask, urls: Sequence[str], slots: int) -> float:
    """Run a parallel task once an item, `slots` at a time; return the seconds."""
    words = task.command(Part.PARALLEL)
    environment = unit_environment(os.environ, {}, cpus=1)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(slots) as pool:
        folder = Path(name)

        def run(number: int) -> None:
            args_file, out_file = folder / f"{number}.args.json", folder / f"{number}.out.json"
            args_file.write_text(json.dumps({"zarr_url": urls[number]}))
            options = ["--args-json", str(args_file), "--out-json", str(out_file)]
            subprocess.run([*words, *options], env=environment, check=True, capture_output=True)
            if out_file.exists():
                json.loads(out_file.read_text())

        begin = time.perf_counter()
        list(pool.map(run, range(len(urls))))
        return time.perf_counter() - begin
