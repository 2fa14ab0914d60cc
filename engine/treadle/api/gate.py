"""The gate before everything that the server answers, HTTP and websocket alike.

A request passes with any one of: the cookie that a visit with `?token=SECRET` sets, the header
`Authorization: Bearer SECRET`, or Prefect's own `Authorization: Basic` with `treadle:SECRET`. Those who
pass reach Prefect with the header that it asks for. The exchange of token for cookie is that of Jupyter
Server.

A browser sends cookies on behalf of any page, so a cookie counts only in requests from our own pages, and
no request counts that was sent to a name that is not ours (DNS rebinding).
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from fastapi.requests import HTTPConnection
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from treadle.api.environment import auth_string

Scope = MutableMapping[str, Any]  # as ASGI defines it
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WRONG_NAME = "This server is not known by the name that the request was sent to.\n"
WRONG_ORIGIN = "This server answers no requests from other sites' pages.\n"
NO_CREDENTIALS = """\
This is the server of somebody's Treadle, and it answers only with its secret.
If it is yours: open the URL that `treadle up` prints, which carries the secret, or send the secret, which
is in server/secret in Treadle's home folder, as `Authorization: Bearer SECRET`.
"""


POLICY = b"connect-src 'self'; frame-ancestors 'self'"
"""What a browser may do with our pages: Prefect's UI asks a tracking service for its settings even where
tracking is off, and nobody else's page may show ours in a frame."""


class Gate:
    """ASGI middleware that lets nothing pass without the secret.

    Args:
        app: The application behind the gate.
        secret: The secret.
        names: Host names that the server is known by, besides `localhost` and any IP address.
    """

    def __init__(self, app: App, *, secret: str, names: Collection[str] = ()) -> None:
        self._app = app
        self._secret = secret.encode()
        user = auth_string(secret).encode()
        self._basic = b"Basic " + base64.b64encode(user)
        self._bearer = b"Bearer " + self._secret
        self._names = {name.lower() for name in names} | {"localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = self._answer(HTTPConnection(scope))
        if answer is None:
            headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
            passed = {**scope, "headers": [*headers, (b"authorization", self._basic)]}
            await self._app(passed, receive, _confined(send))
        elif scope["type"] == "http":
            await answer(scope, receive, send)
        else:
            await _deny(answer, send)

    def _answer(self, connection: HTTPConnection) -> Response | None:
        """Return the answer to a request that does not pass."""
        if not self._is_ours(connection.headers.get("host", "")):
            return _text(WRONG_NAME, 403)
        if self._has_header(connection):
            return None
        visit = connection.scope["type"] == "http" and connection.scope["method"] in {"GET", "HEAD"}
        if visit and self._matches(connection.query_params.get("token", "")):
            return self._welcome(connection)
        if self._matches(connection.cookies.get(_cookie_name(connection), "")):
            return None if _is_own_page(connection) else _text(WRONG_ORIGIN, 403)
        return _text(NO_CREDENTIALS, 401, {"WWW-Authenticate": 'Bearer realm="Treadle"'})

    def _is_ours(self, host: str) -> bool:
        try:
            place = urlsplit(f"//{host}")
            name, _ = place.hostname or "", place.port
            return name in self._names or bool(ipaddress.ip_address(name))
        except ValueError:  # neither a host and a port, nor a name of ours, nor an address
            return False

    def _has_header(self, connection: HTTPConnection) -> bool:
        header = connection.headers.get("authorization", "").encode("latin-1")
        known = [hmac.compare_digest(header, good) for good in (self._basic, self._bearer)]
        return any(known)

    def _matches(self, secret: str) -> bool:
        return hmac.compare_digest(secret.encode(), self._secret)

    def _welcome(self, connection: HTTPConnection) -> Response:
        """Give the cookie, and lead to the same page without the token."""
        query = connection.scope["query_string"].decode("latin-1")
        rest = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "token"])
        target = "/" + quote(connection.scope["path"].lstrip("/")) + (f"?{rest}" if rest else "")
        response: Response
        if connection.headers.get("sec-fetch-site") == "cross-site":
            # After a link on another site a browser keeps strict cookies back for the whole chain of
            # redirects, but not for a page that this page leads to.
            response = HTMLResponse("", headers={"Refresh": f"0; url={target}"})
        else:
            response = RedirectResponse(target, status_code=303)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(
            _cookie_name(connection), self._secret.decode(), httponly=True, samesite="strict", path="/"
        )
        return response


def _cookie_name(connection: HTTPConnection) -> str:
    """Return a name with the port in it: browsers share cookies among all ports of a host."""
    return f"treadle-{urlsplit('//' + connection.headers['host']).port or 80}"


def _is_own_page(connection: HTTPConnection) -> bool:
    origin = connection.headers.get("origin")
    host = connection.headers["host"]
    return origin in {None, f"http://{host}", f"https://{host}"}


def _text(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(text, status, headers, media_type="text/plain")


def _confined(send: Send) -> Send:
    async def send_with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"content-security-policy", POLICY)]
        await send(message)

    return send_with_policy


async def _deny(answer: Response, send: Send) -> None:
    """Answer the request for a websocket as if it were one for a page."""
    await send(
        {
            "type": "websocket.http.response.start",
            "status": answer.status_code,
            "headers": answer.raw_headers,
        }
    )
    await send({"type": "websocket.http.response.body", "body": answer.body})
