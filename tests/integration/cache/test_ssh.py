"""A cache on another machine, by way of a real SSH server."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import treadle.cache as tc
from treadle.cache.caches.ssh import Ssh
from treadle.cache.config import from_config
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Template
from treadle.errors import CacheError, CacheRefused, CacheUnavailable, ClusterError
from treadle.testing.cluster import wait_until
from treadle.testing.ssh import LoopbackSsh

pytestmark = pytest.mark.integration

KEY = Digest("ab" * 32)
LONG = "x" * 2000


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """A folder of the other machine, with the configuration that holds there."""
    folder = tmp_path / "far away"
    folder.mkdir()
    (folder / "fleche.toml").write_text(
        """
        [default]
        cache = "shared"
        root = true
        [shared]
        template = "sql"
        values = "cloudpickle"
        root = "cache"
        [lent]
        template = "sql"
        values = "cloudpickle"
        root = "cache"
        read_only = true
        [small]
        template = "sql"
        values = "cloudpickle"
        root = "small"
        max_size = 2
        """
    )
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoopbackSsh]:
    """An SSH server; skips where there can be none, except in CI."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    made = LoopbackSsh(folder, {"TREADLE_HOME": str(tmp_path / "far-home"), "FROM_SERVER": "yes"})
    try:
        made.start()
    except ClusterError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"No SSH server: {error} {error.detail}")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def table(server: LoopbackSsh, far: Path) -> dict[str, Any]:
    options = {
        "Port": server.port,
        "IdentityFile": server.key_file,
        "UserKnownHostsFile": server.known_hosts,
        "IdentitiesOnly": "yes",
    }
    return {
        "type": "ssh",
        "host": f"{server.user}@{server.host}",
        "python": sys.executable,
        "ssh_options": [
            "-F",
            "none",
            *(w for name, value in options.items() for w in ("-o", f"{name}={value}")),
        ],
        "workdir": str(far),
    }


@pytest.fixture
def remote(table: dict[str, Any]) -> Iterator[Ssh]:
    cache = from_config(table)
    assert isinstance(cache, Ssh)
    yield cache
    cache.close()


def record(cache: Any, result: object, key: Digest = KEY, **arguments: object) -> None:
    parts = {name: Digest("cd" * 32) for name in arguments}
    call = SealedCall(key, "f", "lab", 2, None, arguments, parts)
    cache.prepare(call).commit(result, result_key=None, metadata={"tags": {"n": 1}})


def local(far: Path, name: str = "cache") -> Any:
    """What the other machine has, seen there."""
    return from_config({"template": "sql", "values": "cloudpickle", "root": str(far / name)})


def test_calls_are_recorded_there_and_found_from_here(remote: Ssh, far: Path) -> None:
    assert remote.lookup(KEY) is None
    record(remote, {"parts": [[LONG], [LONG + "a"]]}, x=[1.5, LONG], n=3)
    found = remote.load(KEY)
    assert found.result() == {"parts": [[LONG], [LONG + "a"]]}
    assert found.arguments() == {"x": [1.5, LONG], "n": 3}
    assert found.record == local(far).load(KEY).record
    assert [cached.record.key for cached in remote.find(Template(name="f", metadata={"tags": {"n": 1}}))] == [
        KEY
    ]
    assert list(remote.find(Template(name="g"))) == []
    assert remote.starting_with("abab") == [KEY]
    assert remote.contains(KEY)
    assert {entry.digest for entry in remote.calls.entries()} == {KEY}
    assert remote.evict(KEY) > 0
    assert not local(far).contains(KEY)


def test_many_calls_come_page_by_page(remote: Ssh, far: Path) -> None:
    there = local(far)
    keys = [Digest(f"{number:064x}") for number in range(250)]
    for number, key in enumerate(keys):
        record(there, number, key)
    assert len(list(remote.find(Template()))) == 250
    assert len(remote.lookup_many(keys)) == 250
    for _, cached in zip(range(3), remote.find(Template()), strict=False):
        assert cached.record.name == "f"
    assert len(list(remote.calls.entries())) == 250


def test_cached_function_uses_it_and_a_stack_copies_what_it_has(table: dict[str, Any]) -> None:
    calls = []

    @tc.cached(version=1)
    def double(numbers: list[int]) -> list[int]:
        calls.append(numbers)
        return [2 * number for number in numbers]

    both = from_config([{"template": "memory"}, table])
    upper, remote = both.layers
    with tc.cache(remote):
        assert double([1, 2]) == [2, 4]
    with tc.cache(both):
        assert double([1, 2]) == [2, 4]
        assert len(calls) == 1
    with tc.cache(upper):
        assert double([1, 2]) == [2, 4]
    assert len(calls) == 1
    remote.close()  # type: ignore[attr-defined]


def test_lost_connection_costs_a_computation_and_is_opened_again(
    server: LoopbackSsh, remote: Ssh, caplog: pytest.LogCaptureFixture
) -> None:
    @tc.cached(version=1)
    def whole(number: int) -> int:
        return 2 * number

    with tc.cache(remote):
        assert whole(1) == 2
        assert whole.contains(1)
        server.stop()
        assert whole(1) == 2
        assert whole(2) == 4
        assert "does not answer" in caplog.text or "could not be reached" in caplog.text
        with pytest.raises(CacheUnavailable):
            remote.lookup(KEY)
        server.start()
        wait_until(lambda: reached(remote))
        assert whole.contains(1)


def reached(remote: Ssh) -> bool:
    try:
        remote.lookup(KEY)
    except CacheError:
        return False
    return True


