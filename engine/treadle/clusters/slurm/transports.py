"""Which way a profile's commands go."""

from __future__ import annotations

from pathlib import Path

from treadle.clusters.slurm.ssh import SshTransport
from treadle.clusters.slurm.transport import LocalTransport, Transport
from treadle.model.profile import ClusterProfile


def open_transport(profile: ClusterProfile) -> Transport:
    """Return the way to where SLURM's commands are: this machine, or another over SSH."""
    ssh = profile.ssh
    if ssh is None:
        return LocalTransport()
    return SshTransport(
        ssh.host,
        user=ssh.user,
        port=ssh.port,
        key_file=Path(ssh.key_file) if ssh.key_file else None,
        known_hosts=Path(ssh.known_hosts) if ssh.known_hosts else None,
    )
