"""Asking the others: slurmctld about its nodes, and the cluster's machines, by ssh, for their facts."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec

from slurm.client.cluster import Cluster
from slurm.commands.doctor.check import Controller, NodeSeen, World
from slurm.commands.doctor.facts import Facts
from slurm.config.config import Config
from slurm.model.errors import SlurmError
from slurm.net import client
from slurm.net.discovery import find_site
from slurm.notation import hostlist

TOGETHER = 32
"""Machines that are asked at once."""
PATIENCE_SECONDS = 1.0
NOT_FOUND = 127
COMMAND = "slurm doctor --facts"


def world_of(here: Facts, config: Config | None, problems: tuple[str, ...], environ: Mapping[str, str], nodes: str) -> World:
    """This machine, with `nodes` (a host list, ALL) those too, and what slurmctld says."""
    others: list[Facts] = []
    offsets: dict[str, float] = {}
    silent: dict[str, str] = {}
    hosts = machines_of(config, here, nodes) if config is not None and nodes else []
    with ThreadPoolExecutor(TOGETHER) as pool:
        for host, answer in zip(hosts, pool.map(lambda host: asked(host, here.conf), hosts), strict=True):
            if isinstance(answer, str):
                silent[host] = answer
                continue
            found, offset = answer
            others.append(found)
            offsets[found.where] = offset
    return World(here, (here, *others), config, problems, controller_of(here, config, environ), offsets, silent)


def machines_of(config: Config, here: Facts, nodes: str) -> list[str]:
    """Addresses of the machines, but this one, that the nodes of a host list lie on, each once; of ALL: controllers' too."""
    everywhere = nodes.upper() == "ALL"
    names = [node.name for node in config.nodes] if everywhere else hostlist.expand(nodes)
    addresses = [config.nodes_by_name[name].addr if name in config.nodes_by_name else name for name in names if name not in here.nodes]
    if everywhere and not here.controller:
        addresses += [one.addr for one in config.controllers]
    return list(dict.fromkeys(addresses))


def asked(host: str, conf: str) -> tuple[Facts, float] | str:
    """A machine's facts and by how many seconds its clock is ahead of ours at the least, or why it could not be asked."""
    from slurm.sdk.backends.program import behind_mark, marked, through
    from slurm.sdk.backends.ssh_connection import SshConnection
    from slurm.sdk.backends.ssh_login import Login

    try:
        connection = SshConnection(Login(host, connection_attempts=1))
        try:
            before = time.time()
            answer = connection.run(through("sh -c", marked(f"{COMMAND} --conf {shlex.quote(conf)}")), name=COMMAND)
            if answer.status == NOT_FOUND:  # some sites put it on PATH in login shells only
                answer = connection.run(through("bash -lc", marked(f"{COMMAND} --conf {shlex.quote(conf)}")), name=COMMAND)
            after = time.time()
        finally:
            connection.close()
    except Exception as error:  # whatever asyncssh, the name service or the other side came up with is an answer here
        return str(error) or type(error).__name__
    said, err = behind_mark(answer.out), behind_mark(answer.err)
    if answer.status:
        return (err.strip().splitlines() or [f"`{COMMAND}` ended with {answer.status}"])[-1]
    try:
        found = msgspec.json.decode(said, type=Facts)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        return f"`{COMMAND}` printed something else: {error}"
    return found, found.time - after if found.time > after else found.time - before if found.time < before else 0.0


def controller_of(here: Facts, config: Config | None, environ: Mapping[str, str]) -> Controller:
    """What slurmctld says."""
    if config is None:
        return Controller()
    port = config.slurmctld_port
    if here.controller and any(one.port == port and one.executable.endswith("/slurmctld") for one in here.listeners):
        return Controller(other=True)
    try:
        with client.reach(find_site(environ), PATIENCE_SECONDS) as connection:
            door = Cluster(connection)
            pong = door.ping()
            nodes = door.report("node").get("nodes", [])
    except SlurmError as error:
        return Controller(problem="; ".join([error.message, *error.hints[-1:]]))
    return Controller(release=pong.release, trouble=pong.trouble, nodes=tuple(NodeSeen(
        str(node["name"]), "+".join(node.get("state", [])), str(node.get("reason", "")), int(node.get("cpus", 0)),
        int(node.get("real_memory", 0)), str(node.get("version", ""))) for node in nodes))
