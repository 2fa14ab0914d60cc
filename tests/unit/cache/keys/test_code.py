"""What of a function's code counts: its source and what it uses in its project, not how that is laid out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

from treadle.cache import cached, digest_of
from treadle.errors import Indigestible

Load = Callable[..., Any]
_numbers = count()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Imports the text of a module, and of others beside it, and returns its function `run`.

    Whatever was there before under these names is gone, as in another process.
    """
    loaded: set[str] = set()

    def load_it(main: str, **others: str) -> Any:
        folder = tmp_path / str(next(_numbers))
        folder.mkdir()
        for name, text in {**others, "project_main": main}.items():
            sys.modules.pop(name, None)
            (folder / f"{name}.py").write_text(dedent(text))
            loaded.add(name)
        sys.path.insert(0, str(folder))
        try:
            importlib.invalidate_caches()
            module: ModuleType = importlib.import_module("project_main")
        finally:
            sys.path.remove(str(folder))
        return module.run

    yield load_it
    for name in loaded:
        sys.modules.pop(name, None)


def key(function: Any) -> str:
    found: str = cached(code=True)(getattr(function, "__wrapped__", function)).key(1)
    return found


PLAIN = """
def run(x):
    return x + 1
"""


@pytest.mark.parametrize(
    "same",
    [
        '''
        def run(x):
            """Add one."""
            # to x
            return x + 1
        ''',
        """
        def run(
            x,
        ):
            return (x
                    + 1)
        """,
        """
        from treadle import cached

        @cached(ignore=())
        def run(x):
            return x + 1
        """,
    ],
)
def test_layout_comments_and_how_it_is_cached_do_not_count(load: Load, same: str) -> None:
    assert key(load(PLAIN)) == key(load(same))


@pytest.mark.parametrize(
    "other",
    [
        "def run(x):\n    return x + 2\n",
        "def run(x):\n    return x + 1.0\n",
        "def run(x, y=1):\n    return x + y\n",
        "def run(x):\n    return 1 + x\n",
        "async def run(x):\n    return x + 1\n",
        "def plain(f):\n    return f\n\n@plain\ndef run(x):\n    return x + 1\n",
    ],
)
def test_another_body_is_other_code(load: Load, other: str) -> None:
    assert key(load(PLAIN)) != key(load(other))


HELPED = """
from project_helper import *
import project_helper

def run(x):
    return USE
"""
HELPER = """
from collections import namedtuple
from dataclasses import dataclass
from functools import partial, wraps
from logging import getLogger
from pathlib import Path

from numpy import array

FACTOR = 2

def help_out(x, y=0):
    return x * FACTOR

def bend(f):
    @wraps(f)
    def bending(x):
        return f(x)
    return bending

class Helper:
    also = staticmethod(help_out)

    def help_out(self, x):
        return inner(x)

    @staticmethod
    @bend
    def decorated(x):
        return inner(x, 0)

class Heir(Helper):
    pass

@dataclass
class Settings:
    scale: int

def inner(x, y=0):
    return x

@bend
def bent(x):
    return x - 1

HELPER = Helper()
help_one_out = HELPER.help_out
part = partial(help_out, y=1)
PLACE = Path("here")
NUMBERS = array([1, 2])
SETTINGS = Settings(1)
Pair = namedtuple("Pair", "x y")
LOG = getLogger("a")

def unused(x):
    return x
"""


