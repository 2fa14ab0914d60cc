"""The home's server for a command that speaks with Prefect."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.api import Server
    from treadle.settings import Settings


@contextmanager
def served(settings: Settings) -> Iterator[Server]:
    """Use the server of this home within the context, with its address and secret in the environment.

    Raises:
        ServerError: It did not start.
    """
    from treadle.api import client_environment, local_server

    with local_server(settings) as server:
        os.environ.update(client_environment(server))  # Prefect reads it when it is first imported
        yield server
