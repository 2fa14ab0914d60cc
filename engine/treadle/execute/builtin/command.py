"""Runs one command as a unit: `python command.py --args-json FILE --out-json FILE`.

The command is a list of words, never a text for a shell. `{name}` in a word stands for an argument of the
unit; `{{` and `}}` are braces. The standard library alone is used: a unit costs little more than its command.

The exit status is the command's. Besides: 128 + n if signal n ended it, 127 if there is no such program, 126
if it cannot be run, 125 if the command cannot be put together or left an output out.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

OWN = frozenset({"command", "outputs", "stdout", "item"})
"""Arguments that say what is run; all others are values for placeholders."""

ENGINE = ("zarr_url", "zarr_urls", "zarr_dir", "init_args")

REFUSED, NOT_RUNNABLE, NOT_FOUND, BY_SIGNAL = 125, 126, 127, 128

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CODE_OPTIONS = {
    "c": re.compile(r"(ba|da|z|k|fi|a)?sh|python[0-9.]*"),
    "e": re.compile(r"perl[0-9.]*|ruby[0-9.]*|node"),
}


class Refused(Exception):
    """Why a command cannot be put together."""


def placeholders(word: str) -> list[str]:
    """Return the names that a word has placeholders for, in their order."""
    return [found[1] for found in _PLACEHOLDER.finditer(word) if found[1]]


def code_words(command: Sequence[str]) -> set[int]:
    """Return the places of words that an interpreter takes as its program, as after `sh -c`.

    Nothing is ever put into such a word: it would become part of the program.
    """
    places = set()
    for option, interpreters in _CODE_OPTIONS.items():
        there = False
        for place, word in enumerate(command[:-1]):
            there = there or interpreters.fullmatch(os.path.basename(word)) is not None
            if there and re.fullmatch(rf"-[A-Za-z]*{option}", word):
                places.add(place + 1)
    return places


def check_words(command: Sequence[str], texts: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Say what is wrong with a command and the paths beside it, given the names that there are values for."""
    code = code_words(command)
    for place, word in enumerate([*command, *texts]):
        found = placeholders(word)
        if place in code:
            for name in dict.fromkeys(found):
                if name in names:
                    yield (
                        f"the program text {word!r} has the placeholder {{{name}}}, whose value would become "
                        'a part of the program: pass it as a word of its own and write "$1" in a shell'
                    )
            continue
        for name in dict.fromkeys(found):
            if name not in names:
                known = ", ".join(f"{{{known}}}" for known in names) or "none"
                yield f"{{{name}}} in {word!r} is no argument, as {known} are; a brace is written twice"


def fill_words(command: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Return a command with its values in place; a word that is one placeholder of a list becomes several.

    Raises:
        Refused: A placeholder has no value, or one that a program could take for an option.
    """
    problems = list(check_words(command, [], list(values)))
    if problems:
        raise Refused("; ".join(problems))
    code = code_words(command)
    words: list[str] = []
    for place, word in enumerate(command):
        if place in code:
            words.append(word)
        elif isinstance(values.get(word[1:-1]), list) and placeholders(word) == [word[1:-1]]:
            words += [_begins(_text(value, word[1:-1]), value, word) for value in values[word[1:-1]]]
        else:
            words.append(_filled(word, values))
    return words


def fill_path(text: str, values: Mapping[str, Any]) -> str:
    """Return a path with its values in place.

    Raises:
        Refused: A placeholder has no value.
    """
    problems = list(check_words([], [text], list(values)))
    if problems:
        raise Refused("; ".join(problems))
    return _replaced(text, values)


def _filled(word: str, values: Mapping[str, Any]) -> str:
    first = _PLACEHOLDER.match(word)
    value = values[first[1]] if first and first[1] else None
    return _begins(_replaced(word, values), value, word)


def _replaced(word: str, values: Mapping[str, Any]) -> str:
    def value_of(found: re.Match[str]) -> str:
        return _text(values[found[1]], found[1]) if found[1] else found[0][0]

    return _PLACEHOLDER.sub(value_of, word)


def _begins(filled: str, value: object, word: str) -> str:
    if isinstance(value, str) and filled.startswith("-"):
        raise Refused(f"the value {value!r} for {word!r} begins with '-': it would be taken for an option")
    return filled


def _text(value: object, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise Refused(f"{{{name}}} has the value {json.dumps(value)[:80]}, which is no word")


def main(words: Sequence[str]) -> int:
    """Run the unit; return its exit status."""
    options = dict(zip(words[::2], words[1::2], strict=True))
    with open(options["--args-json"], encoding="utf-8") as file:
        args = json.load(file)
    values = {name: value for name, value in args.items() if name not in OWN}
    try:
        command = fill_words(args["command"], values)
        outputs = [fill_path(text, values) for text in args.get("outputs") or []]
        stdout = fill_path(args["stdout"], values) if args.get("stdout") else None
        item = fill_path(args["item"], values) if args.get("item") else None
        folder = _folder(values)
        status = _run(command, folder, stdout)
        _check_outputs([*outputs, *([stdout] if stdout else []), *([item] if item else [])], folder, status)
    except Refused as error:
        return _end(REFUSED, f"The command cannot be run: {error}.")
    if status == 0 and item:
        with open(options["--out-json"], "w", encoding="utf-8") as file:
            json.dump({"image_list_updates": [_update(os.path.join(folder, item), values)]}, file)
    return status


def _folder(values: Mapping[str, Any]) -> str:
    """Return where the command runs: beside its item, or in the dataset's folder."""
    url = values.get("zarr_url")
    if isinstance(url, str) and url.startswith("/"):
        return os.path.dirname(url)
    folder = values.get("zarr_dir")
    if isinstance(folder, str) and folder.startswith("/"):
        os.makedirs(folder, exist_ok=True)
        return folder
    return os.getcwd()


def _run(command: Sequence[str], folder: str, stdout: str | None) -> int:
    if stdout is None:
        return _status(command, folder, None)
    place = os.path.join(folder, stdout)
    aside = f"{place}.{os.getpid()}.part"
    try:
        with open(aside, "wb") as file:
            status = _status(command, folder, file)
        if status == 0:
            os.replace(aside, place)
    finally:
        if os.path.exists(aside):
            os.unlink(aside)
    return status


def _status(command: Sequence[str], folder: str, stdout: Any) -> int:
    try:
        code = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, check=False
        ).returncode
    except FileNotFoundError:
        return _end(NOT_FOUND, f"There is no program {command[0]!r} here, or no folder {folder}.")
    except (OSError, ValueError) as error:
        return _end(NOT_RUNNABLE, f"The program {command[0]!r} cannot be run: {error}.")
    if code >= 0:
        return code
    return _end(BY_SIGNAL - code, f"The command was ended by signal {-code} ({signal.Signals(-code).name}).")


def _check_outputs(paths: Sequence[str], folder: str, status: int) -> None:
    missing = [path for path in paths if not os.path.exists(os.path.join(folder, path))]
    if status == 0 and missing:
        raise Refused(f"it ended well, but did not leave {', '.join(missing)}")


def _update(url: str, values: Mapping[str, Any]) -> dict[str, Any]:
    origin = values.get("zarr_url")
    return {"zarr_url": url, **({"origin": origin} if origin else {})}


def _end(status: int, text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