@pytest.mark.parametrize(
    ("use", "was", "becomes", "counts"),
    [
        ("help_out(x)", "x * FACTOR", "x + FACTOR", True),
        ("project_helper.help_out(x)", "x * FACTOR", "x + FACTOR", True),
        ("[help_out(y) for y in [x]]", "x * FACTOR", "x + FACTOR", True),
        ("help_out(x)", "FACTOR = 2", "FACTOR = 3", True),
        ("project_helper.FACTOR * x", "FACTOR = 2", "FACTOR = 3", True),
        ("Helper().help_out(x)", "return inner(x)", "return inner(x) + 1", True),
        (
            "Helper().help_out(x)",
            "def inner(x, y=0):\n    return x",
            "def inner(x, y=0):\n    return -x",
            True,
        ),
        ("Heir().help_out(x)", "return inner(x)", "return inner(x) + 1", True),
        ("Helper.also(x)", "return x * FACTOR", "return x + FACTOR", True),
        ("Helper.decorated(x)", "return f(x)", "return -f(x)", True),
        ("Helper.decorated(x)", "return inner(x, 0)", "return -inner(x)", True),
        ("HELPER.help_out(x)", "return inner(x)", "return inner(x) + 1", True),
        ("help_one_out(x)", "return inner(x)", "return inner(x) + 1", True),
        ("bent(x)", "return f(x)", "return -f(x)", True),
        ("bent(x)", "return x - 1", "return x - 2", True),
        ("part(x)", "partial(help_out, y=1)", "partial(help_out, y=2)", True),
        ("(PLACE, x)", 'Path("here")', 'Path("there")', True),
        ("(NUMBERS[0], x)", "array([1, 2])", "array([3, 2])", True),
        ("SETTINGS.scale * x", "Settings(1)", "Settings(2)", True),
        ("Pair(x, x)", 'namedtuple("Pair", "x y")', 'namedtuple("Pair", "y x")', True),
        ("(LOG, x)", 'getLogger("a")', 'getLogger("b")', False),
        ("help_out(x)", "def unused(x):\n    return x", "def unused(x):\n    return -x", False),
        ("help_out(x)", "def help_out(x, y=0):", "def help_out(x, y=0):  # in its own way", False),
    ],
)
def test_what_a_function_uses_of_its_project_counts(
    load: Load, use: str, was: str, becomes: str, counts: bool
) -> None:
    assert was in HELPER
    main = HELPED.replace("USE", use)

    before = key(load(main, project_helper=HELPER))
    after = key(load(main, project_helper=HELPER.replace(was, becomes)))

    assert (before != after) is counts


def test_a_function_that_is_named_through_its_package_counts(load: Load, tmp_path: Path) -> None:
    main = "import project_package.parts\n\ndef run(x):\n    return project_package.parts.help_out(x)\n"
    package = "__path__ = [{!r}]\n"
    keys = []
    for number in range(2):
        folder = tmp_path / f"package{number}"
        folder.mkdir()
        (folder / "parts.py").write_text(f"def help_out(x):\n    return x + {number}\n")
        sys.modules.pop("project_package.parts", None)
        keys.append(key(load(main, project_package=package.format(str(folder)))))
    sys.modules.pop("project_package.parts", None)

    assert keys[0] != keys[1]


def test_the_decorator_of_the_function_itself_counts(load: Load) -> None:
    text = """
    import functools

    def bend(f):
        @functools.wraps(f)
        def bending(x):
            return f(x) + OFFSET
        return bending

    @bend
    def run(x):
        return x
    """
    one, again, two = (load(text.replace("OFFSET", number)) for number in "112")

    keys = [cached(code=True)(function).key(1) for function in (one, again, two)]

    assert keys[0] == keys[1] != keys[2]


def test_a_method_with_text_over_several_lines_has_code(load: Load) -> None:
    text = '''
class Holder:
    def run(self):
        return """
TEXT
"""

run = Holder.run
'''
    one, again, two = (key(load(text.replace("TEXT", word))) for word in ("one", "one", "two"))

    assert one == again != two


def test_without_asking_the_code_does_not_count(load: Load) -> None:
    other = load("def run(x):\n    return x + 2\n")

    assert cached(load(PLAIN)).key(1) == cached(other).key(1)


def test_functions_that_call_each_other_have_an_end(load: Load) -> None:
    text = """
    def run(x):
        return x if x < 1 else other(x - 1)

    def other(x):
        return run(x) + OFFSET
    """

    assert key(load(text.replace("OFFSET", "1"))) != key(load(text.replace("OFFSET", "2")))


def test_what_a_function_closes_over_counts(load: Load) -> None:
    text = """
    def make(offset):
        def run(x):
            return x + offset
        return run

    run = make(OFFSET)
    """

    one, again, two = (key(load(text.replace("OFFSET", number))) for number in "112")

    assert one == again != two


def test_lambdas_are_told_apart_where_they_can_be(load: Load) -> None:
    one, again, two = (load(f"run = lambda x: x + {number}\n") for number in "112")

    assert key(one) == key(again) != key(two)
    with pytest.raises(Indigestible, match="write it with def"):
        digest_of(load("run = [lambda x: x + 1, lambda x: x + 2][0]\n"))


def test_code_without_a_source_is_refused() -> None:
    scope: dict[str, Any] = {}
    exec("def run(x): return x", scope)  # noqa: S102 - as somebody might

    with pytest.raises(Indigestible, match="the source of run cannot be had"):
        cached(code=True)(scope["run"]).key(1)
