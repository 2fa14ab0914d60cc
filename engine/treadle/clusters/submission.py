"""Calls on a Dask cluster under the keys of the call cache."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from treadle.cache.active import Bound
from treadle.cache.keys.sealing import KeyOptions, Sealer
from treadle.cache.keys.source import WRAPPED
from treadle.errors import Indigestible

if TYPE_CHECKING:
    from distributed import Client, Future

PREFIX = "treadle"

logger = logging.getLogger(__name__)


def dask_submit(client: Client, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    """Submit a call to a Dask cluster under its own key, so that equal calls in flight are one task.

    A function that is decorated with `treadle.cached` is looked up where it runs, in the cache that is in use
    here, and is kept there; its own options make up the key. Of any other function, module, name, version
    and source count. A call without a key, such as one that takes futures, is submitted like any other.

    Args:
        client: The client.
        function: The function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        The future of the call.
    """
    is_cached = hasattr(function, WRAPPED)
    sent = Bound.of(function, (), {}) if is_cached else function
    try:
        call: Any = function
        key = (
            call.key(*args, **kwargs)
            if is_cached
            else Sealer(function, KeyOptions(with_code=True)).seal(args, kwargs).key
        )
    except Indigestible as error:
        logger.debug("call_without_key function=%s error=%s", function, error)
        return client.submit(sent, *args, pure=False, **kwargs)
    name = getattr(inspect.unwrap(function), "__name__", "call")
    return client.submit(sent, *args, key=f"{name}-{PREFIX}-{key}", pure=False, **kwargs)
