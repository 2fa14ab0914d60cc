"""The server lives as long as it has users, however these come and go."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from treadle.api import Server, local_server, serve
from treadle.api.claim import Address, claim
from treadle.errors import ServerError, StorageFull
from treadle.settings import Settings

pytestmark = pytest.mark.integration

RUN = """
import sys
from treadle.api import local_server
from treadle.settings import Settings
with local_server(Settings(home=sys.argv[1], port=0)) as server:
    print(server.api_url, flush=True)
    sys.stdin.read()
"""
UP = """
import sys
from treadle.api import serve
from treadle.settings import Settings
serve(Settings(home=sys.argv[1], port=0), lambda server: print(server.api_url, flush=True))
"""


@contextmanager
def program(code: str, settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program on a home; it is killed in the end unless it ended before."""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def process_of(settings: Settings) -> psutil.Process:
    address = claim(settings.server_folder)
    assert isinstance(address, Address)
    return psutil.Process(address.pid)


def test_two_that_start_at_once_share_one_server_until_both_are_gone(
    settings: Settings, wait_until: Callable[..., None], has_ended: Callable[[Settings], bool]
) -> None:
    with program(RUN, settings) as one, program(RUN, settings) as other:
        url = next_line(one)
        assert next_line(other) == url != ""

        one.communicate(timeout=20)
        time_for_a_mistake = time.monotonic() + 2
        wait_until(lambda: time.monotonic() > time_for_a_mistake)
        with local_server(settings) as server:
            assert server.api_url == url

        assert other.communicate(timeout=20) == ("", "")
    wait_until(lambda: has_ended(settings))


def test_server_ends_when_its_only_user_is_killed(
    settings: Settings, wait_until: Callable[..., None], has_ended: Callable[[Settings], bool]
) -> None:
    with program(RUN, settings) as run:
        next_line(run)
        run.kill()

        wait_until(lambda: has_ended(settings))


def test_killed_server_is_replaced_by_the_next_user(
    settings: Settings, wait_until: Callable[..., None], has_ended: Callable[[Settings], bool]
) -> None:
    with local_server(settings):
        server = process_of(settings)
        server.kill()
        wait_until(lambda: has_ended(settings))
        with local_server(settings):
            assert process_of(settings).pid != server.pid


def test_user_who_comes_while_the_server_ends_gets_the_next_one(settings: Settings) -> None:
    with local_server(settings):
        first = process_of(settings)
    with local_server(settings):
        first.terminate()
        with local_server(settings):
            assert process_of(settings).is_running()


def test_terminated_server_ends_at_once_and_leaves_no_complaint(
    settings: Settings, wait_until: Callable[..., None], has_ended: Callable[[Settings], bool]
) -> None:
    with local_server(settings):
        process_of(settings).terminate()

        wait_until(lambda: has_ended(settings), seconds=5)

    assert (settings.server_folder / "server.log").read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_lasts_until_it_is_interrupted_and_says_nothing(
    settings: Settings,
    wait_until: Callable[..., None],
    has_ended: Callable[[Settings], bool],
    number: signal.Signals,
) -> None:
    with program(UP, settings) as up:
        assert next_line(up).startswith("http://127.0.0.1:")
        up.send_signal(number)

        assert up.communicate(timeout=20) == ("", "")
        assert up.returncode == 0
    wait_until(lambda: has_ended(settings))


def test_up_can_be_interrupted_before_it_is_ready(settings: Settings) -> None:
    started = UP.replace("import sys", "import sys; print('started', flush=True)")
    with program(started, settings) as up:
        next_line(up)
        (settings.server_folder / "server.log").unlink()
        while not (settings.server_folder / "server.log").exists():
            assert up.poll() is None
        up.send_signal(signal.SIGINT)

        assert up.communicate(timeout=20) == ("", "")


def test_up_joins_the_server_of_a_run_and_the_run_outlives_it(settings: Settings) -> None:
    with program(RUN, settings) as run, program(UP, settings) as up:
        url = next_line(run)
        assert next_line(up) == url
        server = process_of(settings)

        up.send_signal(signal.SIGINT)
        up.communicate(timeout=20)

        time_for_a_mistake = time.monotonic() + 2
        with local_server(settings) as same:
            while time.monotonic() < time_for_a_mistake:
                assert server.is_running()
            assert same.api_url == url


def test_up_starts_a_server_that_died_again_at_the_same_address(
    settings: Settings, wait_until: Callable[..., None]
) -> None:
    with program(UP, settings) as up:
        url = next_line(up)
        dead = process_of(settings)
        dead.kill()

        def is_there_again() -> bool:
            address = claim(settings.server_folder)
            if isinstance(address, int):
                os.close(address)
            return isinstance(address, Address) and address.pid != dead.pid

        wait_until(is_there_again, seconds=60)
        with local_server(settings) as server:
            assert server.api_url == url
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=20)
        assert up.returncode == 0


def test_up_says_when_its_server_keeps_dying(settings: Settings) -> None:
    def cannot_start_again(_: Server) -> None:
        server = process_of(settings)
        server.kill()
        server.wait()
        (settings.server_folder / "prefect.sqlite").write_text(
            "no database at all, and long enough to show it" * 9
        )

    with pytest.raises(ServerError, match="died while it started"):
        serve(settings, cannot_start_again)


def test_port_of_another_program_is_named_by_up_and_avoided_by_a_run(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = Settings(home=settings.home, port=port)

        with pytest.raises(ServerError, match=f"Port {port} of 127.0.0.1 is taken") as refusal:
            serve(busy, lambda _: None)
        with local_server(busy) as server:
            assert str(port) not in server.api_url

    assert "TREADLE_PORT" in refusal.value.remedy


def test_run_uses_the_port_that_is_set_where_it_is_free(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with local_server(Settings(home=settings.home, port=port)) as server:
        assert server.api_url == f"http://127.0.0.1:{port}/prefect/api"


def test_server_that_cannot_start_says_why(settings: Settings) -> None:
    (settings.server_folder / "prefect.sqlite").write_text(
        "no database at all, and long enough to show it" * 9
    )

    with pytest.raises(ServerError, match="died while it started") as failure, local_server(settings):
        pass

    assert "file is not a database" in failure.value.detail


def test_folder_that_may_not_be_written_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (settings.server_folder / "secret").unlink()
    monkeypatch.setattr("treadle.api.secret.os.open", full)

    with pytest.raises(StorageFull, match="No space left on device"), local_server(settings):
        pass
