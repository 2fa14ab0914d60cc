"""Start a deployment when data arrives in a folder: each file or folder once, as soon as it has settled.

What was started is noted in a file beside the data, and each start carries a key by which Prefect knows it
again: a restart at any moment neither forgets an arrival nor starts one twice.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.deployments import run_deployment

NOTES = ".arrivals.jsonl"


def look(folder: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Yield what is there: its name, and a digest of all its files' names, sizes and times."""
    for path in sorted(folder.glob(pattern)):
        if path.name.startswith(".") or path.name.endswith((".part", ".tmp")):
            continue
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        stats = [(str(file.relative_to(folder)), file.stat()) for file in files if file.is_file()]
        if stats:
            text = json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])
            yield path.name, hashlib.sha256(text.encode()).hexdigest()


def started_before(notes: Path) -> set[str]:
    """Return the names of what was started; a line that was cut short by a crash does not count."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    return {json.loads(line)["name"] for line in lines if line.endswith("}")}


def note(notes: Path, name: str, flow_run: str) -> None:
    """Note that something was started, on disk before anything else happens."""
    with notes.open("a") as file:
        file.write(f"\n{json.dumps({'name': name, 'flow_run': flow_run})}")
        file.flush()
        os.fsync(file.fileno())


def start(path: Path, digest: str, deployment: str, parameter: str) -> str:
    """Start the deployment on an arrival and return the flow run's id; it is not waited for."""
    key = hashlib.sha256(f"{deployment}\0{path}\0{digest}".encode()).hexdigest()
    parameters = {parameter: str(path), "name": f"{path.stem}-{digest[:8]}"}
    run = run_deployment(deployment, parameters=parameters, idempotency_key=key, timeout=0, as_subflow=False)
    return str(run.id)


@flow(name="watch folder")
def watch_folder(
    folder: str,
    deployment: str = "plate/example",
    parameter: str = "images",
    pattern: str = "*",
    settle_seconds: float = 30.0,
    poll_seconds: float = 5.0,
    arrivals: int = 0,
) -> list[str]:
    """Watch a folder and start a deployment on each new file or folder in it.

    Args:
        folder: The folder to watch.
        deployment: What is started, as `flow/deployment`.
        parameter: The parameter that gets the path; `name` gets a name of its own.
        pattern: Which names count, such as `*.tif`.
        settle_seconds: How long nothing of it may have changed.
        poll_seconds: How often to look.
        arrivals: End after so many; 0 for never.
    """
    place = Path(folder).expanduser()
    notes, logger = place / NOTES, get_run_logger()
    done, seen, begun = started_before(notes), dict[str, tuple[str, float]](), list[str]()
    while not arrivals or len(begun) < arrivals:
        for name, digest in look(place, pattern):
            if name in done:
                continue
            before, since = seen.get(name, ("", 0.0))
            if before != digest:
                seen[name] = (digest, time.monotonic())
            elif time.monotonic() - since >= settle_seconds:
                note(notes, name, start(place / name, digest, deployment, parameter))
                logger.info("%s has arrived: started %s", name, deployment)
                done.add(name)
                begun.append(name)
        time.sleep(poll_seconds)
    return begun


if __name__ == "__main__":
    watch_folder(".")
