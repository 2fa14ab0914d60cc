"""Packages whose tasks are plain functions: their manifest is made when their environment is built."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from treadle.collect import Progress
from treadle.collect.contents import Contents
from treadle.collect.manifests.derived import derive_manifest
from treadle.collect.uv import Uv
from treadle.errors import BuildFailed, ManifestInvalid
from treadle.model.task import TaskType

pytestmark = pytest.mark.integration

MEASURES = """
    from __future__ import annotations

    import logging
    from pathlib import Path
    from typing import Annotated, Any

    from pydantic import BaseModel, Field

    from treadle import task


    class Channel(BaseModel):
        name: str
        gain: float = 1.0


    def measure(zarr_url: str, channel: Channel, level: Annotated[int, Field(ge=0)] = 0) -> dict[str, Any]:
        '''Measure an item.

        Args:
            zarr_url: The item.
            level: Level of the pyramid.
        '''
        logging.getLogger(__name__).info("measuring %s", channel.name)
        attributes = {"level": level, "gain": channel.gain, "kind": type(channel).__name__}
        return {"image_list_updates": [{"zarr_url": zarr_url, "attributes": attributes}]}


    @task(name="Make Items", output_types={"made": True})
    def make(folder: Path, count: int = 2) -> None:
        print(type(folder).__mro__[-2].__name__, folder)
