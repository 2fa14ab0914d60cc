"""Commands: which may run, and how a unit's is put together (Fractal 1.3)."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from treadle.errors import CommandInvalid

FORBIDDEN_CHARACTERS = frozenset("`#$&*()\\|[]{};<>?!")


def split_command(text: str) -> tuple[str, ...]:
    """Split a command that a person wrote, by the quoting rules of a shell but without one.

    Raises:
        CommandInvalid: It is empty, a quotation is not closed, or it holds a forbidden character.
    """
    check_command([text])
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise CommandInvalid(f"The command {text!r} cannot be split into words: {error}.") from error
    if not words:
        raise CommandInvalid("The command is empty.", remedy="Name a program.")
    return words


def check_command(words: Sequence[str]) -> None:
    """Refuse what a shell might take for more than a word.

    Raises:
        CommandInvalid: There is no word, the first is empty, or one holds a forbidden character.
    """
    if not words or not words[0]:
        raise CommandInvalid("The command is empty.", remedy="Name a program.")
    text = " ".join(words)
    found = sorted((FORBIDDEN_CHARACTERS | {"\0"}) & set(text))
    if found:
        raise CommandInvalid(
            f"The command {text!r} holds characters that none may hold: {' '.join(map(repr, found))}.",
            remedy="Rename the folder or the program.",
        )


def find_executable(word: str, search_path: str) -> str:
    """Return the absolute path of a command's first word.

    Args:
        word: A path, or a name to look for.
        search_path: Folders to look in, as in PATH.

    Raises:
        CommandInvalid: There is no such executable file.
    """
    found = shutil.which(word, path=search_path)
    if found is None:
        what = f"The command cannot run: {word!r} is not an executable file"
        where = "" if os.sep in word else f" in any folder of PATH ({search_path})"
        raise CommandInvalid(
            f"{what}{where}.", remedy="Correct the task's command, or collect its package again."
        )
    return str(Path(found).absolute())


def unit_words(command: Sequence[str], args_file: Path, out_file: Path) -> list[str]:
    """Return the words of one unit's command: the task's, then the two files."""
    return [*command, "--args-json", str(args_file), "--out-json", str(out_file)]
