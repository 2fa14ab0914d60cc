"""What may stand in the head of a SLURM script: options in one word, directives in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "#SBATCH"

_WORD = re.compile(r"""[^\s'"\\#-][^\s'"\\#]*""")
_NAMES = re.compile(r"(?:^|(?<=\s))(?:--[A-Za-z][A-Za-z-]*|-[A-Za-z])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS_LONG = frozenset(
    {
        "--array",
        "--cpus-per-task",
        "--error",
        "--job-name",
        "--mem",
        "--mem-per-cpu",
        "--no-requeue",
        "--ntasks",
        "--output",
        "--parsable",
        "--requeue",
        "--test-only",
        "--time",
        "--wait",
        "--wrap",
    }
)
_OURS_SHORT = frozenset({"-J", "-W", "-a", "-c", "-e", "-n", "-o", "-t"})


def check_line(text: str) -> str:
    """Return a text that is one line wherever it is written.

    Raises:
        ValueError: It has a line break or another control character.
    """
    if _CONTROL.search(text):
        raise ValueError("must be one line, without control characters")
    return text


def check_word(text: str) -> str:
    """Return an option's value that is one word to `sbatch`.

    Raises:
        ValueError: It is not: a space, a quote, a backslash or # would end it or begin something else.
    """
    if not (_WORD.fullmatch(text) and text.isprintable()):
        raise ValueError(f"{text!r} must be one word, without quotes, backslashes and #")
    return text


def check_directive(text: str) -> str:
    """Return an option of `sbatch`, as it stands behind `#SBATCH`.

    Raises:
        ValueError: It is not one line that begins with an option, or Treadle sets that option itself.
    """
    if not _NAMES.match(text) or _CONTROL.search(text):
        raise ValueError(f"{text!r} must be one line that begins with an option, such as '--qos=long'")
    for name in _NAMES.findall(text):
        if name in _OURS_SHORT or (name[:2] == "--" and any(ours.startswith(name) for ours in _OURS_LONG)):
            raise ValueError(f"{text!r}: Treadle itself sets {name}")
    return text


def check_variable(name: str) -> str:
    """Return the name of an environment variable that a shell can set.

    Raises:
        ValueError: It is none.
    """
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name!r} must be the name of an environment variable, such as 'TMPDIR'")
    return name


def split_lines(texts: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part the lines of a script's head into directives, without `#SBATCH`, and lines for the shell.

    Fractal lets both stand in `extra_lines`; none is kept twice.

    Raises:
        ValueError: A line is a directive that may not be.
    """
    directives: dict[str, None] = {}
    shell: dict[str, None] = {}
    for line in (line for text in texts for line in text.splitlines()):
        if line.startswith(MARK):
            directives[check_directive(line.removeprefix(MARK).strip())] = None
        elif line.strip():
            shell[line] = None
    return tuple(directives), tuple(shell)
