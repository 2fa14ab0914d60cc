from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from treadle.collect.program import Ended, run_program
from treadle.collect.progress import Progress
from treadle.errors import Cancelled
from treadle.testing.cluster import wait_until


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stop = threading.Event()

    def run(self, body: str, folder: Path, *, seconds: float = 60) -> Ended:
        return run_program(
            [sys.executable, "-c", body],
            folder=folder,
            environment={"PATH": os.defpath},
            seconds=seconds,
            progress=Progress(lambda _: None, self.hear, self.stop),
        )

    def hear(self, line: str) -> None:
        self.lines.append(line)
        if line == "stop me":
            self.stop.set()


def is_alive(pid: int) -> bool:
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    except FileNotFoundError:
        return False


CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "open('pid', 'w').write(str(child.pid))\n"
)


def test_answer_status_and_lines_are_told_apart(tmp_path: Path) -> None:
    heard = Heard()

    ended = heard.run("import sys; print('out'); print('one\\ntwo', file=sys.stderr); sys.exit(3)", tmp_path)

    assert (ended.status, ended.output, ended.errors) == (3, "out\n", "one\ntwo\n")
    assert heard.lines == ["one", "two"]


def test_program_that_closes_its_pipes_is_still_waited_for_and_limited(tmp_path: Path) -> None:
    body = "import os, time\nos.close(1); os.close(2)\ntime.sleep({})\nopen('done', 'w')"

    assert Heard().run(body.format(0.3), tmp_path).status == 0
    assert (tmp_path / "done").exists()
    with pytest.raises(subprocess.TimeoutExpired):
        Heard().run(body.format(600), tmp_path, seconds=0.5)


@pytest.mark.parametrize("way", ["end", "limit", "stop"])
def test_nothing_that_it_started_is_left(tmp_path: Path, way: str) -> None:
    heard = Heard()
    if way == "end":
        assert heard.run(CHILD, tmp_path).status == 0
    elif way == "limit":
        with pytest.raises(subprocess.TimeoutExpired):
            heard.run(f"{CHILD}time.sleep(600)", tmp_path, seconds=2)
    else:
        with pytest.raises(Cancelled):
            heard.run(f"{CHILD}print('stop me', file=sys.stderr, flush=True)\ntime.sleep(600)", tmp_path)

    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(pid))
