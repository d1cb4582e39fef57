"""Config: a cluster's configuration, read and checked, asked by key.

    conf = load("/etc/slurm/slurm.conf")
    conf.number("KillWait"), conf.nodes, conf.partitions, conf.devices("cn04"), conf.warnings

Lives here: finding, loading and asking. Not here: the keys (`schema`), the text (`reader`), what lines say (`nodes`,
`partitions`, `gres`), how it is shown (`show`, `check`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from slurm.config import schema, values
from slurm.config.gres import GresDevice, GresLine, devices_of, read_gres, read_wanted
from slurm.config.nodes import NodeConf, read_node_sets, read_nodes
from slurm.config.partitions import PartitionConf, read_partitions
from slurm.config.reader import Entry, Opener, Origin, Problem, Record, error_of, read
from slurm.config.values import Value
from slurm.model.errors import ConfigError

DEFAULT_PATH = "/etc/slurm/slurm.conf"
REPEATABLE = frozenset({"SlurmctldHost", "Prolog", "Epilog", "PrologSlurmctld", "EpilogSlurmctld", "TaskProlog", "TaskEpilog"})
"""Keys that may stand on several lines, each adding to the last."""


SIBLINGS = ("gres.conf", "cgroup.conf", "topology.conf")
"""Files beside slurm.conf that are read with it."""

NO_FILE_HINTS = ("  start a cluster of your own with `slurm up`, or set SLURM_CONF to the slurm.conf of one",)


class Controller(NamedTuple):
    """One SlurmctldHost: the name of the host and the address to reach it by."""

    host: str
    addr: str


class Config:
    """A slurm.conf (and its gres.conf and cgroup.conf) with every default resolved.

    Building one raises ConfigError with all that is wrong; a `brief` one, for commands that need a few keys only, looks at the
    node and partition lines when they are asked for. `warnings` are sentences to log once at start. Ask keys with `conf[key]`, or
    by the method of the type that the key has; a key that is no row of the table is a KeyError.
    """

    def __init__(self, path: str, files: Mapping[str, str], *, opener: Opener | None = None, brief: bool = False) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._problems: list[Problem] = []
        self._rows = schema.section("slurm.conf")
        self._records = read(files[path], path, "slurm.conf", self._problems, opener)
        self._written: dict[str, list[Entry]] = {}
        self._values: dict[str, Value] = {}
        self._gres: list[Record] = []
        self._settle_keys()
        for name in () if brief else files:
            if name != path:
                kind = os.path.basename(name)
                records = read(files[name], name, kind, self._problems, opener)
                self._warn_of(records)
                if kind == "gres.conf":
                    self._gres = records
        if brief:
            self._raise()
        else:
            self._verify()

    def __getitem__(self, key: str) -> Value:
        """The value of a key of slurm.conf: its type is that of the row's kind, None where nothing is written and there is no default."""
        name = self._rows[key].name
        if name not in self._values:
            self._values[name] = values.default(self._rows[name])
        return self._values[name]

    def text(self, key: str) -> str:
        """A key's value as text, "" for none; lists are joined by commas."""
        value = self[key]
        if isinstance(value, list):
            return ",".join(value)
        return "" if value is None else str(value)

    def number(self, key: str) -> int:
        """A key's number in its own unit (sec, min, MB …), -1 for unlimited, 0 for none."""
        value = self[key]
        if isinstance(value, str | list):
            raise TypeError(f"{key} holds no number")
        return int(value or 0)

    def seconds(self, key: str) -> int:
        """A key's length of time in seconds, whatever its unit is; -1 for unlimited, 0 for none."""
        number = self.number(key)
        return number * 60 if number > 0 and self._rows[key].kind == "min" else number

    def flag(self, key: str) -> bool:
        """A key's yes or no."""
        return self[key] is True

    def words(self, key: str) -> list[str]:
        """A key's list."""
        value = self[key]
        return list(value) if isinstance(value, list) else []

    def options(self, key: str) -> dict[str, str]:
        """A key's list of switches, `bf_window=1440,defer` as {"bf_window": "1440", "defer": ""}."""
        return {name: value for name, _, value in (word.partition("=") for word in self.words(key))}

    def port(self, key: str) -> int:
        """A port key's port, the first one of a range."""
        return int(self.text(key).partition("-")[0])

    def written(self, key: str) -> Origin | None:
        """Where the key is written (the last place), None where it has its default."""
        entries = self._written.get(self._rows[key].name)
        return entries[-1].origin if entries else None

    def all_of(self, key: str) -> list[str]:
        """The texts of a repeatable key, one each line it is on."""
        return [entry.text for entry in self._written.get(self._rows[key].name, [])]

    def for_node(self, key: str, node: NodeConf) -> str:
        """A path key with %n as the node's name and %h as its host name, as SlurmdSpoolDir, SlurmdLogFile and SlurmdPidFile use them."""
        return self.text(key).replace("%h", node.hostname).replace("%n", node.name)

    @property
    def cluster_name(self) -> str:
        """ClusterName."""
        return self.text("ClusterName")

    @property
    def slurmctld_port(self) -> int:
        """SlurmctldPort, the first one of a range."""
        return self.port("SlurmctldPort")

    @property
    def slurmd_port(self) -> int:
        """SlurmdPort, the default of nodes without a Port."""
        return self.port("SlurmdPort")

    @property
    def state_save_location(self) -> str:
        """StateSaveLocation, the controller's folder."""
        return self.text("StateSaveLocation")

    @cached_property
    def controllers(self) -> list[Controller]:
        """The controllers in order of rank: SlurmctldHost=host(addr) lines."""
        found = []
        for text in self.all_of("SlurmctldHost"):
            host, bracket, addr = text.partition("(")
            found.append(Controller(host, addr.rstrip(")") if bracket else host))
        return found

    @cached_property
    def nodes(self) -> list[NodeConf]:
        """The nodes in file order."""
        nodes = read_nodes(self._records, self.slurmd_port, self._problems, self.warnings)
        self._raise()
        return nodes

    @cached_property
    def nodes_by_name(self) -> dict[str, NodeConf]:
        """Node name → node."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def partitions(self) -> list[PartitionConf]:
        """The partitions in file order."""
        sets = read_node_sets(self._records, self.nodes, self._problems)
        found = read_partitions(self._records, self.nodes, sets, self.flag("DisableRootJobs"), self._problems, self.warnings)
        self._raise()
        return found

    @cached_property
    def gres_lines(self) -> list[GresLine]:
        """The lines of gres.conf that name a resource."""
        lines = read_gres(self._gres, self._problems)
        self._raise()
        return lines

    def devices(self, name: str) -> list[GresDevice]:
        """The devices behind the Gres= of the node of that name; KeyError where there is no such node."""
        return devices_of(self.nodes_by_name[name], self.gres_lines, [])

    def _settle_keys(self) -> None:
        """Read the values of the lines that are not about nodes or partitions."""
        for record in self._records:
            if record.section != "slurm.conf":
                continue
            for entry in record.entries:
                self._settle_key(entry)
        self._warn_of(self._records)

    def _settle_key(self, entry: Entry) -> None:
        row = entry.row
        before = self._written.setdefault(row.name, [])
        if row.kind == "live":
            self._problems.append(Problem(entry.origin, f"{row.name} is shown by scontrol, and cannot be written"))
        if before and row.name not in REPEATABLE:
            self.warnings.append(f"{entry.origin}: {row.name} specified more than once, latest value used (first at {before[0].origin})")
        before.append(entry)
        try:
            self._values[row.name] = values.read(row, entry.text) if entry.text else values.default(row)
        except ValueError as error:
            self._problems.append(Problem(entry.origin, f"{row.name}={entry.text} is no value for {row.name}", str(error)))

    def _warn_of(self, records: list[Record]) -> None:
        """One warning for each key and each switch that is written and not carried out."""
        seen: set[tuple[str, str]] = set()
        for record in records:
            for entry in record.entries:
                row = entry.row
                if row.standing == schema.NOT_YET and (record.section, row.name) not in seen and (row.always or not _says_default(entry)):
                    seen.add((record.section, row.name))
                    self.warnings.append(f"{entry.origin}: {row.name} is not carried out yet: {row.note}")
                if record.section == "slurm.conf":
                    self._warn_of_switches(entry)

    def _warn_of_switches(self, entry: Entry) -> None:
        switches = schema.switches(entry.row.name)
        if switches is None:
            return
        for word in entry.text.split(","):
            name = word.strip().partition("=")[0]
            name = name.upper() if entry.row.kind == "uplist" else name
            if name and switches.get(name, schema.NOT_YET) == schema.NOT_YET:
                self.warnings.append(f"{entry.origin}: {entry.row.name}={name} is not carried out yet")

    def _verify(self) -> None:
        """Read everything that is read lazily otherwise, check what lines say together, and raise all that is wrong at once."""
        problems = self._problems
        self.nodes = read_nodes(self._records, self.slurmd_port, problems, self.warnings)
        sets = read_node_sets(self._records, self.nodes, problems)
        self.partitions = read_partitions(self._records, self.nodes, sets, self.flag("DisableRootJobs"), problems, self.warnings)
        self.gres_lines = read_gres(self._gres, problems)
        whole = Origin(self.path, 0, "")
        if not self.controllers:
            problems.append(Problem(whole, "SlurmctldHost is not configured", "add a line such as SlurmctldHost=" + (os.uname().nodename or "head")))
        if not self.nodes:
            problems.append(Problem(whole, "No nodes configured", "add a line such as NodeName=cn[01-04] CPUs=16 RealMemory=64000"))
        elif not self.partitions:
            problems.append(Problem(whole, "No partitions configured", "add a line such as PartitionName=debug Nodes=ALL Default=YES"))
        self._verify_gres()
        self._raise()

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
            devices_of(node, self.gres_lines, told)
        self.warnings.extend(told)
        known = self.nodes_by_name
        for line in self.gres_lines:
            strange = sorted(name for name in line.nodes or () if name not in known)
            if strange:
                self.warnings.append(f"{line.origin}: NodeName={strange[0]} is no node of {self.path}")

    def _raise(self) -> None:
        if self._problems:
            raise error_of(self._problems)


def _says_default(entry: Entry) -> bool:
    try:
        return not entry.text or values.read(entry.row, entry.text) == values.default(entry.row)
    except ValueError:
        return True


def parse(text: str, name: str = "slurm.conf", *, gres: str | None = None, opener: Opener | None = None, brief: bool = False) -> Config:
    """The Config that this text of a slurm.conf (and of a gres.conf) says; ConfigError names all that is wrong, with `name` and line."""
    files = {name: text}
    if gres is not None:
        files["gres.conf"] = gres
    return Config(name, files, opener=opener, brief=brief)


def load(path: str, *, brief: bool = False) -> Config:
    """The Config of the slurm.conf at `path`, with the gres.conf and cgroup.conf beside it; ConfigError names all that is wrong.

    `brief` is for commands: the keys are read and checked, nodes and partitions only when asked for.
    """
    folder = os.path.dirname(os.path.abspath(path))

    def opener(name: str) -> tuple[str, str]:
        full = os.path.join(folder, name)
        with open(full, encoding="utf-8") as file:
            return full, file.read()

    files: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8") as file:
            files[path] = file.read()
        for kind in () if brief else SIBLINGS:
            beside = os.path.join(folder, kind)
            if os.path.exists(beside):
                files[beside] = opener(kind)[1]
    except OSError as error:
        raise ConfigError(message=f"{error.filename}: {error.strerror}", hints=NO_FILE_HINTS) from None
    except UnicodeDecodeError as error:
        raise ConfigError(message=f"{path}: is no text in UTF-8 (byte {error.start})") from None
    return Config(path, files, opener=opener, brief=brief)


def find_conf(environ: Mapping[str, str]) -> str | None:
    """The slurm.conf a program shall read: SLURM_CONF, else /etc/slurm/slurm.conf where it exists, else None.

    None is where an embedded cluster may be looked for; that is the caller's business.
    """
    named = environ.get("SLURM_CONF")
    if named:
        return named
    return DEFAULT_PATH if os.path.exists(DEFAULT_PATH) else None
