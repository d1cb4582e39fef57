"""Config: a cluster's whole configuration, read and checked, asked by key.

    conf = load("/etc/slurm/slurm.conf")
    conf.number("KillWait"), conf.nodes, conf.partitions, conf.devices("cn04"), conf.warnings

Lives here: what daemons read. Not here: finding the file and asking keys, which is all that commands need (`keys`), the rows
(`schema`), the text (`reader`), what lines say (`nodes`, `partitions`, `gres`), how it is shown (`show`, `check`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cached_property

from slurm.config import schema
from slurm.config.cgroup import CgroupConf, read_cgroup
from slurm.config.gres import MAX_GPUS, NOT_CARRIED_OUT, GresDevice, devices_of, read_detection, read_gres, read_wanted
from slurm.config.job_container import KINDS, JobContainer, read_job_container
from slurm.config.keys import Keys, find_conf, opener_of, read_file
from slurm.config.nodes import NodeConf, read_node_sets, read_nodes
from slurm.config.partitions import PartitionConf, merged_defaults, read_partitions
from slurm.config.reader import Entry, Opener, Origin, Problem, Record, error_of, read
from slurm.config.standings import warnings_of
from slurm.config.topology import kind_of, read_lines, read_yaml, settled
from slurm.model.errors import ConfigError
from slurm.model.topology import FLAT, Topology

__all__ = ["Config", "NodeConf", "PartitionConf", "find_conf", "load", "parse"]

MADE = "a node made while the cluster runs"
SIBLINGS = ("gres.conf", "cgroup.conf", "job_container.conf", "topology.conf", "topology.yaml")
"""Files beside slurm.conf that are read with it."""


class Config(Keys):
    """A slurm.conf and the files beside it. Building one raises ConfigError with all that is wrong, not the first thing only.

    `nodes` and `partitions` are in file order; `gres_lines` are the lines of gres.conf that name a resource, `cgroup` is cgroup.conf;
    `siblings` maps the path of each file beside it to its text.
    """

    def __init__(self, path: str, text: str, siblings: Mapping[str, str], opener: Opener | None = None, made: Sequence[str] = ()) -> None:
        super().__init__(path, text, opener, keys_only=False)
        self._files = text, siblings, opener
        problems = self._problems
        self.warnings += warnings_of(self._records)
        for record in self._records:
            for entry in record.entries if record.section == "slurm.conf" else ():
                self._warn_of_switches(entry)
        gres: list[Record] = []
        described: list[Topology] | None = None
        lines: Topology | None = None
        where = Origin(path, 0, "")
        self.cgroup = CgroupConf()
        self._containers: list[Record] = []
        for name, beside in siblings.items():
            kind = os.path.basename(name)
            if kind == "topology.yaml":
                described = read_yaml(beside, name, problems)
                where = Origin(name, 0, "")
                continue
            records = read(beside, name, kind, problems, opener)
            self.warnings += warnings_of(records)
            if kind == "gres.conf":
                gres = records
            elif kind == "cgroup.conf":
                self.cgroup = read_cgroup(records, problems)
            elif kind == "job_container.conf":
                self._containers = records
            elif kind == "topology.conf" and described is None and kind_of(self.text("TopologyPlugin")) != FLAT:
                lines = read_lines(records, kind_of(self.text("TopologyPlugin")), problems)
                where = Origin(name, 0, "")
        self.nodes = read_nodes(self._records, self.slurmd_port, problems, self.warnings)
        self.nodes += self._made(made, {node.name for node in self.nodes})
        sets = read_node_sets(self._records, self.nodes, problems)
        self.partitions = read_partitions(self._records, self.nodes, sets, self.flag("DisableRootJobs"), problems, self.warnings)
        self.topologies = self._topologies(described, lines, where)
        self.gres_lines = read_gres(gres, problems)
        self.detection = read_detection(gres, problems)
        if self.cgroup.constrains and not self.uses_cgroups:
            self.warnings.append(f"{path}: cgroup.conf constrains jobs, which has no effect without task/cgroup in TaskPlugin")
        self._verify()
        self._verify_gres()
        self.raise_problems()

    @property
    def digest(self) -> str:
        """SHA-256 of the file and of those beside it, whatever folder they are in."""
        text, siblings, _ = self._files
        found = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
        for name in sorted(siblings, key=os.path.basename):
            found.update(f"\0{os.path.basename(name)}\0{siblings[name]}".encode("utf-8", "surrogateescape"))
        return found.hexdigest()

    def with_nodes(self, lines: Sequence[str]) -> Config:
        """This configuration with the nodes of these NodeName lines too, as they are made while a cluster runs.

        ConfigError. A node that slurm.conf describes is as slurm.conf says. DEFAULT lines do not hold for them.
        """
        text, siblings, opener = self._files
        return Config(self.path, text, siblings, opener, lines) if lines else self

    def _made(self, lines: Sequence[str], known: set[str]) -> list[NodeConf]:
        made: list[NodeConf] = []
        for line in lines:
            records = read(line, MADE, "slurm.conf", self._problems)
            for record in records:
                if record.section != "NodeName":
                    self._problems.append(Problem(record.origin, "no NodeName line", "it begins with NodeName="))
            made += read_nodes(records, self.slurmd_port, self._problems, [])
        fresh = {node.name: node for node in made if node.name not in known}
        return list(fresh.values())

    @cached_property
    def nodes_by_name(self) -> dict[str, NodeConf]:
        """Node name → node."""
        return {node.name: node for node in self.nodes}

    def devices(self, name: str) -> list[GresDevice]:
        """The devices behind the Gres= of the node of that name; KeyError where there is no such node."""
        return devices_of(self.nodes_by_name[name], self.gres_lines, [], self.detection.of(name))

    def job_container(self, node: NodeConf) -> JobContainer:
        """The folders of which jobs have their own on this node. ConfigError."""
        kind = self.text("NamespaceType") or self.text("JobContainerType")
        if kind not in KINDS:
            return JobContainer()
        problems: list[Problem] = []
        found = read_job_container(self._containers, node.name, node.hostname, problems)
        if problems:
            raise error_of(problems)
        if not self._containers:
            raise ConfigError(message=f"{self.path} has NamespaceType={kind}, but there is no job_container.conf beside it", hints=[
                "write one: BasePath=/var/spool/slurmd/private and AutoBasePath=true"])
        return found

    @property
    def job_defaults(self) -> str:
        """What jobs get for each GPU where their partition says nothing: JobDefaults, DefCpuPerGPU and DefMemPerGPU together."""
        one, other = (self.number(key) if self.written(key) else None for key in ("DefCpuPerGPU", "DefMemPerGPU"))
        return merged_defaults(self.text("JobDefaults"), one, other)

    @property
    def uses_cgroups(self) -> bool:
        """Whether cgroup.conf's Constrain keys count (TaskPlugin=task/cgroup)."""
        return any(word.lower().removeprefix("task/") == "cgroup" for word in self.words("TaskPlugin"))

    def for_node(self, key: str, node: NodeConf) -> str:
        """A path key with %n as the node's name and %h as its host name, as SlurmdSpoolDir, SlurmdLogFile and SlurmdPidFile use them."""
        return self.text(key).replace("%h", node.hostname).replace("%n", node.name)

    def _warn_of_switches(self, entry: Entry) -> None:
        switches = schema.switches(entry.row.name)
        if switches is None:
            return
        for word in entry.text.split(","):
            name = word.strip().partition("=")[0]
            name = name.upper() if entry.row.kind == "uplist" else name
            if name and switches.get(name, switches.get(name.lower(), schema.NOT_YET)) == schema.NOT_YET:
                self.warnings.append(f"{entry.origin}: {entry.row.name}={name} is not carried out yet")

    def _topologies(self, described: list[Topology] | None, lines: Topology | None, where: Origin) -> list[Topology]:
        """Those of topology.yaml, else that of topology.conf; TopologyParam says how much they count."""
        found = described if described is not None else [lines] if lines is not None else []
        kind = kind_of(self.text("TopologyPlugin"))
        if not found and kind != FLAT:
            self.warnings.append(f"{self.path}: TopologyPlugin=topology/{kind} without topology.conf or topology.yaml beside it: every "
                                 "node is as near as any other")
        for one in found:
            one.optional = any(word.lower() == "topooptional" for word in self.words("TopologyParam"))
        names = [one.name for one in found]
        for partition in self.partitions:
            if partition.topology and partition.topology not in names:
                self._problems.append(Problem(partition.origin,
                    f"Topology={partition.topology} of partition {partition.name}: there is no such topology",
                                              f"topologies: {', '.join(names)}" if names else "write topology.yaml beside slurm.conf"))
        return settled(found, self.nodes, where, self._problems, self.warnings)

    def _verify(self) -> None:
        """Check that a cluster is described at all."""
        problems = self._problems
        whole = Origin(self.path, 0, "")
        if not self.controllers:
            problems.append(Problem(whole, "SlurmctldHost is not configured",
                "add a line such as SlurmctldHost=" + (os.uname().nodename or "head")))
        if not self.nodes and not self.number("MaxNodeCount"):
            problems.append(Problem(whole, "No nodes configured", "add a line such as NodeName=cn[01-04] CPUs=16 RealMemory=64000"))
        elif not self.partitions:
            problems.append(Problem(whole, "No partitions configured", "add a line such as PartitionName=debug Nodes=ALL Default=YES"))

    def _verify_gres(self) -> None:
        types = set(self.words("GresTypes"))
        told: list[str] = []
        for node in self.nodes:
            try:
                wanted = read_wanted(node.gres)
            except ValueError as error:
                self._problems.append(Problem(node.origin, f"Gres={node.gres} is no value for Gres", str(error)))
                continue
            strange = [part.name for part in wanted if part.name not in types]
            if strange:
                self._problems.append(Problem(node.origin, f"Gres={node.gres}: {strange[0]} is not in GresTypes",
                                              f"write GresTypes={','.join(sorted(types | set(strange)))}"))
            if any(part.name == "gpu" and part.number > MAX_GPUS for part in wanted):
                self._problems.append(Problem(node.origin, f"Gres={node.gres}: a node holds at most {MAX_GPUS} GPUs"))
                continue
            devices_of(node, self.gres_lines, told, self.detection.of(node.name))
        self.warnings.extend(told)
        known = self.nodes_by_name
        for line in self.gres_lines:
            self.warnings.extend(f"{line.origin}: Flags={flag} is not carried out yet" for flag in sorted(line.flags & NOT_CARRIED_OUT))
            strange = sorted(name for name in line.nodes or () if name not in known)
            if strange:
                self.warnings.append(f"{line.origin}: NodeName={strange[0]} is no node of {self.path}")


def parse(text: str, name: str = "slurm.conf", *, gres: str | None = None, opener: Opener | None = None) -> Config:
    """The Config that this text of a slurm.conf (and of a gres.conf) says; ConfigError names all that is wrong, with `name` and line."""
    return Config(name, text, {} if gres is None else {"gres.conf": gres}, opener)


def load(path: str) -> Config:
    """The Config of the slurm.conf at `path`, with the gres.conf, cgroup.conf, topology.conf and topology.yaml beside it; else
    ConfigError."""
    text = read_file(path)
    folder = os.path.dirname(os.path.abspath(path))
    beside = [os.path.join(folder, name) for name in SIBLINGS]
    return Config(path, text, {name: read_file(name) for name in beside if os.path.exists(name)}, opener_of(path))
