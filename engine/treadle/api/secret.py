"""The secret of the local server: made at first start, kept in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from treadle.errors import ServerError

FILE_NAME = "secret"


def local_secret(folder: Path) -> str:
    """Return the secret kept in `folder`, making it if there is none: 256 random bits, URL-safe.

    Any number of processes may call this at once: all get the same secret.

    Raises:
        ServerError: The file is empty, or others than its owner may read it.
    """
    path = folder / FILE_NAME
    if not path.exists():
        _create(path)
    with path.open() as file:
        status = os.fstat(file.fileno())
        secret = file.read().strip()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise ServerError(
            f"The server's secret {path} can be read by others.", remedy="Delete it; a new one is made."
        )
    if not secret:
        raise ServerError(f"The server's secret {path} is empty.", remedy="Delete it; a new one is made.")
    return secret


def _create(path: Path) -> None:
    """Write a whole file beside `path`, then link it there: the first of several writers wins."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
