"""A recorded workflow, replayed as a graph: the astronomers' Montage, with times and file sizes scaled down.

`data/montage.json` is in WfFormat, the JSON of WfCommons. It was written by the structure of Montage's
recipe: three bands of four images, 58 tasks. It is no recording of a real run.
"""

from pathlib import Path

from prefect import flow

from treadle import Dataset, Result, read_wfcommons

FILE = Path(__file__).parent / "data" / "montage.json"


@flow(name="montage")
def montage(
    name: str = "montage",
    folder: str = "~/treadle-examples",
    file: str = "",
    time_scale: float = 0.01,
    size_scale: float = 0.001,
) -> Result:
    """Replay a recorded workflow.

    Args:
        name: Name of the dataset, which is made in the folder.
        folder: Where the dataset goes; the files are in its folder `files`.
        file: The workflow in WfFormat; Montage if empty.
        time_scale: Factor of all times.
        size_scale: Factor of the sizes of all files.
    """
    recorded = read_wfcommons(file or FILE, time_scale=time_scale, size_scale=size_scale)
    dataset = Dataset.create(name, Path(folder) / name, exist_ok=True)
    return recorded.to_flow()(dataset=dataset.name)


if __name__ == "__main__":
    montage()
