"""The cluster that is simulated: from a slurm.conf, with keys of it changed, or from a number of equal nodes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

from slurm.config.config import Config, load
from slurm.core.cluster import Cluster
from slurm.model.errors import ConfigError
from slurm.sim.engine import registered
from slurm.slurmctld import setup

NEVER = 10**9
EQUAL_NODES = """ClusterName=sim
SlurmctldHost=localhost
PriorityType=priority/basic
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MaxJobCount={never}
MaxArraySize=1000001
NodeName=n[1-{nodes}] CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
"""So much of a slurm.conf a workload without one is given."""


def equal_nodes(nodes: int, cpus: int, memory: int = 1) -> str:
    """The text of a slurm.conf of so many equal nodes; memory in MB, which no job is held to."""
    return EQUAL_NODES.format(nodes=nodes, cpus=cpus, memory=memory, never=NEVER)


def changed(text: str, changes: Sequence[tuple[str, str]], lines: Sequence[str] = ()) -> str:
    """The text of a slurm.conf with these keys set to these values, and these lines at its end."""
    kept = text.splitlines()
    for key, value in changes:
        kept = [line for line in kept if line.split("=")[0].strip().lower() != key.lower()]
        kept.append(f"{key}={value}")
    return "\n".join([*kept, *lines, ""])


def read(path: str) -> str:
    """The text of a slurm.conf; ConfigError."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(message=f"{path}: {error.strerror}") from error


def configured(text: str, folder: str = "") -> Config:
    """A slurm.conf of this text, with the other files that lie in `folder` (gres.conf, topology.conf …) beside it. ConfigError."""
    with tempfile.TemporaryDirectory(prefix="slurm-sim-") as made:
        for name in os.listdir(folder) if folder else ():
            if name != "slurm.conf":
                os.symlink(os.path.join(os.path.abspath(folder), name), os.path.join(made, name))
        path = os.path.join(made, "slurm.conf")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        return load(path)


def cluster(conf: Config, at: float) -> Cluster:
    """A cluster with this configuration whose nodes are all up and which forgets nothing that it needs, `at` in seconds since the epoch.

    Ended jobs are forgotten at once, and no job is refused because there are many. ConfigError.
    """
    event = setup.configured(conf, at, [])
    event.settings.accounting = False
    event.settings.max_job_count = NEVER
    event.settings.min_job_age = 0
    made = Cluster()
    made.apply(event)
    for node in made.nodes.values():
        made.apply(registered(node, at))
    return made
