"""What Linux is asked beyond the `os` module."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
from collections.abc import Iterable

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own.

    Raises:
        OSError: The kernel does not know of it.
    """
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Get a signal when the parent dies; end at once if it is dead already."""
    _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)


def children(pid: int) -> list[int]:
    """Return the direct children of a process, adopted and ended ones included."""
    found: list[int] = []
    folder = f"/proc/{pid}/task"
    try:
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/children", "rb") as stream:
                found.extend(map(int, stream.read().split()))
    except OSError as error:
        # The file is missing where the kernel was built without it; then the folder is still there.
        if error.errno == errno.ENOENT and os.path.exists(folder):
            return _children_by_search(pid)
        return found
    return found


def _children_by_search(pid: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stream:
            if int(stream.read().rpartition(b")")[2].split()[1]) == pid:
                found.append(int(name))
    return found


def descendants(pid: int) -> list[int]:
    """Return all that descends from a process, parents before their children."""
    found = children(pid)
    for child in found:  # the list grows under way
        found.extend(children(child))
    return found


def kill(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes, of which some may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the sum of the resident memory of processes; what they share counts for each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm", "rb") as stream:
            total += int(stream.read().split()[1]) * PAGE_BYTES
    return total


def proportional_bytes(pids: Iterable[int]) -> int:
    """Return the sum of the memory of processes, what n of them share as an n-th for each.

    Where the kernel does not tell, that of a process is its resident memory.
    """
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as stream:
                [share] = [line for line in stream if line.startswith(b"Pss:")]
            total += int(share.split()[1]) * 1024
        except (OSError, ValueError):
            total += resident_bytes([pid])
    return total


def out_of_memory_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started."""
    with contextlib.suppress(OSError), open("/proc/vmstat", "rb") as stream:
        for line in stream:
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return 0
