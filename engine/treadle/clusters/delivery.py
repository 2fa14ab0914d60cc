"""How a result leaves its worker: in a message of its own, ahead of Dask's word that the task is finished.

Dask keeps results on the worker until the client fetches them, and computes them again if the worker dies
before that. A batch must never run twice, so its result travels on the worker's stream to the scheduler,
which lives in the driver. Messages on that stream keep their order: whoever hears that the task is finished
has the result already, and when the stream breaks before, the batch counts as lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from distributed import get_worker
from distributed.protocol import pickle

logger = logging.getLogger(__name__)

OPERATION = "treadle-delivery"


def perform(token: int, function: Callable[[Any], object], payload: object) -> None:
    """On the worker: call the function and send off what it returned or raised, marked with the token."""
    try:
        outcome: tuple[bool, object] = (True, function(payload))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the one who submitted it is told
        outcome = (False, error)
    worker = get_worker()
    message = {"op": OPERATION, "token": token, "outcome": _packed(outcome)}
    worker.loop.add_callback(worker.batched_send, message)


def apart(function: Callable[[Any], object], payload: object) -> None:
    """On the worker: call a function in a thread of its own, so that the worker answers meanwhile."""

    def call() -> None:
        try:
            function(payload)
        except Exception:
            logger.exception("broadcast_failed function=%s", function)

    threading.Thread(target=call, name="treadle-broadcast", daemon=True).start()


def _packed(outcome: tuple[bool, object]) -> bytes:
    try:
        packed: bytes = pickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001 - pickling runs code of the value's own
        packed = pickle.dumps((False, TypeError(f"A result that cannot be pickled: {error!r}")))
    return packed


def unpacked(outcome: bytes) -> tuple[bool, Any]:
    """On the driver: return whether the function returned, and its result or exception."""
    try:
        returned, value = pickle.loads(outcome)
    except Exception as error:  # noqa: BLE001 - unpickling runs code of the value's own
        return False, TypeError(f"A result that cannot be unpickled: {error!r}")
    return returned, value
