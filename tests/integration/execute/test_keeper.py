"""A keeper by itself, with children that do not become what they should."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.execute.programs.frames import receive, send

pytestmark = pytest.mark.integration

KEEPER = """
import os, socket, sys
from treadle.execute.programs.keeper import Keeper

def become(keeper, request):
    keeper.settle()
    keeper.started()
    raise RuntimeError("no unit today")

Keeper(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], become).serve()
"""


def test_a_child_that_fails_before_it_is_the_unit_counts_as_failed_and_says_why(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    log = tmp_path / "log"
    words = [sys.executable, "-c", KEEPER, str(theirs.fileno()), str(tmp_path)]
    with ours, subprocess.Popen(words, pass_fds=[theirs.fileno()]) as keeper:
        theirs.close()
        request = {"id": 1, "words": ["x"], "folder": str(tmp_path), "log": str(log)}
        send(ours, {**request, "timeout": None, "memory": None})
        answer = receive(ours)
        ours.shutdown(socket.SHUT_WR)
        assert keeper.wait(timeout=30) == 0
    assert answer is not None
    assert os.waitstatus_to_exitcode(answer["status"]) == 127
    assert "RuntimeError: no unit today" in log.read_text()
