"""Digests are the same in another process, under another hash seed, and in the next release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from treadle.cache import Digest, digest_of
from treadle.cache.keys.sealing import KeyOptions, Sealer

PROGRAM = """
import json, sys, datetime, decimal, uuid, pathlib, collections, enum
import numpy as np, pandas as pd
from treadle.cache import cached, digest_of
Colour = enum.Enum("Colour", ["RED"], module="colours", qualname="Colour")
values = [
    {"a", "b", "c", 1, None, ("x", 2)}, frozenset("hash seed"), {"b": 1, "a": [1.5, -0.0, float("nan")]},
    collections.Counter("mississippi"), {frozenset("ab"): {"c", "d"}}, np.arange(6).reshape(2, 3),
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), uuid.UUID(int=7), decimal.Decimal("1.10"),
    pathlib.Path("/a/b"), datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), Colour.RED, len, np.sin, str,
]
print(json.dumps([digest_of(value) for value in values]))
"""


def digests(seed: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_two_interpreters_with_two_hash_seeds_agree() -> None:
    first = digests("1")

    assert first == digests("2")
    assert len(set(first)) == len(first)


SCRIPT = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from treadle.cache import cached, digest_of

@dataclass
class Point:
    x: int

@cached
def add(point, other=1):
    return point.x + other

def keys(point):
    return add.key(point), digest_of(add), digest_of(point)

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(keys, Point(1)).result() == keys(Point(1))
"""


def test_a_script_and_the_processes_that_it_spawns_agree(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    subprocess.run([sys.executable, str(script)], check=True, timeout=60)


GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("None", None),
        ("True", True),
        ("1", 1),
        ("-300", -300),
        ("1.0", 1.0),
        ("-0.0", -0.0),
        ("nan", float("nan")),
        ("1j", 1j),
        ("text", "text"),
        ("bytes", b"bytes"),
        ("tuple", (1, "a", None)),
        ("list", [1, [2.5]]),
        ("dict", {"b": 1, "a": (2,)}),
        ("set", {1, 2, 3}),
        ("uuid", UUID(int=5)),
        ("array", np.arange(3, dtype="<i8")),
    ],
)
def test_digests_of_this_scheme_stay_as_they_are(name: str, value: object) -> None:
    """A change of one of them would make every cache of every user miss: it takes a new scheme."""
    assert digest_of(value) == GOLDEN[name]


def test_text_is_a_digest_only_if_somebody_says_so() -> None:
    text = digest_of("x")

    assert digest_of(str(text)) != digest_of(text)
    assert Digest.parse(text.upper()) == text
    with pytest.raises(ValueError, match="is no digest"):
        Digest.parse("cafe")


TOLD_APART = """
import sys
from treadle.cache import cached

@cached(**{"code": True} if "code" in sys.argv else {"hash_module": False} if "name" in sys.argv else {})
def f(x):
    return BODY

print(f.key(1))
"""


def script_key(path: Path, body: str = "x", *words: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(TOLD_APART.replace("BODY", body))
    done = subprocess.run(
        [sys.executable, path.name, *words],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_scripts_are_told_apart_by_their_file_unless_their_code_does_so(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "two" / "one.py"

    assert script_key(one) == script_key(one, "x + 1") != script_key(other)
    assert script_key(one, "x", "code") == script_key(other, "x", "code") != script_key(one, "x + 1", "code")
    assert script_key(one, "x", "name") == script_key(other, "x", "name")


def test_notebooks_are_told_apart_by_the_file_that_jupyter_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def key_in(notebook: str) -> Digest:
        monkeypatch.setenv("JPY_SESSION_NAME", notebook)
        cell: dict[str, Any] = {"__name__": "__main__"}
        exec("def f(x):\n    return x", cell)  # noqa: S102 - as a kernel does
        return Sealer(cell["f"], KeyOptions()).seal((1,), {}).key

    assert key_in("/home/one.ipynb") == key_in("/home/one.ipynb") != key_in("/home/two.ipynb")
