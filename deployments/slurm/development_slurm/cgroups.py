"""Cgroups of version 1 for the memory of jobs, below the caller's own, whose limits so hold too."""

from __future__ import annotations

import os
from pathlib import Path


def memory_group() -> Path | None:
    """Return the caller's own group of the memory controller; None where it can have no groups below it."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _device, mounted, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            group = Path(mounted) / _own_path().lstrip("/")
            return group if os.access(group, os.W_OK) else None
    return None


def make(group: Path, mount_point: Path) -> None:
    """Make a group, and a folder that SLURM takes for the place where controllers are mounted."""
    group.mkdir()
    mount_point.mkdir()
    (mount_point / "memory").symlink_to(group)


def remove(group: Path) -> None:
    """Remove a group and those below it; no process may be in them."""
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()


def _own_path() -> str:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return path
    return "/"