def test_host_that_cannot_be_reached_is_no_error_of_the_call(table: dict[str, Any]) -> None:
    missing = [f"Port={1}" if option.startswith("Port=") else option for option in table["ssh_options"]]
    remote = from_config({**table, "ssh_options": missing})
    with pytest.raises(CacheUnavailable) as caught:
        remote.lookup(KEY)
    assert "does not answer" in caught.value.what
    assert "refused" in caught.value.detail.lower()

    @tc.cached(version=1)
    def three() -> int:
        return 3

    with tc.cache(remote):
        assert three() == 3


def test_only_setup_commands_are_read_by_the_shell_there(
    table: dict[str, Any], tmp_path: Path, far: Path
) -> None:
    tempting = far / "it's $(touch sprung); `touch sprung` && touch sprung"
    tempting.mkdir()
    (tempting / "fleche.toml").write_text((far / "fleche.toml").read_text())
    program = tmp_path / "$(touch sprung) python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    commands = [f"touch {tmp_path}/set-up", "echo said by the shell", 'test "$FROM_SERVER" = yes']
    remote = from_config(
        {**table, "workdir": str(tempting), "python": str(program), "setup_commands": commands}
    )
    record(remote, LONG)
    assert (tempting / "cache" / "calls.db").exists()
    assert (tmp_path / "set-up").exists()
    assert not list(tmp_path.rglob("sprung"))
    assert not (Path.home() / "sprung").exists()
    wrong = from_config({**table, "cache_name": "x; touch sprung", "setup_commands": []})
    with pytest.raises(CacheUnavailable, match="there is no cache 'x; touch sprung'"):
        wrong.lookup(KEY)
    failing = from_config({**table, "setup_commands": ["echo broken >&2; false"]})
    with pytest.raises(CacheUnavailable) as caught:
        failing.lookup(KEY)
    assert "broken" in caught.value.detail
    remote.close()  # type: ignore[attr-defined]


class Explosive:
    """Whoever unpickles it leaves a file behind, with the number of the process that did."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return (explode, (self.folder,))


def explode(folder: str) -> str:
    Path(folder, f"unpickled-{os.getpid()}").touch()
    return "exploded"


def test_what_is_sent_is_never_unpickled_there(remote: Ssh, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    record(remote, [Explosive(str(marks)), LONG])
    found = remote.load(KEY)
    assert list(marks.iterdir()) == []
    found.result()
    assert [path.name for path in marks.iterdir()] == [f"unpickled-{os.getpid()}"]


def test_cache_that_is_only_read_there_is_only_read_from_here(table: dict[str, Any], remote: Ssh) -> None:
    record(remote, LONG)
    lent: Any = from_config({**table, "cache_name": "lent"})
    assert lent.load(KEY).result() == LONG
    with pytest.raises(CacheRefused, match="only be read"):
        record(lent, [LONG + "new"])
    with pytest.raises(CacheRefused, match="only be read"):
        lent.evict(KEY)
    assert lent.contains(KEY)
    lent.close()


def test_limits_there_hold_for_what_comes_from_here(table: dict[str, Any], far: Path) -> None:
    small: Any = from_config({**table, "cache_name": "small"})
    for number in range(4):
        record(small, [LONG, number], Digest(f"{number:064x}"))
    assert len(list(local(far, "small").find(Template()))) == 2
    assert len(list(small.values.entries())) == 2
    small.close()


def test_values_are_verified_here_by_the_keys_of_this_side(
    table: dict[str, Any], far: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record(local(far), [LONG])
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6b6579")
    strict: Any = from_config(table)
    assert strict.lookup(KEY) is None
    assert "not signed" in caplog.text
    record(strict, [LONG + "signed"])
    assert strict.lookup(KEY) is None  # signed on its way there, but kept by a machine that has no key
    strict.close()
    keyed: Any = from_config({**table, "setup_commands": ["export FLECHE_SECRET_KEY=6b6579"]})
    record(keyed, [LONG + "signed"])
    assert keyed.load(KEY).result() == [LONG + "signed"]
    keyed.close()
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6f74686572")
    stranger: Any = from_config({**table, "setup_commands": ["export FLECHE_SECRET_KEY=6b6579"]})
    with pytest.raises(CacheRefused, match="another key"):
        record(stranger, [LONG + "forged"])
    stranger.close()


def test_leases_are_those_of_the_other_machine(remote: Ssh, far: Path) -> None:
    there = local(far)
    leases = remote.leases
    assert leases is not None
    lease = leases.acquire(KEY, seconds=60, keeping=[Digest("ee" * 32)])
    assert lease is not None
    assert there.leases.acquire(KEY, seconds=60) is None
    assert leases.kept() == {Digest("ee" * 32)}
    assert leases.renew([lease], seconds=60) == {KEY}
    leases.release(lease)
    taken = there.leases.acquire(KEY, seconds=60)
    assert taken is not None
    assert not leases.holds(lease)
    call = SealedCall(KEY, "f", "lab", None, None, {}, {})
    with pytest.raises(CacheRefused, match="another has run it"):
        remote.prepare(call).commit(1, result_key=None, lease=lease)


def test_server_ends_when_this_side_does(remote: Ssh, tmp_path: Path) -> None:
    record(remote, 1)
    assert servers(tmp_path)
    link = remote._connection._link
    assert link is not None
    os.kill(link._process.pid, signal.SIGKILL)
    wait_until(lambda: not servers(tmp_path))


def servers(home: Path) -> list[Path]:
    """Servers of this test, by the variable that its SSH server sets."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"TREADLE_HOME={home}/far-home".encode() in (process / "environ").read_bytes()
            serves = b"--serve" in (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if ours and serves:
            found.append(process)
    return found
