"""Where slurmdbd is, who it must be, and what this cluster registers there as: from the configuration."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from zoneinfo import ZoneInfo

from slurm.config.config import Config
from slurm.core import tres
from slurm.core.state import ClusterState
from slurm.model.version import SLURM_RPC, SLURM_VERSION
from slurm.net.endpoint import Endpoint, tcp, unix
from slurm.net.link import Link, Listener, Prover, SocketLink, Wanted
from slurm.net.tls import Trust
from slurm.notation import hostlist
from slurm.wire.dbd_messages import RegisterCluster

log = logging.getLogger("slurmctld.accounting")
LONGEST_PAUSE = 10.0
"""Seconds between tries to connect, at most."""
_ZONES = "/zoneinfo/"


def endpoints(conf: Config) -> tuple[Endpoint, ...]:
    """Ways to slurmdbd: its socket on this machine, beside slurmctld's, then AccountingStorageHost and its backup."""
    local = unix(os.path.join(os.path.dirname(conf.text("SlurmctldPidFile")), "slurmdbd.sock"))
    if conf.text("AuthType").lower() == "auth/local":
        return (local,)
    hosts = [conf.text("AccountingStorageHost") or "localhost", conf.text("AccountingStorageBackupHost")]
    return (local, *(tcp(host, conf.number("AccountingStoragePort")) for host in hosts if host))


def link(conf: Config, listener: Listener, trust: Trust | None, prover: Prover | None, owners: Collection[int]) -> Link:
    """A connection to slurmdbd that comes back.

    `trust` or `prover` proves both ends between machines; `owners`: as whom slurmdbd may run on this one.
    """
    return SocketLink(
        endpoints(conf), listener, trust=trust, prover=prover, wanted=Wanted(role="slurmdbd", owners=owners), log=log,
        longest_pause=LONGEST_PAUSE)


def facts(conf: Config, state: ClusterState, host: str) -> RegisterCluster:
    """What registers, from the address `host`; the sender adds which journal it is."""
    return RegisterCluster(
        cluster=conf.cluster_name, journal="", control_host=host, control_port=conf.slurmctld_port, rpc_version=SLURM_RPC,
        version=SLURM_VERSION,
        time_zone=time_zone(), tres=tres.of_cluster(state), nodes=hostlist.compress(list(state.nodes)))


def most_waiting(conf: Config) -> int:
    """MaxDBDMsgs, which follows from the size of the cluster where it is not written."""
    if conf.written("MaxDBDMsgs"):
        return conf.number("MaxDBDMsgs")
    return max(10_000, 2 * conf.number("MaxJobCount") + 4 * len(conf.nodes))


def time_zone() -> str:
    """The IANA name of this machine's time zone, "UTC" where it has none."""
    for name in (os.environ.get("TZ", "").lstrip(":"), os.path.realpath("/etc/localtime").partition(_ZONES)[2], _etc_timezone()):
        if name and not name.startswith("/") and _is_zone(name):
            return name
    return "UTC"


def _etc_timezone() -> str:
    try:
        with open("/etc/timezone", encoding="utf-8") as file:
            return file.readline().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True
