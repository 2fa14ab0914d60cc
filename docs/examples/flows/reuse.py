"""A workflow of which nothing runs twice: letters, and the words in them counted."""

import sys
from pathlib import Path

import treadle


@treadle.task(pure=True, input_types={"counted": False}, output_types={"counted": True})
def count(zarr_url: str, longest: int = 20) -> dict[str, object]:
    """Count an item's words.

    Args:
        zarr_url: The item.
        longest: Words that are longer do not count.
    """
    item, made = Path(zarr_url), Path(f"{zarr_url}-counted")
    words = [word for word in (item / "text").read_text().split() if len(word) <= longest]
    made.mkdir(exist_ok=True)
    (made / "words").write_text(f"{len(words)}\n")
    return {"image_list_updates": [{"zarr_url": str(made), "origin": zarr_url}]}


if __name__ == "__main__":
    longest = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    folder = Path("letters").absolute()
    items = [folder / name for name in ("first", "second", "third")]
    if "letters" not in treadle.Dataset.names():
        for item in items:
            item.mkdir(parents=True)
            (item / "text").write_text(f"the {item.name} of three letters\n")
        treadle.Dataset.create("letters", folder, map(str, items))
    workflow = treadle.Workflow("words")
    workflow.add(treadle.load_task(count)(longest=longest))
    result = workflow.run("letters").raise_for_state()
    [step] = result.run.steps
    print(f"run {result.run.id}: {step.done} units done, {step.cached} of them cached")
