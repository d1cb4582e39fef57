"""Checks of what the configuration says: that it can be read, and what is valid and hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.commands.doctor.check import Check, Finding, World, fault, warning
from slurm.config.check import traps
from slurm.config.config import Config
from slurm.notation import hostlist

DEFAULT_SECONDS = 30


def _readable(world: World) -> Iterator[Finding]:
    for line in world.problems:
        yield fault(world.here.where, line, f"mend {world.here.conf}; `slurmctld -t -f {world.here.conf}` reads it as the daemons do")
    if world.config is not None:
        for line in world.config.warnings:
            yield warning(world.here.where, line, "take the line out, or write what is meant")


def _memory_trap(world: World) -> Iterator[Finding]:
    for line in traps(world.config) if world.config else ():
        yield fault("", line, "add DefMemPerCPU to slurm.conf, then `scontrol reconfigure`")


def _unset_memory(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None or world.emulated:
        return
    without = [node.name for node in config.nodes if node.real_memory <= 1]
    if without and "MEMORY" in config.text("SelectTypeParameters").upper():
        yield fault("", f"memory is counted, and {shown(without)} {have(without)} no RealMemory: 1 MB each, where no job fits",
                    "run `slurmd -C` on each and write its RealMemory= on the NodeName line")


def _shared_spool(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None:
        return
    for key in ("SlurmdSpoolDir", "SlurmdPidFile", "SlurmdLogFile"):
        used: dict[tuple[str, str], str] = {}
        for node in config.nodes:
            path = config.for_node(key, node)
            other = used.setdefault((node.hostname, path), node.name)
            if path and other != node.name:
                yield fault(node.hostname, f"{other} and {node.name} are both on {node.hostname} and share {key}={path}",
                            f"write %n into {key}, which becomes the node's name")
                break
    for machine in world.machines:
        for disk in machine.disks:
            if disk.purpose == "SlurmdSpoolDir" and disk.kind in NETWORK:
                yield fault(machine.where, f"SlurmdSpoolDir {disk.path} lies on a {disk.kind} file system, which nodes may share",
                            "put it on a disk of the node: /var/spool/slurmd")


NETWORK = frozenset({"nfs", "nfs4", "cifs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "fuse.glusterfs"})


def _same_ports(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None or world.embedded:
        return
    used: dict[tuple[str, int], str] = {}
    for node in config.nodes:
        other = used.setdefault((node.hostname, node.port), node.name)
        if other != node.name:
            yield fault(node.hostname, f"{other} and {node.name} are both on {node.hostname} at port {node.port}",
                        "give each a Port= of its own on the NodeName line, such as Port=[6818-6819]")
            return
    heads = {one.host for one in config.controllers}
    for node in config.nodes:
        if node.port == config.slurmctld_port and node.hostname in heads:
            yield fault(node.hostname, f"slurmctld and the slurmd of {node.name} are both to listen at port {node.port} of {node.hostname}",
                        "leave SlurmctldPort=6817 and SlurmdPort=6818")
            return


def _partitions(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None or not config.partitions:
        return
    if not any(one.default for one in config.partitions):
        yield warning("", "no partition is the default: every sbatch without -p is refused", "write Default=YES on a PartitionName line")
    for one in config.partitions:
        if not one.nodes:
            yield warning("", f"partition {one.name} has no nodes: its jobs wait for ever", f"write Nodes= on {one.origin}")
        if one.default_time and one.max_time and 0 < one.max_time < one.default_time:
            yield fault("", f"partition {one.name} has DefaultTime {one.default_time} min above its MaxTime {one.max_time} min: a job "
                        "without -t waits for ever", f"lower DefaultTime on {one.origin}")
    served = {name for one in config.partitions for name in one.nodes}
    idle = [node.name for node in config.nodes if node.name not in served]
    if idle:
        yield warning("", f"{shown(idle)} {'is' if len(idle) == 1 else 'are'} in no partition: no job starts there",
                      "add them to Nodes= of a partition")


def _limits(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None:
        return
    if config.number("MaxArraySize") - 1 > config.number("MaxJobCount"):
        yield warning("", f"MaxArraySize={config.number('MaxArraySize')} is above MaxJobCount={config.number('MaxJobCount')}: the largest "
                      "arrays are refused", "raise MaxJobCount")
    least = min((node.cpus for node in config.nodes), default=0)
    if config.written("MaxTasksPerNode") and 0 < config.number("MaxTasksPerNode") < least:
        yield warning("", f"MaxTasksPerNode={config.number('MaxTasksPerNode')} is below the {least} CPUs of every node",
                      "take MaxTasksPerNode out: 512 is its default")
    if 0 < config.seconds("SlurmdTimeout") < DEFAULT_SECONDS and not world.embedded:
        yield warning("", f"SlurmdTimeout={config.seconds('SlurmdTimeout')}: a node that is busy for so long is taken for dead, and its "
                          "jobs "
                      "with it", "leave 300, its default")
    if config.text("AccountingStorageEnforce").lower() not in ("", "none", "0") and not config.text("AccountingStorageType").endswith(
            "slurmdbd"):
        yield fault("", f"AccountingStorageEnforce={config.text('AccountingStorageEnforce')} without a database: there are no "
                        "associations to "
                    "go by", "write AccountingStorageType=accounting_storage/slurmdbd, or take AccountingStorageEnforce out")
    if config.text("ReturnToService") == "0" and not world.embedded and config.written("ReturnToService"):
        yield warning("", "ReturnToService=0: a node that was down once, as after every power cut, stays so until somebody resumes it",
                      "write ReturnToService=1, or 2 where nodes are rebooted by hand")


def _distinct_machines(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None or world.embedded:
        return
    serving: dict[str, list[str]] = {}
    for machine in world.machines:
        if machine.boot_id:
            serving.setdefault(machine.boot_id, []).append(machine.where)
    for hosts in serving.values():
        if len(set(hosts)) > 1:
            yield fault(hosts[0], f"{' and '.join(sorted(set(hosts)))} are one machine (the same boot id)",
                "correct NodeAddr of one of them")


def shown(names: list[str]) -> str:
    """Names as a host list."""
    return hostlist.compress(names)


def have(names: list[str]) -> str:
    """The verb."""
    return "has" if len(names) == 1 else "have"


def gpus_of(config: Config) -> bool:
    """Whether any node is configured to have a GPU."""
    return any("gpu" in node.gres for node in config.nodes)


CHECKS = (
    Check("configuration", "slurm.conf and the files beside it can be read, and say nothing that is not carried out", _readable),
    Check("default-memory", "where memory is counted, jobs that ask for none do not get a whole node", _memory_trap),
    Check("real-memory", "every node has RealMemory where memory is counted", _unset_memory),
    Check("spool-shared", "no two nodes share a spool folder, a pid file or a log", _shared_spool),
    Check("port-conflicts", "no two daemons of one machine are to listen at one port", _same_ports),
    Check("partitions", "there is a default partition, partitions have nodes, nodes partitions, and default times fit", _partitions),
    Check("limits", "numbers that bite: MaxArraySize, MaxTasksPerNode, SlurmdTimeout, AccountingStorageEnforce, ReturnToService", _limits),
    Check("one-machine-twice", "machines of different names are different machines", _distinct_machines),
)
