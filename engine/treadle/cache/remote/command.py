"""The command that opens a connection."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

PYTHON = "python3"
"""Interpreter of the other machine, where none is named."""

_ALWAYS = ("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=4")
_HOME = re.compile(r"~[\w.-]*")


def ssh_words(
    host: str,
    *,
    cache_name: str | None = None,
    python: str = PYTHON,
    ssh_options: Sequence[str] = (),
    setup_commands: Sequence[str] = (),
    workdir: str | None = None,
) -> list[str]:
    """Return the argument list that starts the server on another machine.

    Args:
        host: As `ssh` takes it.
        cache_name: Name of the cache there.
        python: Interpreter there.
        ssh_options: Words before the host; of equal options the first counts, so these win over ours.
        setup_commands: Lines for the shell there, in the order in which it runs them; the only ones that it
            reads as such.
        workdir: Folder there in which the server starts.
    """
    always = [word for option in _ALWAYS for word in ("-o", option)]
    server = ["-m", "treadle.cache", "remote", "--serve"]
    if cache_name is not None:
        server += ["--cache", cache_name]
    lines = [*setup_commands]
    if workdir is not None:
        lines.append(f"cd {_quoted(workdir)}")
    lines.append(f"exec {_quoted(python)} {shlex.join(server)}")
    return ["ssh", *ssh_options, *always, "-T", "--", host, " && ".join(lines)]


def _quoted(path: str) -> str:
    """Quote a path, but for the tilde that means a home folder."""
    home, slash, rest = path.partition("/")
    if _HOME.fullmatch(home):
        return home + slash + (shlex.quote(rest) if rest else "")
    return shlex.quote(f"./{path}" if path.startswith("-") else path)
