"""Commands as tasks of a workflow."""

from typing import Annotated

from pydantic import Field

import treadle

Level = Annotated[int, Field(ge=1, le=9, description="How hard to try.")]

compress = treadle.command_task(
    "compress",
    ["gzip", "-{level}", "--stdout", "{zarr_url}"],
    arguments={"level": (Level, 6)},
    stdout="{zarr_url}.gz",
    item="{zarr_url}.gz",
    resources={"memory": "200M", "time": "5m"},
)
digests = treadle.command_task(
    "digests",
    ["sh", "-euc", 'sha256sum -- "$@" | sort', "sh", "{zarr_urls}"],
    stdout="{zarr_dir}/SHA256SUMS",
)

workflow = treadle.Workflow("archive")
workflow.add(compress(level=9))
workflow.add(digests)
workflow.save()
