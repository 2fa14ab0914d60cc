"""Does what a task of a recorded workflow did, as far as its record says: time, cpu, files.

`python replay.py --args-json FILE --out-json FILE`; the standard library alone is used.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence

FILES = "files"
"""The files' folder within the dataset's."""

_CHUNK = 1 << 20


def main(words: Sequence[str]) -> int:
    """Read the inputs, use the cpu, write the outputs; it takes `seconds`, or longer if the files do."""
    began = time.monotonic()
    options = dict(zip(words[::2], words[1::2], strict=True))
    with open(options["--args-json"], encoding="utf-8") as file:
        args = json.load(file)
    folder = os.path.join(args["zarr_dir"], FILES)
    os.makedirs(folder, exist_ok=True)
    missing = _read(folder, args.get("inputs") or [])
    if missing:
        sys.stderr.write(f"There is no file {', '.join(missing)} in {folder}.\n")
        return 1
    seconds = args.get("seconds") or 0.0
    _compute(min(1.0, args.get("cpu", 1.0)) * seconds)
    _write(folder, args.get("outputs") or {})
    time.sleep(max(0.0, seconds - (time.monotonic() - began)))
    return 0


def _read(folder: str, names: Sequence[str]) -> list[str]:
    """Read files to their end; return those that are not there."""
    missing = []
    for name in names:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                while file.read(_CHUNK):
                    pass
        except FileNotFoundError:
            missing.append(name)
    return missing


def _compute(cpu_seconds: float) -> None:
    while time.process_time() < cpu_seconds:
        sum(range(1000))


def _write(folder: str, sizes: Mapping[str, int]) -> None:
    """Write files of these sizes, each under its name only when it is whole."""
    for name, size in sizes.items():
        place = os.path.join(folder, name)
        aside = f"{place}.{os.getpid()}.part"
        with open(aside, "wb") as file:
            for begin in range(0, size, _CHUNK):
                file.write(bytes(min(_CHUNK, size - begin)))
        os.replace(aside, place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
