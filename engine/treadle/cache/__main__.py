"""`python -m treadle.cache remote --serve`: what another machine's cache of type `ssh` starts here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Serve a cache on standard input and output.

    Args:
        words: The arguments; those of this process if None.
    """
    parser = argparse.ArgumentParser(prog="python -m treadle.cache")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    remote = commands.add_parser("remote", help="serve a cache to another machine, over SSH")
    remote.add_argument("--serve", action="store_true", required=True, help="answer on standard output")
    remote.add_argument("--cache", metavar="NAME", help="the cache; the default one if not given")
    given = parser.parse_args(words)

    from treadle.cache.config import load
    from treadle.cache.remote.server import serve_standard_streams

    serve_standard_streams(lambda: load(given.cache))
    return 0


if __name__ == "__main__":
    sys.exit(main())
