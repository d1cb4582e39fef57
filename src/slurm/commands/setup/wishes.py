"""What the cluster is to be: by flags, by answers on the terminal, else by what stands in the slurm.conf that is there already."""

from __future__ import annotations

import argparse
import os
import pwd
from typing import NamedTuple

from slurm.commands.embedded.console import Console
from slurm.config.config import Config, load
from slurm.model.errors import ConfigError, InvalidRequest
from slurm.notation import hostlist
from slurm.notation.errors import NotationError

DATABASES = ("sqlite", "postgresql", "mariadb", "none")
SYSTEM_USER = "slurm"


class Places(NamedTuple):
    """Where files go on every machine. `prefix` stands before all of them, "" for the system's own places."""

    prefix: str = ""

    @property
    def etc(self) -> str:
        """Configuration and keys."""
        return f"{self.prefix}/etc/slurm"

    @property
    def state(self) -> str:
        """StateSaveLocation."""
        return f"{self.prefix}/var/spool/slurmctld"

    @property
    def spool(self) -> str:
        """SlurmdSpoolDir."""
        return f"{self.prefix}/var/spool/slurmd"

    @property
    def log(self) -> str:
        """Logs."""
        return f"{self.prefix}/var/log/slurm"

    @property
    def data(self) -> str:
        """SQLite's accounting database."""
        return f"{self.prefix}/var/lib/slurm"

    @property
    def run(self) -> str:
        """Pid files and sockets."""
        return f"{self.prefix}/run"


class Database(NamedTuple):
    """Where accounting goes: one of DATABASES, and for a server its host, name and user."""

    kind: str = "sqlite"
    host: str = "localhost"
    name: str = "slurm_acct_db"
    user: str = "slurm"
    password: str = ""


class Wishes(NamedTuple):
    """A cluster as it is wanted. `addresses`: name → the address by which it is reached, where that is not the name."""

    cluster: str
    head: str
    nodes: tuple[str, ...]
    login: tuple[str, ...]
    user: str
    database: Database
    places: Places
    addresses: dict[str, str] = {}
    controller_port: int = 6817
    node_port: int = 6818
    database_port: int = 6819

    def address(self, name: str) -> str:
        """Where a machine is reached."""
        return self.addresses.get(name, name)


def this_host() -> str:
    """This machine's short name."""
    return os.uname().nodename.partition(".")[0]


def wanted(options: argparse.Namespace, console: Console, *, ask: bool) -> Wishes:
    """The wishes of this command line; with `ask` what it leaves open is asked, otherwise what is there already or the default counts."""
    places = Places(os.path.abspath(options.prefix) if options.prefix else "")
    before = _before(f"{options.root}{places.etc}/slurm.conf")

    def settle(given: str, question: str, default: str) -> str:
        if given:
            return given
        return (console.ask(f"{question} [{default}]: ") or default) if ask else default

    cluster = settle(options.cluster, "Name of the cluster", before.cluster_name if before else "cluster")
    head = settle(options.head, "Host name of the controller's machine", before.controllers[0].host if before else this_host())
    former = hostlist.compress([node.name for node in before.nodes]) if before else ""
    nodes = _expanded(settle(options.nodes, "Compute nodes, such as nd[01-04]; this machine alone if there is no other", former or head))
    login = _expanded(options.login)
    kind = settle(options.database, f"Accounting database ({', '.join(DATABASES)})", "sqlite")
    if kind not in DATABASES:
        raise InvalidRequest(message=f"--database={kind}: it is none of {', '.join(DATABASES)}")
    own = pwd.getpwuid(os.geteuid()).pw_name
    user = settle(options.user, "User of the controller (SlurmUser)", before.text("SlurmUser") if before else SYSTEM_USER
        if os.geteuid() == 0 else own)
    database = Database(kind, options.database_host, options.database_name, options.database_user,
        os.environ.get("SLURM_SETUP_STORAGE_PASS", ""))
    addresses = dict(_address(text) for text in options.address)
    if before:
        addresses = {**{node.name: node.addr for node in before.nodes if node.addr != node.name}, **addresses}
    return Wishes(cluster, head, nodes, login, user, database, places, addresses, options.controller_port, options.node_port,
                  options.database_port)


def _before(path: str) -> Config | None:
    """The configuration that is there; None where there is none or it cannot be read, as the difference will show."""
    try:
        return load(path) if os.path.exists(path) else None
    except ConfigError:
        return None


def _expanded(text: str) -> tuple[str, ...]:
    try:
        return tuple(hostlist.expand(text)) if text else ()
    except NotationError as error:
        raise InvalidRequest(message=f"{text} is no host list: {error}", hints=["such as nd[01-04] or nd1,nd2"]) from error


def _address(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    if not equals or not name or not address:
        raise InvalidRequest(message=f"--address={text}: it takes NAME=ADDRESS")
    return name, address
