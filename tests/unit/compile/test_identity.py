"""Whether a driver of some name still lives."""

from __future__ import annotations

import subprocess
import sys

from treadle.compile.identity import is_gone, this_driver

SAY_NAME = (
    "from treadle.compile.identity import this_driver; print(this_driver(), flush=True); "
    "import sys; sys.stdin.read()"
)


def test_a_process_is_gone_when_it_has_ended_even_before_its_parent_looks() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SAY_NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert not is_gone(name)
        process.kill()
        process.stdout.read()  # it ends when the process does; nobody has waited for it yet
        while not is_gone(name):
            pass
    assert is_gone(name)


def test_a_later_process_of_the_same_number_is_another() -> None:
    name = this_driver()
    assert not is_gone(name)
    assert is_gone(name.rpartition("-")[0] + "-1")


def test_a_process_of_before_the_last_boot_is_gone() -> None:
    host, pid, stamp = this_driver().rsplit(":", 2)
    assert is_gone(f"{host}:{pid}:00000000{stamp[8:]}")


def test_of_a_process_that_cannot_be_seen_from_here_nothing_is_known() -> None:
    host, pid, stamp = this_driver().rsplit(":", 2)
    assert not is_gone(f"elsewhere:{pid}:{stamp}")
    boot, _, rest = stamp.partition(".")
    _, _, begun = rest.partition("-")
    assert not is_gone(f"{host}:{pid}:{boot}.1-{begun}")
