"""What goes wrong on clusters, brought about on purpose, and mended."""

from __future__ import annotations

from development_slurm.cluster import Cluster
from development_slurm.daemons import Daemon
from development_slurm.errors import ClusterError


def stop_controller(cluster: Cluster) -> None:
    """Stop slurmctld; jobs run on, and commands fail."""
    cluster.controller.stop()


def stop_accounting(cluster: Cluster) -> None:
    """Stop slurmdbd; jobs are scheduled all the same, and sacct fails."""
    _accounting_of(cluster).stop()


def start_accounting(cluster: Cluster) -> None:
    """Start slurmdbd again; it is told what it missed."""
    daemon = _accounting_of(cluster)
    daemon.start()
    daemon.await_ready()


def kill_node(cluster: Cluster, name: str, *, leave_jobs: bool) -> None:
    """End a node as a power cut would, and let SLURM know at once rather than after its time-out.

    With `leave_jobs` only its slurmd ends: SLURM gives the jobs up, yet their processes live on.
    """
    _node_of(cluster, name).kill()
    if not leave_jobs:
        cluster.kill_jobs([name])
    cluster.ask("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=killed")


def revive_node(cluster: Cluster, name: str) -> None:
    """Start a node that was killed, and wait until it takes jobs."""
    node = _node_of(cluster, name)
    node.start()
    node.await_ready()


def expire_job(cluster: Cluster, job: str) -> None:
    """Let a running job's time be over; SLURM, which looks every 30 s, then ends it as TIMEOUT."""
    cluster.ask("scontrol", "update", f"JobId={job}", "EndTime=now+1")


def limit_submissions(cluster: Cluster, most: int) -> None:
    """Let the user have so many jobs in the queue and running at once; -1 lifts the limit."""
    _accounting_of(cluster)
    cluster.modify_user(f"MaxSubmitJobs={most}")


def _node_of(cluster: Cluster, name: str) -> Daemon:
    if name not in cluster.nodes:
        raise ClusterError(f"There is no node {name}; there are {', '.join(cluster.nodes)}.")
    return cluster.nodes[name]


def _accounting_of(cluster: Cluster) -> Daemon:
    if not cluster.plan.accounting:
        raise ClusterError(f"The cluster in {cluster.plan.folder} has no accounting.")
    return cluster.accounting