"""


@pytest.fixture
def functions(make_wheel: Callable[..., Path]) -> Callable[..., Path]:
    """Make a wheel of a module `measures` and its entry points."""

    def make(
        text: str = MEASURES,
        points: Mapping[str, str] | None = None,
        *,
        name: str = "measures",
        requires: tuple[str, ...] = ("pydantic>=2",),
        files: Mapping[str, str] | None = None,
    ) -> Path:
        named = points or {"Measure": "measures:measure", "others": "measures"}
        lines = [f"{task} = {value}" for task, value in named.items()]
        entry_points = "\n".join(["[treadle.tasks]", *lines, ""])
        contents = {
            "measures.py": textwrap.dedent(text),
            f"{name}-1.0.dist-info/entry_points.txt": entry_points,
            **(files or {}),
        }
        return make_wheel(name, files=contents, requires=requires)

    return make


def call(collected: Any, name: str, tmp_path: Path, **args: object) -> tuple[int, str, str | None]:
    """Call a task as the command contract says; return status, everything printed, and what it wrote."""
    task = next(task for task in collected.tasks if task.name == name)
    part = task.part(task.type.first_part)
    python = Path(collected.environment.path) / "bin" / "python"
    arguments, out = tmp_path / "args.json", tmp_path / "out.json"
    arguments.write_text(json.dumps(args))
    executable = Path(collected.package.root) / part.executable
    done = subprocess.run(
        [python, executable, "--args-json", arguments, "--out-json", out],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr, out.read_text() if out.exists() else None


def test_functions_become_tasks_without_a_manifest(here, functions) -> None:
    collected = here.collect(functions())

    measure, make = collected.tasks
    assert (measure.name, measure.type, measure.docs_info) == (
        "Measure",
        TaskType.PARALLEL,
        "Measure an item.",
    )
    assert (make.name, make.type, make.output_types) == (
        "Make Items",
        TaskType.CONVERTER_NON_PARALLEL,
        {"made": True},
    )
    assert measure.args_schema_version == "pydantic_v2"
    properties = measure.parallel.args_schema["properties"]
    assert properties["level"]["description"] == "Level of the pyramid."
    root = Path(collected.package.root)
    assert root.is_relative_to(collected.environment.path)
    assert root.parts[-2:] == ("site-packages", "treadle-tasks")
    manifest = json.loads((root / "__FRACTAL_MANIFEST__.json").read_text())
    assert manifest["treadle_derived"] == {"distribution": "measures", "version": "1.0"}


@pytest.mark.parametrize("pydantic", ["pydantic>=2", "pydantic==2.0.3"], ids=["newest", "oldest"])
def test_a_launcher_calls_its_function_as_the_command_contract_says(
    here, functions, tmp_path: Path, pydantic: str
) -> None:
    collected = here.collect(functions(requires=(pydantic,)))

    status, said, out = call(
        collected, "Measure", tmp_path, zarr_url="/data/a.zarr", channel={"name": "DAPI"}, zarr_dir="/data"
    )

    assert status == 0, said
    assert "measuring DAPI" in said
    assert json.loads(out) == {
        "image_list_updates": [
            {"zarr_url": "/data/a.zarr", "attributes": {"level": 0, "gain": 1.0, "kind": "Channel"}}
        ]
    }


def test_a_launcher_converts_arguments_and_writes_null_for_nothing(here, functions, tmp_path: Path) -> None:
    collected = here.collect(functions())

    assert call(collected, "Make Items", tmp_path, zarr_dir="/data", folder="/raw") == (
        0,
        "PurePath /raw\n",
        "null",
    )


def test_a_launcher_says_which_arguments_are_wrong_without_a_traceback(
    here, functions, tmp_path: Path
) -> None:
    collected = here.collect(functions())

    status, said, out = call(
        collected, "Measure", tmp_path, zarr_url="/data/a.zarr", channel={"gain": 1}, level="x", colour="red"
    )

    assert (status, out) == (1, None)
    assert "Traceback" not in said
    lines = said.splitlines()
    assert lines[0] == "measure cannot be called:"
    assert "  channel.name: Field required" in lines
    assert any(line.startswith("  level: Input should be a valid integer") for line in lines)
    assert any(line.startswith("  colour: Unexpected keyword argument") for line in lines)


def test_a_launcher_overwrites_nothing_and_takes_its_options_alone(here, functions, tmp_path: Path) -> None:
    collected = here.collect(functions())
    (tmp_path / "out.json").write_text("kept")

    status, said, out = call(collected, "Make Items", tmp_path, folder="/raw")

    assert (status, out) == (1, "kept")
    assert said == f"Output file {tmp_path / 'out.json'} already exists.\n"


def test_a_wheel_that_asks_for_no_pydantic_gets_it(here, functions) -> None:
    wheel = functions("def measure(zarr_url: str) -> None: ...", {"Measure": "measures:measure"}, requires=())

    collected = here.collect(wheel)

    assert "pydantic==" in collected.environment.lock
    assert collected.package.provenance == {"also": "pydantic>=2"}
    assert not here.collect(wheel).new


def test_a_shipped_manifest_goes_before_functions(here, functions) -> None:
    task = {"name": "Shipped", "executable_parallel": "run.py"}
    manifest = json.dumps({"manifest_version": "2", "task_list": [task]})
    files = {"shipped/__FRACTAL_MANIFEST__.json": manifest, "shipped/run.py": ""}

    collected = here.collect(functions(files=files, requires=()))

    assert [task.name for task in collected.tasks] == ["Shipped"]
    assert not list(Path(collected.environment.path).rglob("*treadle*tasks*"))


def test_all_problems_of_functions_are_told_at_once_and_nothing_is_left(here, functions) -> None:
    text = "import os\n\ndef measure(zarr_url, *rest) -> None: ...\n\ndef make(out: int) -> int: ...\n"
    points = {
        "Measure": "measures:measure",
        "Make": "measures:make",
        "Gone": "measures:gone",
        "Odd": "not-a-module:x",
        "Broken": "no_such_module:x",
    }

    with pytest.raises(ManifestInvalid) as caught:
        here.collect(functions(text, points))

    said = str(caught.value)
    assert said.startswith("The functions of measures cannot be its tasks:")
    assert "measures.py:3: measures:measure: argument 'zarr_url' has no annotation" in said
    assert "measures.py:3: measures:measure: takes *rest" in said
    assert "measures.py:5: measures:make: returns int" in said
    assert "measures.py: entry point 'Gone': measures has no function gone" in said
    assert "entry point 'Odd': 'not-a-module:x' is not module:function" in said
    assert "entry point 'Broken': no_such_module cannot be imported: ModuleNotFoundError" in said
    assert "No module named 'no_such_module'" in caught.value.detail
    assert here.environments == here.registered == []


def test_a_package_that_ends_the_process_is_refused_with_its_last_words(here, functions) -> None:
    text = "import os, sys\nprint('farewell', file=sys.stderr, flush=True)\nos._exit(3)\n"

    with pytest.raises(BuildFailed, match=r"measures ended the process .*exit status 3") as caught:
        here.collect(functions(text))

    assert "farewell" in caught.value.detail


def test_a_package_is_imported_without_our_variables(
    here, functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_SOMETHING", "secret")
    monkeypatch.setenv("UV_INDEX_HERE_PASSWORD", "secret")
    text = "import os\nraise ValueError(sorted(os.environ), os.environ['HOME'])\n"

    with pytest.raises(ManifestInvalid) as caught:
        here.collect(functions(text))

    assert "ValueError" in str(caught.value)
    assert "'PATH'" in str(caught.value)
    assert "TOKEN_OF_SOMETHING" not in str(caught.value)
    assert "PASSWORD" not in str(caught.value)
    assert str(Path.home()) not in caught.value.detail.rpartition("ValueError")[2]


def test_a_package_of_an_index_gets_pydantic_and_stays_what_it_is(here, functions, make_wheel, index) -> None:
    """Nobody sees beforehand that it is needed: the first environment was built in vain."""
    wheel = functions("def measure(zarr_url: str) -> None: ...", {"Measure": "measures:measure"}, requires=())
    index.add(wheel, make_pydantic(make_wheel))

    first = here.collect("measures==1.0")
    second = here.collect("measures")

    assert [task.name for task in first.tasks] == ["Measure"]
    assert second.environment.id == first.environment.id
    assert not second.new
    assert here.environments == [first.environment.id]


def make_pydantic(make_wheel) -> Path:
    """A pydantic 2 that knows no more than what one function without problems asks of it."""
    code = """
        class BaseModel: ...
        class ValidationError(Exception): ...
        class TypeAdapter:
            def __init__(self, kind): self.kind = kind
            def json_schema(self): return {"type": "object", "properties": {"zarr_url": {"type": "string"}}}
            def validate_python(self, value): return value
    """
    files = {
        "pydantic/__init__.py": textwrap.dedent(code),
        "pydantic/fields.py": "class FieldInfo: ...\n",
        "pydantic_core.py": "def to_jsonable_python(value): return value\n",
    }
    return make_wheel("pydantic", "2.0", files=files)


def test_functions_of_an_editable_package_are_described_as_they_are_now(
    here, functions, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    source = project / "edited.py"
    source.write_text("def measure(zarr_url: str, level: int) -> None: ...\n")
    files = {"edited.pth": f"{project}\n"}
    wheel = functions("", {"Measure": "edited:measure"}, name="edited", files=files)
    environment = Path(here.collect(wheel).environment.path)
    contents = Contents("edited", "1.0", "editable", editable=project)
    uv = Uv(here.settings, Progress(here.phases.append))

    def arguments() -> set[str]:
        package = contents.read(environment, uv)
        assert not package.root.is_relative_to(environment)
        assert (package.root / "edited--measure.py").is_file()
        [task] = package.tasks
        return set(task.parallel.args_schema["properties"])

    assert arguments() == {"zarr_url", "level"}
    source.write_text("def measure(zarr_url: str, sigma: float) -> None: ...\n")
    assert arguments() == {"zarr_url", "sigma"}
    python, launcher = (
        environment / "bin" / "python",
        contents.read(environment, uv).root / "edited--measure.py",
    )
    (tmp_path / "args.json").write_text('{"zarr_url": "/data/a", "sigma": "0.5"}')
    out = tmp_path / "out.json"
    subprocess.run([python, launcher, "--args-json", tmp_path / "args.json", "--out-json", out], check=True)
    assert out.read_text() == "null"
    (project / "__FRACTAL_MANIFEST__.json").write_text('{"manifest_version": "2", "task_list": []}')
    assert contents.read(environment, uv).tasks == ()


def test_a_package_that_starts_threads_is_described_nevertheless(here, functions) -> None:
    text = """
        import threading

        threading.Thread(target=threading.Event().wait).start()

        def measure(zarr_url: str) -> None: ...
    """

    collected = here.collect(functions(text, {"Measure": "measures:measure"}))

    assert [task.name for task in collected.tasks] == ["Measure"]


def test_a_package_whose_import_does_not_end_is_stopped(here, functions, tmp_path: Path) -> None:
    text = f"""
        import threading
        from pathlib import Path

        if Path({str(tmp_path / "hang")!r}).exists():
            threading.Event().wait()

        def measure(zarr_url: str) -> None: ...
    """
    collected = here.collect(functions(text, {"Measure": "measures:measure"}))
    (tmp_path / "hang").touch()

    with pytest.raises(BuildFailed, match="Importing measures was stopped after 1 seconds"):
        derive_manifest(
            Path(collected.environment.path),
            tmp_path / "again",
            name="measures",
            editable=None,
            seconds=1,
            progress=Progress(here.phases.append),
        )
    assert not (tmp_path / "again").exists()
