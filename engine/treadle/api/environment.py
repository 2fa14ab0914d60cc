"""What Prefect is told through its environment, in the server's process and in its clients.

Prefect reads its settings when it is first imported, so each environment must be set before that. The
figures behind the values are Prefect's own limits and our measurements of ingest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

UI_PATH = "/prefect"
API_PATH = "/prefect/api"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready.

    Attributes:
        api_url: URL of Prefect's API.
        auth_string: What Prefect's clients authenticate with, `user:password`; a secret.
        ui_url: URL for a person to open; it carries the secret.
        folder: Where the server keeps its files.
    """

    api_url: str
    auth_string: str = field(repr=False)
    ui_url: str = field(repr=False)
    folder: Path


def auth_string(secret: str) -> str:
    """Return what Prefect's clients authenticate with: user and password of HTTP Basic."""
    return f"treadle:{secret}"


def server_environment(folder: Path, url: str, secret: str) -> dict[str, str]:
    """Return the environment of the server's process.

    Args:
        folder: Where Prefect's database, files and UI are kept.
        url: Base URL of the server.
        secret: The server's secret.
    """
    recorder = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER"
    persister = "PREFECT_SERVER_SERVICES_EVENT_PERSISTER"
    return {
        **_everywhere(folder),
        "PREFECT_SERVER_API_AUTH_STRING": auth_string(secret),
        "PREFECT_SERVER_API_BASE_PATH": API_PATH,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.sqlite'}",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "1d",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_UI_SERVE_BASE": UI_PATH,
        "PREFECT_UI_API_URL": url + API_PATH,
        "PREFECT_UI_URL": url + UI_PATH,  # in notifications
        "PREFECT_UI_STATIC_DIRECTORY": str(folder / "ui"),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "true",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        f"{recorder}_BATCH_SIZE": "200",
        f"{recorder}_READ_BATCH_SIZE": "100",
        f"{recorder}_FLUSH_INTERVAL": "1",
        f"{persister}_BATCH_SIZE": "200",
        f"{persister}_READ_BATCH_SIZE": "100",
        f"{persister}_FLUSH_INTERVAL": "1",
    }


def client_environment(server: Server, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that a process needs to run flows on `server`.

    They must be set before Prefect is first imported. Flow logs go to the server and not to the screen,
    where only Treadle speaks.

    Args:
        server: The server to run on.
        environment: The process's own environment; a proxy that it names is passed by on the way to the
            server.
    """
    host = urlsplit(server.api_url).hostname or ""
    lists = filter(None, (environment.get("NO_PROXY") or environment.get("no_proxy"), host))
    no_proxy = ",".join(lists)
    return {
        **_everywhere(server.folder),
        "PREFECT_API_URL": server.api_url,
        "PREFECT_API_AUTH_STRING": server.auth_string,
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_TASKS_DEFAULT_NO_CACHE": "true",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def _everywhere(folder: Path) -> dict[str, str]:
    return {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    }
