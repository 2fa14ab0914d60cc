"""Makes one call in many threads of this process at once, with a cache that others share."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from treadle.cache import Cache, Runtime, cache, cached, meta
from treadle.cache.storages.files import FileValues
from treadle.cache.storages.sql.calls import SqlCalls


@cached
def note(folder: str) -> int:
    """Leave a file that tells of this call."""
    Path(folder, f"{os.getpid()}-{threading.get_ident()}").touch(exist_ok=False)
    return 1


def main(shared: str, made: str, threads: str) -> None:
    """Make the call."""
    opened = Cache(FileValues(shared), SqlCalls(Path(shared) / "calls.sqlite"))

    def call(_: int) -> int:
        with cache(opened), meta(Runtime()):
            return note(made)

    with ThreadPoolExecutor(int(threads)) as pool:
        assert sum(pool.map(call, range(int(threads)))) == int(threads)


if __name__ == "__main__":
    main(*sys.argv[1:])
