"""An ordinary Prefect flow in which some of the work is Treadle's."""

from prefect import flow, task

import treadle

create = treadle.load_task("treadle-tasks-mock", "Create Items")
mark = treadle.load_task("treadle-tasks-mock", "Mark Item")


@task
def choose(items: list[treadle.Item], every: int) -> list[treadle.Item]:
    """Take some of the items: a task of Prefect."""
    return items[::every]


@flow
def study(folder: str, count: int = 10) -> int:
    """Make items, and mark every second one."""
    items = create.with_options(folder=folder).submit(count=count)
    chosen = choose.submit(items, every=2)
    marked = mark.map(chosen)
    return len(marked)


if __name__ == "__main__":
    print(study("study-data"))
