"""What `slurmctld -t` says: whether a configuration can be used, and everything that is wrong with it.

Not here: the checks themselves, which every reading makes (`config`).
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.config.config import Config, load
from slurm.model.errors import ConfigError


def check(path: str, use: Callable[[Config], object] = lambda conf: None) -> tuple[int, list[str]]:
    """(exit status, lines to print) for the configuration at `path`: 0 and a summary, or 1 and every error with file and line.

    `use` makes of it what the daemon will, so that what it would not start with is said here.
    """
    try:
        conf = load(path)
        use(conf)
    except ConfigError as error:
        return 1, [*error.lines(), f"{path}: cannot be used"]
    warnings = [*conf.warnings, *traps(conf)]
    return 0, [*warnings, summary(conf, len(warnings))]


def traps(conf: Config) -> list[str]:
    """What is valid and hardly meant: memory is counted, and a job that does not ask for any gets all of a node, so that every node runs
    one job."""
    if "linear" in conf.text("SelectType") or "MEMORY" not in conf.text("SelectTypeParameters").upper():
        return []
    without = [part for part in conf.partitions if not part.def_mem_per_cpu and not part.def_mem_per_node and part.nodes]
    if not without or conf.number("DefMemPerCPU") or conf.number("DefMemPerNode"):
        return []
    nodes = [conf.nodes_by_name[name] for part in without for name in part.nodes]
    if all(node.cpus == 1 for node in nodes):
        return []
    least = min(node.real_memory // max(node.cpus, 1) for node in nodes)
    advice = (f"write DefMemPerCPU={least}" if least
        else "write RealMemory of the nodes, and DefMemPerCPU; SelectTypeParameters=CR_Core counts no memory")
    where = conf.written("SelectTypeParameters") or conf.path
    return [f"{where}: memory is counted, but partition {without[0].name} has no DefMemPerCPU: a job that does not ask for memory gets "
            "all of its node, "
            f"so that each node runs one job at a time; {advice}"]


def summary(conf: Config, warnings: int) -> str:
    """One sentence of what a usable configuration describes."""
    cpus = sum(node.cpus for node in conf.nodes)
    default = next((partition.name for partition in conf.partitions if partition.default), "none")
    return (f"{conf.path}: ok: cluster {conf.cluster_name}, {_count(len(conf.nodes), 'node')}, {_count(cpus, 'CPU')}, "
            f"{_count(len(conf.partitions), 'partition')} (default: {default}), {_count(warnings, 'warning')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
