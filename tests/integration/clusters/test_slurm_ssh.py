"""Commands reach another machine by SSH: a real server on loopback, whose key is checked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.ssh import SshTransport
from treadle.clusters.slurm.transport import Completed
from treadle.errors import HostUnreachable
from treadle.testing.cluster import wait_until
from treadle.testing.fake_slurm import FakeSlurm
from treadle.testing.ssh import LoopbackSsh

pytestmark = pytest.mark.integration


def transport(ssh_server: LoopbackSsh, **changes: object) -> SshTransport:
    words = {
        "user": ssh_server.user,
        "port": ssh_server.port,
        "key_file": ssh_server.key_file,
        "known_hosts": ssh_server.known_hosts,
    }
    return SshTransport(ssh_server.host, **(words | changes))


def during(connection: SshTransport, act: Callable[[SshTransport], Awaitable[None]]) -> None:
    async def run() -> None:
        try:
            await act(connection)
        finally:
            await connection.close()

    asyncio.run(run())


def connections_to(ssh_server: LoopbackSsh) -> int:
    """Count the connections from this machine to that server."""
    found = [
        found.raddr for found in psutil.net_connections("tcp4") if found.status == psutil.CONN_ESTABLISHED
    ]
    return sum(address.port == ssh_server.port for address in found)


def test_words_streams_and_status_arrive_unchanged(ssh_server: LoopbackSsh) -> None:
    async def act(remote: SshTransport) -> None:
        words = ["$HOME", "a b", "it's", "`id`", "*", "; false", "ä\n", ""]
        done = await remote.run(["printf", "%s|", *words])
        assert done == Completed(0, "".join(f"{word}|" for word in words), "")
        program = "cat; echo loud >&2; exit 3"
        assert await remote.run(["sh", "-c", program], b"a script\n") == Completed(3, "a script\n", "loud")
        assert (await remote.run(["cat"])).stdout == ""
        assert (await remote.run(["no-such-command"])).status == 127

    during(transport(ssh_server), act)


def test_a_command_that_fails_is_no_failed_connection(ssh_server: LoopbackSsh) -> None:
    async def act(remote: SshTransport) -> None:
        assert (await remote.run(["sh", "-c", "exit 255"])).status == 254
        assert (await remote.run(["true"])).status == 0

    during(transport(ssh_server), act)


def test_commands_share_one_connection_which_close_ends(ssh_server: LoopbackSsh) -> None:
    async def act(remote: SshTransport) -> None:
        ports = [["sh", "-c", "echo $SSH_CONNECTION"]] * 8
        done = await asyncio.gather(*(remote.run(words) for words in ports))
        assert len({each.stdout for each in done}) == 1
        assert connections_to(ssh_server) == 1
        await remote.close()
        await asyncio.to_thread(wait_until, lambda: connections_to(ssh_server) == 0)

    during(transport(ssh_server), act)


def test_variables_are_those_of_the_transport_and_of_the_command(ssh_server: LoopbackSsh) -> None:
    async def act(remote: SshTransport) -> None:
        done = await remote.run(["sh", "-c", 'echo "$ONE $TWO"'], variables={"TWO": "b; c"})
        assert done.stdout == "a $HOME b; c\n"

    during(transport(ssh_server, variables={"ONE": "a $HOME"}), act)


def test_a_host_with_another_key_is_not_spoken_with(ssh_server: LoopbackSsh, tmp_path: Path) -> None:
    unknown, other = tmp_path / "unknown", tmp_path / "other"
    unknown.touch()
    public = ssh_server.key_file.with_suffix(".pub").read_text()
    other.write_text(f"[{ssh_server.host}]:{ssh_server.port} {public}")

    async def act(remote: SshTransport) -> None:
        with pytest.raises(HostUnreachable) as raised:
            await remote.run(["true"])
        assert "Host key verification failed" in raised.value.detail
        assert "known hosts" in raised.value.remedy

    for file in (unknown, other):
        during(transport(ssh_server, known_hosts=file), act)


def test_a_key_that_is_not_let_in_is_told_without_a_question(ssh_server: LoopbackSsh) -> None:
    async def act(remote: SshTransport) -> None:
        with pytest.raises(HostUnreachable) as raised:
            await remote.run(["true"])
        assert "Permission denied" in raised.value.detail

    during(transport(ssh_server, key_file=ssh_server.known_hosts.with_name("host_key")), act)


def test_a_server_that_went_away_is_unreachable_until_it_is_back(
    ssh_server: LoopbackSsh, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    program = f"touch {begun}; while sleep 0.1; do echo; done"

    async def act(remote: SshTransport) -> None:
        running = asyncio.create_task(remote.run(["sh", "-c", program]))
        await asyncio.to_thread(wait_until, begun.exists)
        ssh_server.stop()
        with pytest.raises(HostUnreachable):
            await running
        with pytest.raises(HostUnreachable):
            await remote.run(["true"])
        ssh_server.start()
        assert (await remote.run(["true"])).status == 0

    during(transport(ssh_server), act)


def test_slurm_is_spoken_with_as_on_this_machine(ssh_server: LoopbackSsh, tmp_path: Path) -> None:
    fake = FakeSlurm()
    script = "#!/bin/sh\necho 'ä $HOME'\n"

    async def act(remote: SshTransport) -> None:
        slurm = Slurm(remote)
        job = await slurm.submit(script, "pool-1")
        assert (await slurm.queue([job]))[job].state == "PENDING"
        await slurm.cancel_named("pool-1")
        assert (await slurm.ended([job]))[job].cause == "cancelled"

    with fake.programs(tmp_path) as folder:
        during(transport(ssh_server, variables={"PATH": f"{folder}:{os.environ['PATH']}"}), act)
    assert fake.jobs["1"].script == script
