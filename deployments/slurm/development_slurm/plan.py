"""What a cluster consists of: its folder, ports and nodes, and the configuration files made of them."""

from __future__ import annotations

import getpass
import json
import random
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template

from development_slurm import cgroups
from development_slurm.errors import ClusterError

TEMPLATES = Path(__file__).parent.parent / "configuration"
PORTS = range(20_000, 32_000)  # below those that Linux hands out by itself
FOLDERS = ("database", "etc", "log", "run", "spool", "state")
GPUS = 2
LISTEN = "CommunicationParameters"
LONGEST_SOCKET = 107  # what Linux takes as a path, less the end mark


@dataclass(frozen=True)
class Plan:
    """One cluster.

    Attributes:
        folder: Absolute; everything of the cluster is in it.
        first_port: Of consecutive ones: slurmctld, slurmdbd, then the nodes in their order.
        nodes: How many; the first half makes up the partition `short`, the others `long`.
        accounting: Whether slurmdbd and its database belong to it.
        cgroup: Under which jobs get cgroups, so that their memory is limited; empty where they get none.
    """

    folder: Path
    first_port: int
    nodes: int
    accounting: bool
    cgroup: str

    @property
    def name(self) -> str:
        """How SLURM calls it; unlike that of any other cluster that is up on this machine."""
        return f"dev{self.first_port}"

    @property
    def conf(self) -> Path:
        """The file that SLURM_CONF names."""
        return self.folder / "etc" / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What makes SLURM's commands speak to this cluster."""
        return {"SLURM_CONF": str(self.conf)}

    @property
    def node_names(self) -> list[str]:
        """All nodes; the last one has the devices."""
        return [f"n{number}" for number in range(1, self.nodes + 1)]

    @property
    def user(self) -> str:
        """Whose cluster it is: the daemons and all jobs are theirs."""
        return getpass.getuser()

    def write(self) -> None:
        """Make the folders, the secret of munge, the devices, the cgroup and the configuration files."""
        _write(self.folder / "plan.json", json.dumps(asdict(self), default=str).encode(), 0o600)
        for name in FOLDERS:
            (self.folder / name).mkdir()
        for name in self.node_names:
            (self.folder / "spool" / name).mkdir()
        for number in range(GPUS):
            (self.folder / f"gpu{number}").symlink_to("/dev/null")
        if self.cgroup:
            cgroups.make(Path(self.cgroup), self.folder / "cgroup")
        _write(self.folder / "munge.key", secrets.token_bytes(1024), 0o400)
        accounting = "accounting.conf" if self.accounting else "no-accounting.conf"
        memory = "memory-limited.conf" if self.cgroup else "memory-polled.conf"
        sources = {"accounting.conf": accounting, "memory.conf": memory}
        for name in ("slurm.conf", "gres.conf", "cgroup.conf", "slurmdbd.conf", "mariadb.cnf", *sources):
            template = Template((TEMPLATES / sources.get(name, name)).read_text())
            text = template.substitute(self._substitutes())
            _write(self.folder / "etc" / name, text.encode(), 0o600)

    def _substitutes(self) -> dict[str, str]:
        half = self.nodes // 2
        first_node_port = self.first_port + 2
        last_port = first_node_port + self.nodes - 1
        address, is_loopback = _address()
        everywhere = "# The name of this host is not one of loopback: ports are open on all interfaces."
        return {
            "folder": str(self.folder),
            "address": address,
            "slurm_listens": f"{LISTEN}=NoCtldInAddrAny,NoInAddrAny" if is_loopback else everywhere,
            "dbd_listens": f"{LISTEN}=NoInAddrAny" if is_loopback else everywhere,
            "cluster": self.name,
            "host": socket.gethostname().partition(".")[0],
            "user": self.user,
            "controller_port": str(self.first_port),
            "accounting_port": str(self.first_port + 1),
            "plain_nodes": f"n[1-{self.nodes - 1}]",
            "plain_ports": f"[{first_node_port}-{last_port - 1}]",
            "gpu_node": self.node_names[-1],
            "gpu_port": str(last_port),
            "short_nodes": f"n[1-{half}]",
            "long_nodes": f"n[{half + 1}-{self.nodes}]",
        }


def new_plan(folder: Path, *, nodes: int, accounting: bool) -> Plan:
    """Plan a cluster in a folder that is empty or not there yet.

    Raises:
        ClusterError: The folder cannot take one.
    """
    if nodes < 2:
        raise ClusterError("A cluster has two partitions and so at least two nodes.")
    if folder.exists() and any(folder.iterdir()):
        raise ClusterError(f"{folder} is not empty.", "Give a folder that is not there yet.")
    if len(str(folder / "mariadb.sock")) > LONGEST_SOCKET or " " in str(folder):
        raise ClusterError(f"{folder} cannot hold sockets: the path is too long or has a blank.")
    first_port = _free_ports(nodes + 2)
    group = cgroups.memory_group()
    cgroup = "" if group is None else str(group / f"slurm-{first_port}")
    return Plan(folder, first_port, nodes, accounting, cgroup)


def read_plan(folder: Path) -> Plan:
    """Return the plan of a cluster that is up, or was.

    Raises:
        ClusterError: There is none in the folder.
    """
    try:
        fields = json.loads((folder / "plan.json").read_text())
    except FileNotFoundError as error:
        raise ClusterError(f"There is no cluster in {folder}.") from error
    return Plan(**fields | {"folder": Path(fields["folder"])})


def _free_ports(count: int) -> int:
    for _ in range(100):
        first = random.choice(PORTS[:-count])  # noqa: S311 - only to keep out of each other's way
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise ClusterError(f"No {count} consecutive ports are free from {PORTS.start} to {PORTS.stop}.")


def _address() -> tuple[str, bool]:
    """Return an address of this machine, and whether it is the one that its name stands for."""
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        address = ""
    return (address, True) if address.startswith("127.") else ("127.0.0.1", False)


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
        except OSError:
            return False
    return True


def _write(path: Path, content: bytes, mode: int) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
    path.chmod(mode)
