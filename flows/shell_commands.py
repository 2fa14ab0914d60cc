"""Programs of the machine as tasks: compress texts, check what comes out of it, list their digests.

Each call is a process with the limits, the log and the time-out of any unit. No value ever becomes part of a
shell's program.
"""

from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from treadle import Dataset, Result, Workflow, command_task

TEXTS = {"ode.txt": "Season of mists\n", "sonnet.txt": "Shall I compare thee\n" * 100}


def workflow(level: int = 6) -> Workflow:
    """Return the workflow: each text is compressed and tried, then all digests go into one file."""
    compress = command_task(
        "compress",
        ["gzip", "--no-name", "-{level}", "--stdout", "{zarr_url}"],
        arguments={"level": (Annotated[int, Field(ge=1, le=9, description="How hard to try.")], 6)},
        stdout="{zarr_url}.gz",
        item="{zarr_url}.gz",
        types={"compressed": False},
        output_types={"compressed": True},
        resources={"memory": 200, "time": "5m"},
    )
    test = command_task("test", ["gzip", "--test", "--verbose", "{zarr_url}"])
    digests = command_task(
        "digests",
        ["sh", "-euc", 'sha256sum -- "$@" | sort', "sh", "{zarr_urls}"],
        stdout="{zarr_dir}/SHA256SUMS",
    )
    texts = Workflow("texts", description="Compress texts and list their digests.")
    texts.add(compress(level=level))
    texts.add(test)
    texts.add(digests)
    return texts


@flow(name="shell commands")
def shell_commands(name: str = "texts", folder: str = "~/treadle-examples", level: int = 6) -> Result:
    """Compress a few texts.

    Args:
        name: Name of the dataset, which is made in the folder.
        folder: Where the dataset goes.
        level: How hard gzip is to try, from 1 to 9.
    """
    place = Path(folder).expanduser() / name
    place.mkdir(parents=True, exist_ok=True)
    for file, text in TEXTS.items():
        (place / file).write_text(text)
    dataset = Dataset.create(name, place, [str(place / file) for file in TEXTS], exist_ok=True)
    return workflow(level).to_flow()(dataset=dataset.name)


if __name__ == "__main__":
    shell_commands()
