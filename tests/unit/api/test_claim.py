from __future__ import annotations

import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import pytest

from treadle.api.claim import Address, Users, claim, publish, using, withdraw
from treadle.errors import ServerError

ADDRESS = Address(
    node=platform.node(), host="127.0.0.1", port=4200, pid=17, started="2026-11-02T08:00:00+00:00"
)


def take(folder: Path) -> int:
    lock = claim(folder)
    assert isinstance(lock, int)
    return lock


def test_first_comer_may_start_the_server_and_the_second_waits(tmp_path: Path) -> None:
    lock = take(tmp_path)

    assert claim(tmp_path) is None

    os.close(lock)


def test_ready_server_is_found(tmp_path: Path) -> None:
    lock = take(tmp_path)
    publish(tmp_path, ADDRESS)

    assert claim(tmp_path) == ADDRESS

    os.close(lock)


def test_ending_server_is_not_found(tmp_path: Path) -> None:
    lock = take(tmp_path)
    publish(tmp_path, ADDRESS)
    withdraw(tmp_path)

    assert claim(tmp_path) is None

    os.close(lock)


def test_address_of_a_killed_server_is_never_read(tmp_path: Path) -> None:
    os.close(take(tmp_path))
    publish(tmp_path, ADDRESS)

    lock = take(tmp_path)

    assert claim(tmp_path) is None
    os.close(lock)


def test_server_of_another_machine_is_named(tmp_path: Path) -> None:
    """A home folder on a network disk is seen from many machines; a loopback address is not."""
    lock = take(tmp_path)
    publish(tmp_path, replace(ADDRESS, node="login7"))

    with pytest.raises(ServerError, match="runs on login7"):
        claim(tmp_path)

    os.close(lock)


def test_server_has_users_while_one_of_them_is_there(tmp_path: Path) -> None:
    users = Users(tmp_path)
    deadline = time.monotonic() + 1
    with using(tmp_path, deadline=deadline):
        with using(tmp_path, deadline=deadline):
            assert not users.gone()
        assert not users.gone()

    assert users.gone()


def test_nobody_becomes_user_of_a_server_that_has_decided_to_end(tmp_path: Path) -> None:
    assert Users(tmp_path).gone()  # the lock is kept until the process ends

    with pytest.raises(ServerError, match="is ending"), using(tmp_path, deadline=time.monotonic() + 0.1):
        pass


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:4200"), ("::1", "http://[::1]:4200")]
)
def test_url_of_an_address(host: str, url: str) -> None:
    assert replace(ADDRESS, host=host).url == url
