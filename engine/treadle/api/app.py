"""The application of the local server: our routes, then everything of Prefect's, all behind the gate."""

from __future__ import annotations

import platform
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse

from treadle.api.environment import API_PATH, UI_PATH
from treadle.api.gate import Gate
from treadle.api.pages import run_pages
from treadle.settings import Settings


def create_app(secret: str, settings: Settings) -> Gate:
    """Build the application.

    The process's environment must be that of `environment.server_environment` before Prefect's first import.

    Args:
        secret: The server's secret.
        settings: The server's settings: the name or address that it listens on, and where runs are.
    """
    from prefect.server.api.server import create_app as create_prefect
    from prefect.server.schemas.ui import UISettings
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    from treadle.api.database import let_transactions_wait

    let_transactions_wait(PREFECT_API_DATABASE_CONNECTION_URL.value())
    prefect = create_prefect()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with prefect.router.lifespan_context(prefect):  # a mounted application's is never entered
            yield

    app = FastAPI(title="Treadle", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    async def root() -> RedirectResponse:
        return RedirectResponse(f"{UI_PATH}/v2/")

    @app.get("/health")
    async def health() -> dict[Literal["status"], Literal["alive"]]:
        return {"status": "alive"}

    @app.get(f"{UI_PATH}/ui-settings", response_model=UISettings)
    async def ui_settings(request: Request) -> UISettings:
        """Tell Prefect's UI that it need not ask for a password: who gets here has passed the gate."""
        return UISettings(
            api_url=f"{request.base_url.scheme}://{request.base_url.netloc}{API_PATH}",
            csrf_enabled=False,
            auth=None,
            default_ui="v2",
            available_uis=["v2"],
            v2_base_url=f"{UI_PATH}/v2",
        )

    app.include_router(run_pages(settings))
    app.mount("/", prefect)
    return Gate(app, secret=secret, names={settings.host, platform.node(), socket.getfqdn()})
