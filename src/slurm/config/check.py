"""What `slurmctld -t` says: whether a configuration can be used, and everything that is wrong with it.

Not here: the checks themselves, which every reading makes (`config`).
"""

from __future__ import annotations

from slurm.config.config import Config, load
from slurm.model.errors import ConfigError


def check(path: str) -> tuple[int, list[str]]:
    """(exit status, lines to print) for the configuration at `path`: 0 and a summary, or 1 and every error with file and line."""
    try:
        conf = load(path)
    except ConfigError as error:
        return 1, [*error.lines(), f"{path}: cannot be used"]
    return 0, [*conf.warnings, summary(conf)]


def summary(conf: Config) -> str:
    """One sentence of what a usable configuration describes."""
    cpus = sum(node.cpus for node in conf.nodes)
    default = next((partition.name for partition in conf.partitions if partition.default), "none")
    return (f"{conf.path}: ok: cluster {conf.cluster_name}, {_count(len(conf.nodes), 'node')}, {_count(cpus, 'CPU')}, "
            f"{_count(len(conf.partitions), 'partition')} (default: {default}), {_count(len(conf.warnings), 'warning')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
