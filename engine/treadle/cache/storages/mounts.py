"""Whether a path lies on a file system that several machines share."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
"""Where Linux lists what is mounted; elsewhere every file system counts as a local one."""

_SHARED = frozenset(
    {
        "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cephfs", "cifs", "coda", "gfs", "gfs2", "glusterfs",
        "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3",
        "smbfs", "virtiofs", "weka", "wekafs",
    }
)  # fmt: skip
_OCTAL = re.compile(r"\\([0-7]{3})")


def is_shared(path: Path) -> bool:
    """Whether other machines may write to the file system that a path lies on, or would be made on.

    Of file systems in user space only those of this machine's disks count as local.
    """
    kind = _kind(path)
    return kind in _SHARED or (kind.startswith("fuse.") and not kind.endswith(("ext2", "overlayfs", "zfs")))


def _kind(path: Path) -> str:
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    found, kind = -1, ""
    resolved = path.resolve()
    for line in lines:
        _, place, its_kind, *_ = line.split(" ")
        mount = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), place))
        if len(mount.parts) >= found and resolved.is_relative_to(mount):
            found, kind = len(mount.parts), its_kind
    return kind
