"""A workflow of a collected task and of a function in this file."""

import treadle

create = treadle.load_task("treadle-tasks-mock", "Create Items")


@treadle.task(output_types={"measured": True})
def measure(zarr_url: str, scale: float = 1.0) -> dict[str, object]:
    """Measure an item.

    Args:
        zarr_url: The item.
        scale: Size of a pixel.
    """
    size = len(zarr_url) * scale
    return {"image_list_updates": [{"zarr_url": zarr_url, "attributes": {"size": size}}]}


plate = treadle.Workflow("plate", description="From nothing to sizes.")
made = plate.add(create(count=4), name="create")
plate.add(
    treadle.load_task(measure)(scale=0.65),
    name="measure",
    needs=made,
    resources={"memory": "1G", "time": "10m"},
    retries=2,
)

if __name__ == "__main__":
    dataset = treadle.Dataset.create("my-plate", "plate-data", exist_ok=True)
    print(plate.plan(dataset))
    result = plate.run(dataset).raise_for_state()
    for item in result.items:
        print(item.zarr_url, item.attributes["size"])
