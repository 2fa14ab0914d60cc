"""Recorded workflows in WfFormat, the JSON of WfCommons (https://github.com/wfcommons/WfFormat).

Versions 1.5 and 1.6 tell the workflow from its execution, and files are listed once. Version 1.4 has one flat
list of tasks, each with its files.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)

from treadle.errors import WorkflowInvalid
from treadle.model.builtin import REPLAY
from treadle.model.graph import graph_problems
from treadle.model.problems import listed, problem, problems_of
from treadle.model.workflow import Step, Workflow

FLAT, SPLIT = ("1.4",), ("1.5", "1.6")

STAGING = "input files"
"""Name of the step that makes the files that no task writes."""


def _file_name(text: str) -> str:
    if text in {"", ".", ".."} or not {"/", "\0"}.isdisjoint(text):
        raise ValueError(f"must be the name of a file, found {text!r}")
    return text


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
FileName = Annotated[str, AfterValidator(_file_name)]
Amount = Annotated[float, Field(ge=0)]
Size = Annotated[
    int, BeforeValidator(lambda value: round(value) if isinstance(value, float) else value), Field(ge=0)
]


class _Record(BaseModel):
    """What a file says of interest; the format has much more."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Task(_Record):
    name: Name
    id: Name
    parents: tuple[Name, ...] = ()
    children: tuple[Name, ...] = ()
    inputFiles: tuple[FileName, ...] = ()  # noqa: N815 - the format's own words, here and below
    outputFiles: tuple[FileName, ...] = ()  # noqa: N815


class _File(_Record):
    id: FileName
    sizeInBytes: Size  # noqa: N815


class _Executed(_Record):
    id: Name
    runtimeInSeconds: Amount  # noqa: N815
    avgCPU: Amount | None = None  # noqa: N815


class _Specification(_Record):
    tasks: Annotated[tuple[_Task, ...], Field(min_length=1)]
    files: tuple[_File, ...] = ()


class _Execution(_Record):
    tasks: tuple[_Executed, ...] = ()


class _Split(_Record):
    specification: _Specification
    execution: _Execution = _Execution()


class _SplitDocument(_Record):
    name: Name
    description: str | None = None
    workflow: _Split


class _FlatFile(_Record):
    link: Literal["input", "output"]
    name: FileName
    sizeInBytes: Size  # noqa: N815


class _FlatTask(_Record):
    name: Name
    id: Name | None = None
    parents: tuple[Name, ...] = ()
    children: tuple[Name, ...] = ()
    files: tuple[_FlatFile, ...] = ()
    runtimeInSeconds: Amount = 0.0  # noqa: N815
    avgCPU: Amount | None = None  # noqa: N815


class _Flat(_Record):
    tasks: Annotated[tuple[_FlatTask, ...], Field(min_length=1)]


class _FlatDocument(_Record):
    name: Name
    description: str | None = None
    workflow: _Flat


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """A task as it was recorded.

    Attributes:
        name: Its name, unique in the workflow.
        needs: Names of the tasks that were done before.
        inputs: Files that it read.
        outputs: Files that it wrote.
        seconds: How long it took.
        cpu: Share of that time in which it computed, 1 at most.
    """

    name: str
    needs: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded workflow; `sizes` are those of its files in bytes."""

    name: str
    description: str | None
    tasks: tuple[RecordedTask, ...]
    sizes: Mapping[str, int]


def is_wfformat(data: object) -> bool:
    """Whether JSON data is a recorded workflow rather than one of Treadle's own."""
    return isinstance(data, dict) and "schemaVersion" in data and "workflow" in data


def recording_from_json(data: object) -> Recording:
    """Read a recorded workflow.

    A task needs its parents, those that name it as a child, and those that write what it reads.

    Raises:
        WorkflowInvalid: Its version is unknown, or it breaks the format's rules; names every problem.
    """
    version = data.get("schemaVersion") if isinstance(data, dict) else None
    try:
        if version in SPLIT:
            document = _SplitDocument.model_validate(data)
        elif version in FLAT:
            document = _split(_FlatDocument.model_validate(data))
        else:
            raise WorkflowInvalid(
                f"The recorded workflow is of WfFormat {version!r}, which cannot be read.",
                remedy=f"Write it as one of {', '.join((*FLAT, *SPLIT))}.",
            )
    except ValidationError as error:
        raise _invalid(problems_of(error)) from error
    return _linked(document)


def replayed_workflow(recording: Recording, *, time_scale: float = 1.0, size_scale: float = 1.0) -> Workflow:
    """Return the workflow that does what a recorded one did: each task is a step.

    Args:
        recording: The recorded workflow.
        time_scale: Factor of all times.
        size_scale: Factor of the sizes of all files; what is left of a byte counts as one.
    """
    sizes = {name: math.ceil(size * size_scale) for name, size in recording.sizes.items()}
    given = _given(recording.tasks)
    steps = [_step(STAGING, (), {"outputs": {name: sizes[name] for name in given}})] if given else []
    for task in recording.tasks:
        needs = task.needs or ((STAGING,) if given else ())
        args: dict[str, JsonValue] = {
            "seconds": round(task.seconds * time_scale, 6),
            "cpu": round(task.cpu, 4),
            "inputs": list(task.inputs),
            "outputs": {name: sizes[name] for name in task.outputs},
        }
        steps.append(_step(task.name, needs, args))
    return Workflow(name=recording.name, description=recording.description, steps=tuple(steps))


