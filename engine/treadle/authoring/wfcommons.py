"""Recorded workflows of WfCommons as workflows that can be run."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from treadle.authoring.workflow import Workflow
from treadle.errors import WorkflowInvalid
from treadle.model.wfcommons import recording_from_json, replayed_workflow


def read_wfcommons(
    file: str | PathLike[str], *, time_scale: float = 1.0, size_scale: float = 1.0
) -> Workflow:
    """Read a recorded workflow in WfFormat, the JSON of WfCommons; versions 1.4 to 1.6 can be read.

    Each of its tasks becomes a step that takes the time, uses the cpu, reads and writes the files that the
    task did. The files are in the folder `files` of the dataset, which needs no items.

    Args:
        file: The JSON file.
        time_scale: Factor of all times.
        size_scale: Factor of the sizes of all files.

    Raises:
        WorkflowInvalid: It cannot be read, is of an unknown version or breaks the format's rules.
    """
    try:
        data: object = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkflowInvalid(f"The recorded workflow {file} cannot be read: {error}.") from error
    recording = recording_from_json(data)
    return Workflow._of(replayed_workflow(recording, time_scale=time_scale, size_scale=size_scale))
