"""The texts of the configuration files, from the wishes and what the machines have.

Pure; what they say is read by `config` in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from slurm.commands.setup.wishes import Wishes

HEADING = "# Written by `slurm setup`. What is changed here by hand stays until it is run again, which shows the difference and asks first."
SPARE_SHARE, SPARE_LEAST_MB = 0.02, 512
"""Of a machine's memory so much is left to the system."""


_Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


class Gpus(msgspec.Struct, omit_defaults=True):
    """GPUs of one model and their device files."""

    type: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.+-]{0,64}\Z")]
    files: Annotated[list[Annotated[str, msgspec.Meta(pattern=r"\A/dev/[A-Za-z0-9_./-]{1,200}\Z")]], msgspec.Meta(max_length=1024)]


class Machine(msgspec.Struct, omit_defaults=True):
    """What a machine has. Memory MB; `confines`: its kernel can hold jobs to CPUs, memory and devices.

    It is the machine itself that says so, and what it says goes into the files of all: nothing passes that could be more than a word there.
    """

    host: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]{1,255}\Z")]
    cpus: _Count = 1
    sockets: _Count = 1
    cores_per_socket: _Count = 1
    threads_per_core: _Count = 1
    memory: Annotated[int, msgspec.Meta(ge=1, le=1 << 40)] = 1
    gpus: Annotated[list[Gpus], msgspec.Meta(max_length=1024)] = []
    confines: bool = False
    systemd: bool = False
    uid: int = -1  # of SlurmUser there, -1: there is none


def offered(memory: int) -> int:
    """RealMemory of a machine with `memory` MB."""
    return max(1, memory - max(SPARE_LEAST_MB if memory > 4 * SPARE_LEAST_MB else 0, int(memory * SPARE_SHARE)))


def slurm_conf(wishes: Wishes, machines: Mapping[str, Machine]) -> str:
    """slurm.conf; `machines` has every node by its name."""
    places = wishes.places
    head = wishes.address(wishes.head)
    nodes = [machines[name] for name in wishes.nodes]
    confines = all(node.confines for node in nodes)
    lines = [
        HEADING, f"ClusterName={wishes.cluster}", f"SlurmctldHost={wishes.head}{f'({head})' if head != wishes.head else ''}",
        f"SlurmctldPort={wishes.controller_port}", f"SlurmdPort={wishes.node_port}", f"SlurmUser={wishes.user}"]
    if places.prefix:
        lines.append(f"SlurmdUser={wishes.user}")
    lines += [
        "", "# Machines prove who they are by certificates under slurm.key; programs elsewhere by tokens (scontrol token).",
        "AuthType=auth/slurm", "AuthAltTypes=auth/jwt", f"AuthAltParameters=jwt_key={places.etc}/jwt_hs256.key", "",
        f"StateSaveLocation={places.state}", f"SlurmdSpoolDir={places.spool}", f"SlurmctldLogFile={places.log}/slurmctld.log",
        f"SlurmdLogFile={places.log}/slurmd.log", f"SlurmctldPidFile={places.run}/slurmctld.pid",
        f"SlurmdPidFile={places.run}/slurmd.pid", "",
        "SelectType=select/cons_tres", "SelectTypeParameters=CR_Core_Memory",
        f"DefMemPerCPU={max(1, min(offered(node.memory) // node.cpus for node in nodes))}",
        "ReturnToService=1", f"TaskPlugin={'task/cgroup,task/affinity' if confines else 'task/affinity'}",
        "JobAcctGatherType=jobacct_gather/linux", "SchedulerType=sched/backfill"]
    if not confines:
        lines.append("JobAcctGatherParams=OverMemoryKill")
    if wishes.database.kind != "none":
        lines += ["", "AccountingStorageType=accounting_storage/slurmdbd", f"AccountingStorageHost={head}",
                  f"AccountingStoragePort={wishes.database_port}"]
    if any(node.gpus for node in nodes):
        lines.append("GresTypes=gpu")
    return "\n".join([*lines, "", *node_lines(wishes, machines), "",
        "PartitionName=main Nodes=ALL Default=YES MaxTime=7-00:00:00 DefaultTime=01:00:00"]) + "\n"


def node_lines(wishes: Wishes, machines: Mapping[str, Machine]) -> list[str]:
    """A NodeName line each: machines are rarely as equal as they seem."""
    found = []
    for name in wishes.nodes:
        one, address = machines[name], wishes.address(name)
        words = [f"NodeName={name}"]
        if one.host.partition(".")[0] != name:
            words.append(f"NodeHostname={one.host.partition('.')[0]}")
        if address != name:
            words.append(f"NodeAddr={address}")
        words += [f"CPUs={one.cpus}", f"Sockets={one.sockets}", f"CoresPerSocket={one.cores_per_socket}",
                  f"ThreadsPerCore={one.threads_per_core}", f"RealMemory={offered(one.memory)}"]
        if one.gpus:
            words.append("Gres=" + ",".join(f"gpu:{each.type}:{len(each.files)}" for each in one.gpus))
        found.append(" ".join(words))
    return found


def gres_conf(wishes: Wishes, machines: Mapping[str, Machine]) -> str:
    """gres.conf, "" where no node has a GPU."""
    lines = [f"NodeName={name} Name=gpu Type={each.type} File={file}"
             for name in wishes.nodes for each in machines[name].gpus for file in each.files]
    return "\n".join([HEADING, *lines]) + "\n" if lines else ""


def cgroup_conf(wishes: Wishes, machines: Mapping[str, Machine]) -> str:
    """cgroup.conf, "" where some node's kernel cannot confine."""
    if not all(machines[name].confines for name in wishes.nodes):
        return ""
    return "\n".join([HEADING, "ConstrainCores=yes", "ConstrainRAMSpace=yes", "ConstrainDevices=yes"]) + "\n"


def slurmdbd_conf(wishes: Wishes) -> str:
    """slurmdbd.conf, "" without a database."""
    places, database = wishes.places, wishes.database
    if database.kind == "none":
        return ""
    lines = [HEADING, f"DbdHost={wishes.head}", f"DbdPort={wishes.database_port}", "AuthType=auth/slurm", f"SlurmUser={wishes.user}",
             f"PidFile={places.run}/slurmdbd.pid", f"LogFile={places.log}/slurmdbd.log"]
    if database.kind == "sqlite":
        lines += ["StorageType=accounting_storage/sqlite", f"StorageLoc={places.data}/accounting.db"]
    else:
        kind = "mysql" if database.kind == "mariadb" else database.kind
        lines += [f"StorageType=accounting_storage/{kind}", f"StorageHost={database.host}", f"StorageLoc={database.name}",
                  f"StorageUser={database.user}"]
        if database.password:
            lines.append(f"StoragePass={database.password}")
    return "\n".join(lines) + "\n"


def statements(wishes: Wishes) -> Sequence[str]:
    """SQL that makes the database and its user, where a server keeps it."""
    one = wishes.database
    if one.kind == "postgresql":
        return (f"CREATE ROLE {one.user} LOGIN PASSWORD '…';", f"CREATE DATABASE {one.name} OWNER {one.user};")
    if one.kind == "mariadb":
        return (f"CREATE DATABASE {one.name};", f"CREATE USER '{one.user}'@'{wishes.head}' IDENTIFIED BY '…';",
                f"GRANT ALL ON {one.name}.* TO '{one.user}'@'{wishes.head}';")
    return ()
