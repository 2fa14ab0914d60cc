"""What entry points say of a package's tasks: names, types, places, and everything that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.collect.programs import functions, signatures
from treadle.model import marks
from treadle.model.task import Part, TaskType
from treadle.model.units import engine_arguments

Found = Callable[..., dict[str, Any]]
Problems = Callable[..., list[str]]

PLAIN = """
    def measure(zarr_url: str, level: int = 0) -> None:
        '''Measure an item.

        Regions are what is left
        of the background.

        Args:
            zarr_url: The item.
            level: Level of the pyramid,
                0 is the finest.
        '''
"""


def test_a_plain_function_is_a_task_by_its_entry_point(found: Found) -> None:
    answer = found(PLAIN, **{"Measure Regions": "measure"})

    [task] = answer["tasks"]
    assert answer["problems"] == []
    assert (task["name"], task["type"]) == ("Measure Regions", "parallel")
    assert task["docs_info"] == "Measure an item.\n\nRegions are what is left\nof the background."
    part = task["parts"]["parallel"]
    assert (part["attribute"], part["meta"]) == ("measure", {})
    assert part["args_schema"] == {
        "additionalProperties": False,
        "properties": {
            "zarr_url": {"title": "Zarr Url", "type": "string", "description": "The item."},
            "level": {
                "default": 0,
                "title": "Level",
                "type": "integer",
                "description": "Level of the pyramid, 0 is the finest.",
            },
        },
        "required": ["zarr_url"],
        "title": "Measure",
        "type": "object",
    }


@pytest.mark.parametrize(
    ("signature", "kind"),
    [
        ("zarr_url: str", "parallel"),
        ("zarr_urls: list[str], zarr_dir: str", "non_parallel"),
        ("zarr_dir: str", "converter_non_parallel"),
        ("level: int", "converter_non_parallel"),
        ("", "converter_non_parallel"),
    ],
)
def test_arguments_say_the_type(found: Found, signature: str, kind: str) -> None:
    [task] = found(f"def run({signature}): ...", Run="run")["tasks"]

    assert task["type"] == kind
    assert set(task["parts"]) == set(TaskType(kind).parts)


@pytest.mark.parametrize(
    ("signature", "kind"),
    [("zarr_dir: str, zarr_urls: list[str]", "compound"), ("zarr_dir: str", "converter_compound")],
)
def test_an_init_function_makes_a_task_compound(found: Found, signature: str, kind: str) -> None:
    answer = found(
        f"""
        from treadle import task

        def first({signature}) -> dict:
            '''Say which units there are.'''

        @task(init=first, resources={{"mem": 500}}, init_resources={{"mem": 100}})
        def each(zarr_url: str, init_args: dict) -> None:
            '''Do one.'''
        """
    )

    [task] = answer["tasks"]
    assert (answer["problems"], task["name"], task["type"]) == ([], "each", kind)
    assert task["docs_info"] == "Do one."
    assert task["parts"]["non_parallel"]["attribute"] == "first"
    assert task["parts"]["non_parallel"]["meta"] == {"mem": 100}
    assert task["parts"]["parallel"]["attribute"] == "each"
    assert task["parts"]["parallel"]["meta"] == {"mem": 500}


def test_a_mark_goes_before_what_follows_from_the_function(found: Found) -> None:
    answer = found(
        """
        from treadle import task

        @task(name="Sum up", type="non_parallel", tags=["sums"], category="Measurement", modality="HCS",
              input_types={"is_3D": True}, output_types={"summed": True})
        def add(zarr_dir: str) -> dict: ...
        """,
        Other="add",
    )

    [task] = answer["tasks"]
    del task["parts"]
    assert task == {
        "name": "Sum up",
        "type": "non_parallel",
        "tags": ("sums",),
        "category": "Measurement",
        "modality": "HCS",
        "input_types": {"is_3D": True},
        "output_types": {"summed": True},
    }


def test_a_module_gives_its_marked_functions_in_their_order(found: Found) -> None:
    answer = found(
        """
        from treadle import task

        @task
        def second_by_name(zarr_url: str) -> None: ...

        def unmarked(zarr_url) -> None: ...

        @task
        def first_by_name(zarr_url: str) -> None: ...

        again = first_by_name
        """
    )

    assert [task["name"] for task in answer["tasks"]] == ["second_by_name", "first_by_name"]
    assert answer["problems"] == []


def test_limits_choices_and_models_reach_the_schema(found: Found) -> None:
    answer = found(
        """
        from __future__ import annotations
        from enum import Enum
        from pathlib import Path
        from typing import Annotated, Literal, Optional
        from pydantic import BaseModel, Field

        class Colour(Enum):
            RED = "red"
            BLUE = "blue"

        class Channel(BaseModel):
            '''One channel.'''
            wavelength: int = Field(gt=0, description="In nm.")

        def run(
            zarr_url: str,
            sigma: Annotated[float, Field(ge=1, le=9, description="Width.")] = 2.0,
            colour: Colour = Colour.RED,
            mode: Literal["add", "multiply"] = "add",
            channels: list[Channel] = Field(default_factory=list),
            folder: Optional[Path] = None,
        ) -> dict[str, list[str]]:
            '''Run.

            Args:
                sigma: Is described twice.
                channels (list): All of them.
            '''
        """,
        Run="run",
    )

    assert answer["problems"] == []
    schema = answer["tasks"][0]["parts"]["parallel"]["args_schema"]
    properties = schema["properties"]
    assert properties["sigma"] == {
        "default": 2.0,
        "description": "Width.",
        "maximum": 9,
        "minimum": 1,
        "title": "Sigma",
        "type": "number",
    }
    assert schema["$defs"]["Colour"]["enum"] == ["red", "blue"]
    assert schema["$defs"]["Channel"]["properties"]["wavelength"]["exclusiveMinimum"] == 0
    assert properties["mode"]["enum"] == ["add", "multiply"]
    assert (properties["channels"]["default"], properties["channels"]["description"]) == ([], "All of them.")
    assert properties["folder"]["default"] is None
    assert schema["required"] == ["zarr_url"]


def test_everything_that_is_wrong_is_said_at_once_with_its_line(problems: Problems) -> None:
    said = problems(
        """
        import datetime
        from treadle import task

        @task
        @task
        def first(zarr_url: str, level, *rest: int, **named: int) -> int: ...

        @task(name="first")
        def second(zarr_url: int, zarr_dir: str, when: object = object(), ratio: float = float("nan")): ...

        @task
        def third(zarr_url: str, window: "Window", call: datetime.tzinfo, /) -> list[str]: ...

        @task
        def fourth(zarr_url: str) -> "Window": ...
        """
    )

    assert [re.split(r": \w+Error: |, and not given| some_tasks", line)[0] for line in said] == [
        "6: first: argument 'level' has no annotation",
        "6: first: takes *rest: name and annotate each argument",
        "6: first: takes **named: name and annotate each argument",
        "6: first: returns int: a task returns None, a dict, a TypedDict or a pydantic model",
        "9: second: argument 'zarr_url' must take what the engine gives, such as '/data/item.zarr'",
        "9: second: argument 'zarr_dir' is reserved",
        "9: second: the default of argument 'when' is not JSON",
        "9: second: the default of argument 'ratio' is not JSON",
        "9: second: a task named 'first' is",
        "12: third: argument 'zarr_url' is positional only: the arguments of a task are given by name",
        "12: third: argument 'window' is positional only: the arguments of a task are given by name",
        "12: third: the annotation of argument 'window' has no JSON Schema",
        "12: third: argument 'call' is positional only: the arguments of a task are given by name",
        "12: third: the annotation of argument 'call' has no JSON Schema",
        "12: third: returns list[str]: a task returns None, a dict, a TypedDict or a pydantic model",
        "15: fourth: its return annotation cannot be understood",
    ]


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("class run: ...", "run is a class, not a function"),
        ("async def run(zarr_url: str): ...", "run is async"),
        ("def run(zarr_url: str): yield 1", "run yields"),
        ("run = 3", "run is a int, not a function"),
        ("run = print.__self__.min", "run does not say what it takes"),
        ("", "has no function run"),
    ],
)
def test_what_is_no_function_cannot_be_a_task(found: Found, definition: str, said: str) -> None:
    [problem] = found(definition, Run="run")["problems"]

    assert problem["what"].startswith("entry point 'Run': ")
    assert said in problem["what"]


def test_a_module_without_marked_functions_gives_no_tasks(found: Found) -> None:
    answer = found("def run(zarr_url: str) -> None: ...")

    assert answer["tasks"] == []
    assert "is marked with @treadle.task" in answer["problems"][0]["what"]


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("x = 1\nimport no_such_module", "ModuleNotFoundError: No module named 'no_such_module'", 2),
        ("def f(:\n    pass", "SyntaxError", 1),
        ("\nraise SystemExit(3)", "SystemExit: 3", 2),
        ("from treadle import task\n@task(type='odd')\ndef f(): ...", "a task's type is one of", 2),
    ],
)
def test_a_module_that_cannot_be_imported_is_shown_with_its_own_words(
    module: Callable[[str], str], tmp_path: Path, text: str, said: str, line: int
) -> None:
    name = module("")
    (tmp_path / f"{name}.py").write_text(text)

    answer = functions.find_tasks([{"name": "Run", "module": name, "attribute": "run"}])

    [problem] = answer["problems"]
    assert problem["what"].startswith(f"entry point 'Run': {name} cannot be imported: ")
    assert said in problem["what"]
    assert (problem["file"], problem["line"]) == (str(tmp_path / f"{name}.py"), line)
    assert problem["detail"].startswith("Traceback")


def test_a_mark_of_a_newer_treadle_is_a_problem(found: Found) -> None:
    answer = found(
        """
        import types
        def run(zarr_url: str) -> None: ...
        run.__treadle_task__ = types.SimpleNamespace(name="Run", colour="red")
        """,
        Run="run",
    )

    assert "its mark says 'colour', which this Treadle does not know" in answer["problems"][0]["what"]


def test_a_function_that_another_hides_cannot_be_launched(found: Found) -> None:
    answer = found(
        """
        from treadle import task
        @task
        def run(zarr_url: str) -> None: ...
        kept, run = run, None
        """
    )

    assert "another thing stands under that name" in answer["problems"][0]["what"]


def test_what_the_programs_know_of_the_engine_is_so() -> None:
    assert set(signatures.ENGINE_ARGUMENTS) == set(TaskType)
    for kind, parts in signatures.ENGINE_ARGUMENTS.items():
        assert {Part(part): frozenset(names) for part, names in parts.items()} == {
            part: engine_arguments(TaskType(kind), part) for part in TaskType(kind).parts
        }
    assert set(functions._MARKED) == set(marks.Mark.__dataclass_fields__)
    assert functions.ATTRIBUTE == marks.ATTRIBUTE
