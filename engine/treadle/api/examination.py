"""Whether the server of a home answers, or could be started."""

from __future__ import annotations

import errno
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

from treadle.api.claim import Address, claim
from treadle.api.environment import API_PATH
from treadle.errors import TreadleError
from treadle.model.findings import Finding, Verdict, failure
from treadle.settings import PREFIX, Settings

SERVER = "Prefect server"
PORT = "port"
ANSWER_SECONDS = 10.0


def examine_server(settings: Settings) -> Iterator[Finding]:
    """See whether the server runs and answers, and whether its port is free or its own."""
    try:
        address = _address(settings)
    except (TreadleError, OSError, ValueError) as error:
        yield failure(SERVER, error)
        address = None
    else:
        yield _server(address)
    yield _port(settings, address)


def _address(settings: Settings) -> Address | None:
    """Return where the server listens; None if none runs."""
    if not settings.server_folder.is_dir():
        return None
    found = claim(settings.server_folder)
    if isinstance(found, int):
        os.close(found)
        return None
    return found


def _server(address: Address | None) -> Finding:
    if address is None:
        return Finding(SERVER, Verdict.OK, "not started; `treadle run` and `treadle up` start it")
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"{address.url}{API_PATH}/health", timeout=ANSWER_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()  # it wants the secret, which only one that runs does
    except OSError as error:
        remedy = f"End process {address.pid}; the next command starts another."
        return Finding(
            SERVER, Verdict.FAILED, f"The server at {address.url} does not answer.", remedy, str(error)
        )
    return Finding(SERVER, Verdict.OK, f"runs at {address.url}")


def _port(settings: Settings, address: Address | None) -> Finding:
    where = f"{settings.port} of {settings.host}"
    if settings.port == 0:
        return Finding(PORT, Verdict.OK, "any free one")
    if address is not None and address.port == settings.port:
        return Finding(PORT, Verdict.OK, f"{where} is the server's own")
    try:
        family, _, _, _, place = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(place[:2], family=family):
            return Finding(PORT, Verdict.OK, f"{where} is free")
    except OSError as error:
        remedy = f"Set {PREFIX}PORT and {PREFIX}HOST to what is free, or {PREFIX}PORT to 0 for any port."
        if error.errno == errno.EADDRINUSE:
            what = f"{where} is taken by another program, so that `treadle up` cannot use it"
            return Finding(PORT, Verdict.WARNING, what, remedy)
        return Finding(PORT, Verdict.FAILED, f"Port {where} cannot be used.", remedy, str(error))
