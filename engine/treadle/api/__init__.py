"""The one server of a home: Prefect's API and UI behind one port and one secret.

The server is a process of its own that lives as long as it has users. `treadle run` uses it for the
length of a run, `treadle up` until it is interrupted; the first user starts it, the last one's going
ends it. So a run goes on when `treadle up` ends, and `treadle up` joins the server of a run.

::

    server.py       local_server, serve: for the users of the server
    claim.py        who starts the server, and where it is
    environment.py  what Prefect is told, in the server and in its clients
    __main__.py     the server's process: detach, then
    process.py      serve until told to stop or left alone, store what came in, end
    app.py          the application: our routes, then Prefect's
    gate.py         nothing passes without the secret
    secret.py       the secret
    deployments.py  the process beside it that runs what people start in the UI
"""

from __future__ import annotations

from treadle.api.deployments import serving_deployments
from treadle.api.environment import Server, client_environment
from treadle.api.server import local_server, running_server, serve

__all__ = ["Server", "client_environment", "local_server", "running_server", "serve", "serving_deployments"]
