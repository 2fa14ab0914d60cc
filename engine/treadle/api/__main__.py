"""The server's process, started by `treadle.api.server` and by nothing else.

It leaves its starter's session and family, so that neither the starter's end nor its terminal's ends it.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys

from treadle.settings import Settings


def main() -> None:
    """Detach, then serve; settings come as JSON on standard input, the open port and lock as descriptors."""
    parser = argparse.ArgumentParser(prog="python -m treadle.api")
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--lock", type=int, required=True)
    arguments = parser.parse_args()
    settings = Settings.model_validate_json(sys.stdin.read())
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.set_inheritable(arguments.lock, False)
    with socket.socket(fileno=arguments.socket) as listener:
        listener.set_inheritable(False)

        from treadle.api.process import run

        status = run(settings, listener)
    sys.stderr.flush()
    os._exit(status)  # the interpreter would free every object of Prefect first: more than a second


if __name__ == "__main__":
    main()
