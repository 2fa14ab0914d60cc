"""What a holder of leases is called, for people who wonder whom a call waits for."""

from __future__ import annotations

import os
import threading
from functools import cache


@cache
def this_host() -> str:
    """Name of this machine."""
    return os.uname().nodename


def this_thread() -> str:
    """Host, process and thread that runs this."""
    return f"{this_host()}:{os.getpid()}:{threading.current_thread().name}"
