"""What a trial job does on its node: `python -P probe.py FOLDER`, with the questions in FOLDER.

Treadle may be missing there, which is one of the questions: only the standard library is used.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any

QUESTION = "question.json"
ANSWER = "answer.json"
CONNECT_SECONDS = 20.0


def main(folder: str) -> None:
    """Answer what is asked in a folder, in that folder."""
    place = Path(folder)
    question = json.loads((place / QUESTION).read_text())
    answer = {
        "secret": question["secret"],
        "host": os.environ.get("SLURMD_NODENAME", "") or platform.node(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "import_error": import_error(question["modules"]),
        "versions": {name: version(name) for name in question["distributions"]},
        "network_error": network_error(place, question),
    }
    draft = place / f".{ANSWER}"
    draft.write_text(json.dumps(answer))
    draft.replace(place / ANSWER)


def version(distribution: str) -> str | None:
    """Return the version of an installed distribution; None if it is not."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def import_error(modules: list[str]) -> str | None:
    """Import modules; return why one of them could not be, or None."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            return f"{module}: {type(error).__name__}: {error}"
    return None


def network_error(folder: Path, question: dict[str, Any]) -> str | None:
    """Call the driver and tell it the time; return why that failed, or None. No port, no call."""
    if question["port"] is None:
        return None
    try:
        call(folder, question)
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def call(folder: Path, question: dict[str, Any]) -> None:
    """Call the driver over TLS, each side showing its certificate.

    Raises:
        OSError: It cannot be reached.
        ValueError: It is another.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate is for this one trial, and trusted for nothing else
    context.load_verify_locations(folder / "authority.pem")
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    address = (question["host"], question["port"])
    with (
        socket.create_connection(address, CONNECT_SECONDS) as plain,
        context.wrap_socket(plain) as channel,
    ):
        message = json.dumps({"secret": question["secret"], "time": time.time()})
        channel.sendall(f"{message}\n".encode())
        if channel.recv(100) != b"welcome\n":
            raise ValueError("somebody else answered")


if __name__ == "__main__":
    main(sys.argv[1])
