"""What the command loads before it does anything."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["prefect", "pydantic", "pydantic_settings", "rich", "sqlalchemy", "alembic", "distributed", "dask"]

COMMANDS = [
    [],
    ["demo"],
    ["collect"],
    ["run"],
    ["runs"],
    ["show"],
    ["logs"],
    ["up"],
    ["package"],
    ["package", "list"],
    ["package", "show"],
    ["plugins", "list"],
    ["plugins", "show"],
    ["plugins", "scan"],
    ["plugins", "install"],
    ["task", "list"],
    ["task", "show"],
    ["dataset", "create"],
    ["dataset", "list"],
    ["dataset", "show"],
    ["workflow", "import"],
    ["workflow", "export"],
    ["workflow", "list"],
    ["config", "show"],
    *(["cache", verb] for verb in ("stats", "query", "evict", "gc", "verify", "export", "import")),
]

CALL = """
import contextlib, io, json, sys
from treadle.cli import main
answers = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main([*words, "--help"])
    answers.append([code, out.getvalue()])
print(json.dumps([answers, sorted(set(sys.modules) & set(json.loads(sys.argv[2])))]))
"""


def test_help_of_every_command_loads_nothing_that_costs_time() -> None:
    words = [sys.executable, "-c", CALL, json.dumps(COMMANDS), json.dumps(HEAVY)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    answers, loaded = json.loads(done.stdout)
    for command, (code, text) in zip(COMMANDS, answers, strict=True):
        assert code == 0, command
        assert text.startswith(" ".join(["Usage: treadle", *command])), command
    assert set(loaded) <= {"pydantic"}  # typer itself wants it to read the words of a command


def test_list_of_commands_does_not_even_load_pydantic() -> None:
    words = [sys.executable, "-c", CALL, "[[]]", json.dumps(HEAVY)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[1] == []


@pytest.mark.parametrize("module", ["treadle", "treadle.cli"])
def test_help_lists_every_verb(module: str) -> None:
    """`python -m treadle` and the entry point are the same command."""
    code = "import sys; from treadle.cli import main; sys.exit(main())"
    start = ["-m", module] if module == "treadle" else ["-c", code]
    done = subprocess.run([sys.executable, *start, "--help"], capture_output=True, text=True, check=True)
    for verb in {words[0] for words in COMMANDS if words}:
        assert f"\n  {verb} " in done.stdout


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    done = subprocess.run(
        [sys.executable, "-m", "treadle", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"treadle {version('treadle')}\n"
