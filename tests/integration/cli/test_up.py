"""`treadle up` as a user starts and ends it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration


def test_printed_url_opens_the_pages_and_ctrl_c_ends_them(tmp_path: Path) -> None:
    # Given a server of a new home
    treadle = Command(tmp_path / "home")
    command = subprocess.Popen(
        treadle.words("up", as_json=False),
        env=treadle.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # When it has printed its URL
        assert command.stdout is not None
        url = command.stdout.readline().removeprefix("Open ").strip()

        # Then that URL opens the page, and the same without its secret does not
        browser = build_opener(HTTPCookieProcessor())
        assert b"<html" in browser.open(url, timeout=30).read()
        with pytest.raises(HTTPError) as refused:
            build_opener().open(url.partition("?")[0], timeout=30)
        assert refused.value.code == 401
        refused.value.close()

        # And a second `up` joins it instead of failing on the port
        second = subprocess.Popen(
            treadle.words("up"), env=treadle.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert second.stdout is not None
        joined = b"".join(second.stdout.readline() for _ in range(4))
        assert json.loads(joined)["ui_url"] == url
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=30)
        assert second.returncode == 0
    finally:
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 0
    assert err.endswith("Ended.\n")
    assert url not in err


def test_port_that_is_taken_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    import socket

    treadle = Command(tmp_path / "home")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = treadle("up", "--port", str(port), code=1)
    assert f"Port {port} of 127.0.0.1 is taken" in answer.stderr
    assert answer.data["error"]["kind"] == "ServerError"