def _given(tasks: Sequence[RecordedTask]) -> list[str]:
    """Return the files that must be there before: nobody writes them, or only the task that reads them."""
    writers = {name: task for task in tasks for name in task.outputs}
    return sorted({name for task in tasks for name in task.inputs if writers.get(name, task) is task})


def _step(name: str, needs: Sequence[str], args: dict[str, JsonValue]) -> Step:
    return Step(name=name, task=REPLAY, args_non_parallel=args, needs=tuple(needs))


def _split(document: _FlatDocument) -> _SplitDocument:
    """Bring version 1.4 into the form of 1.5; its tasks name one another by name."""
    tasks = document.workflow.tasks
    sizes = {file.name: file.sizeInBytes for task in tasks for file in task.files}
    return _SplitDocument(
        name=document.name,
        description=document.description,
        workflow=_Split(
            specification=_Specification(
                tasks=tuple(
                    _Task(
                        name=task.name,
                        id=task.id or task.name,
                        parents=task.parents,
                        children=task.children,
                        inputFiles=tuple(file.name for file in task.files if file.link == "input"),
                        outputFiles=tuple(file.name for file in task.files if file.link == "output"),
                    )
                    for task in tasks
                ),
                files=tuple(_File(id=name, sizeInBytes=size) for name, size in sizes.items()),
            ),
            execution=_Execution(
                tasks=tuple(
                    _Executed(
                        id=task.id or task.name, runtimeInSeconds=task.runtimeInSeconds, avgCPU=task.avgCPU
                    )
                    for task in tasks
                )
            ),
        ),
    )


def _linked(document: _SplitDocument) -> Recording:
    tasks, execution = document.workflow.specification.tasks, document.workflow.execution.tasks
    sizes = {file.id: file.sizeInBytes for file in document.workflow.specification.files}
    executed = {task.id: task for task in execution}
    by_id = {task.id: index for index, task in enumerate(tasks)}
    problems = [*_file_problems(tasks, sizes)]
    problems += [
        f"execution: the task {unknown!r} is not in the specification"
        for unknown in executed
        if unknown not in by_id
    ]
    if len(by_id) < len(tasks):
        problems += [
            f"tasks: the id {name!r} is there more than once" for name in _repeated(task.id for task in tasks)
        ]
        raise _invalid(problems)
    names = _names(tasks)
    needs = _needs(tasks, by_id, problems)
    problems += [problem(["tasks", index], text) for index, text in graph_problems(names, needs)]
    if problems:
        raise _invalid(problems)
    recorded = [_recorded(*each, executed) for each in zip(tasks, names, needs, strict=True)]
    return Recording(document.name, document.description, tuple(recorded), sizes)


def _recorded(
    task: _Task, name: str, needs: tuple[str, ...], executed: Mapping[str, _Executed]
) -> RecordedTask:
    found = executed.get(task.id)
    return RecordedTask(
        name=name,
        needs=needs,
        inputs=tuple(dict.fromkeys(task.inputFiles)),
        outputs=tuple(dict.fromkeys(task.outputFiles)),
        seconds=found.runtimeInSeconds if found else 0.0,
        cpu=1.0 if found is None or found.avgCPU is None else min(1.0, found.avgCPU / 100),
    )


def _names(tasks: Sequence[_Task]) -> list[str]:
    """Return how the steps are called: by the tasks' names if these tell them apart, else by their ids."""
    names = [task.name for task in tasks]
    return names if len({*names, STAGING}) == len(names) + 1 else [task.id for task in tasks]


def _needs(tasks: Sequence[_Task], by_id: Mapping[str, int], problems: list[str]) -> list[tuple[str, ...]]:
    """Return which steps each needs; adds what names no task to the problems."""
    places = {task.name: index for index, task in enumerate(tasks)} | dict(by_id)
    writers = {name: index for index, task in enumerate(tasks) for name in task.outputFiles}
    found: dict[int, dict[int, None]] = defaultdict(dict)
    for index, task in enumerate(tasks):
        for relation, others in (("parents", task.parents), ("children", task.children)):
            for place, other in enumerate(others):
                if other not in places:
                    problems.append(problem(["tasks", index, relation, place], f"there is no task {other!r}"))
                elif relation == "parents":
                    found[index][places[other]] = None
                else:
                    found[places[other]][index] = None
        for name in task.inputFiles:
            if writers.get(name, index) != index:
                found[index][writers[name]] = None
    names = _names(tasks)
    return [tuple(names[need] for need in sorted(found[index])) for index in range(len(tasks))]


def _file_problems(tasks: Sequence[_Task], sizes: Mapping[str, int]) -> Iterator[str]:
    writers: dict[str, int] = {}
    for index, task in enumerate(tasks):
        for name in dict.fromkeys((*task.inputFiles, *task.outputFiles)):
            if name not in sizes:
                yield problem(["tasks", index], f"the size of its file {name!r} is not given")
        for name in dict.fromkeys(task.outputFiles):
            first = writers.setdefault(name, index)
            if first != index:
                yield problem(["tasks", index], f"it writes {name!r}, which tasks[{first}] writes too")


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def _invalid(problems: Sequence[str]) -> WorkflowInvalid:
    return WorkflowInvalid(listed("The recorded workflow is not valid", problems))
