"""What a slurmd must know of the configuration, for its one node. Reading files is `config`'s work, finding sockets `net.discovery`'s."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm.config import programs
from slurm.config.cgroup import CgroupConf
from slurm.config.config import Config, load
from slurm.config.gres import GresDevice, variables_of
from slurm.config.job_container import JobContainer
from slurm.core import network
from slurm.daemon.user import Account, find
from slurm.model import debug_flags
from slurm.model.errors import ConfigError, SlurmError
from slurm.model.topology import Topology
from slurm.net.certificates import Files, files_of
from slurm.net.discovery import Site, read_site, socket_beside
from slurm.net.endpoint import Endpoint, tcp, unix
from slurm.net.link import LONGEST_PAUSE
from slurm.notation.nearest import nearest
from slurm.plugins import plugstack
from slurm.plugins.plugstack import StepPlugin
from slurm.plugins.sources import folders_of
from slurm.slurmd import usage
from slurm.slurmd.health import HealthCheck
from slurm.slurmd.job_scripts import SiteScripts
from slurm.slurmd.usage import Gathering


class TaskScripts(NamedTuple):
    """TaskProlog and TaskEpilog: files, in the order in which they are run."""

    prolog: Sequence[str] = ()
    epilog: Sequence[str] = ()


class NodeSettings(NamedTuple):
    """The settings of one slurmd; `listen` is where srun reaches it, `site` where the controller is, `files` what it proves itself by."""

    node: str
    gpus_given_out: bool  # nobody's own CUDA_VISIBLE_DEVICES counts
    hostname: str
    conf: str
    spool: str
    pid_file: str
    log_file: str
    debug: str
    debug_flags: tuple[str, ...]
    listen: Sequence[Endpoint]
    port: int
    site: Site
    bind_cpus: bool
    track_by_cgroup: bool  # ProctrackType
    cgroup: CgroupConf  # what has effect of it: nothing without TaskPlugin=task/cgroup
    real_memory: int  # MB
    gathering: Gathering
    tmp_fs: str
    start_seconds: float
    longest_pause: float  # between two tries to reach slurmctld: a lease needs to hear often enough that nobody serves
    unkillable_seconds: float
    unkillable_program: str
    scripts: SiteScripts
    health: HealthCheck
    task_scripts: TaskScripts
    topologies: Sequence[Topology]
    partition_topology: Mapping[str, str]  # partition → the topology that it names
    devices: Sequence[GresDevice]  # as gres.conf says; with AutoDetect what this machine has of them
    private_folders: JobContainer
    nice: int  # PropagatePrioProcess: 1: tasks have their submitter's nice value, 2: never a lower one than slurmd's and one more
    detection: str  # AutoDetect of this node: "off" for none
    gpu_variables: Sequence[str]  # by which its GPUs are announced to programs
    cpus: int
    threads_per_cpu: int  # hardware threads that are one of its CPUs
    threads: int  # of a core that count as CPUs
    account: Account  # SlurmdUser
    owners: frozenset[int]  # uids to whom the cluster's keys may belong, and who may listen as slurmctld on this machine
    files: Files
    step_plugins: Sequence[StepPlugin] = ()  # plugstack.conf
    reboot_program: str = ""
    x11: bool = False  # PrologFlags=X11
    x11_home: bool = False  # X11Parameters=home_xauthority
    log_form: str = ""  # LogTimeFormat
    syslog: str = ""  # SlurmdSyslogDebug
    line: str = ""  # of slurmd -Z: the NodeName line of its node

    def place(self, partition: str) -> tuple[str, str]:
        """The way through the network to this node as jobs of a partition see it, and of what kind its parts are."""
        return network.address(self.topologies, self.partition_topology.get(partition, ""), self.node)

    @property
    def endpoint(self) -> str:
        """Where others reach it: the TCP port where there is one, else the socket."""
        return str(self.listen[-1])


def node_name(config: Config, wanted: str, hostname: str) -> str:
    """The node that a slurmd is: as -N says, else the one whose name or NodeHostname is this machine's. ConfigError."""
    names = list(config.nodes_by_name)
    if wanted:
        if wanted not in config.nodes_by_name:
            close = nearest(wanted, names)
            raise ConfigError(message=f"Unable to determine this slurmd's NodeName: {wanted} is not in {config.path}", hints=[
                f"did you mean {close}?" if close else f"its nodes are {', '.join(names[:8])}"])
        return wanted
    short = hostname.partition(".")[0]
    for name in (hostname, short):
        if name in config.nodes_by_name:
            return name
    for node in config.nodes:
        if node.hostname in (hostname, short):
            return node.name
    raise ConfigError(message="Unable to determine this slurmd's NodeName", hints=[
        f"no node of {config.path} is called {short}, nor has that NodeHostname; -N NAME says which one this is"])


def read(conf: str, wanted: str, line: str = "") -> tuple[NodeSettings, Config]:
    """The settings of node `wanted` ("": this host's) and the whole configuration they come from; `line` describes a node of slurmd -Z.

    ConfigError.
    """
    config = load(conf)
    if line and wanted in config.nodes_by_name:
        raise ConfigError(message=f"-Z: {wanted} is a node of {config.path} already",
            hints=["start it without -Z, or name another with -N"])
    config = config.with_nodes([line] if line else [])
    hostname = os.uname().nodename
    node = config.nodes_by_name[node_name(config, wanted, hostname)]
    site = read_site(conf, os.environ)
    pid_file = config.for_node("SlurmdPidFile", node)
    listen = [unix(socket_beside(pid_file))]
    if config.text("AuthType").lower() in ("auth/slurm", "auth/munge"):  # by nothing else can a caller on TCP prove who he is yet
        listen.append(tcp(node.addr, node.port))
    return NodeSettings(
        gpus_given_out="gpu" in config.words("GresTypes"),
        node=node.name, hostname=hostname, conf=os.path.abspath(conf), spool=config.for_node("SlurmdSpoolDir", node), pid_file=pid_file,
        log_file=config.for_node("SlurmdLogFile", node), debug=config.text("SlurmdDebug"),
        debug_flags=debug_flags.known(config.words("DebugFlags")), listen=listen, port=node.port, site=site,
        bind_cpus="task/affinity" in config.text("TaskPlugin"), track_by_cgroup=config.text("ProctrackType") == "proctrack/cgroup",
        cgroup=config.cgroup if config.uses_cgroups else _tracking_only(config.cgroup), real_memory=node.real_memory,
        gathering=usage.read(config), tmp_fs=config.for_node("TmpFS", node), start_seconds=_start_seconds(config),
        longest_pause=_longest_pause(config),
        unkillable_seconds=float(config.seconds("UnkillableStepTimeout")), unkillable_program=config.text("UnkillableStepProgram"),
        scripts=_scripts(config), health=_health(config), task_scripts=TaskScripts(
        *(_task_scripts(config, key) for key in ("TaskProlog", "TaskEpilog"))),
        topologies=config.topologies, partition_topology={one.name: one.topology for one in config.partitions if one.topology},
        private_folders=config.job_container(node), nice=_propagation(config),
        devices=config.devices(node.name), detection=config.detection.of(node.name),
        gpu_variables=variables_of(node.name, config.gres_lines, config.detection.of(node.name)),
        cpus=node.cpus, threads_per_cpu=node.threads_per_cpu, threads=node.threads,
        account=find(config.text("SlurmdUser") or "root", "SlurmdUser"),
        owners=frozenset({0, os.geteuid(), find(config.text("SlurmUser") or "root", "SlurmUser").uid}),
        files=files_of(site.key, "slurmd", config.options("TLSParameters"), node.name), line=line,
        step_plugins=_step_plugins(config), x11="x11" in (word.lower() for word in config.words("PrologFlags")),
        x11_home="home_xauthority" in (word.lower() for word in config.words("X11Parameters")),
        reboot_program=config.text("RebootProgram"), log_form=config.text("LogTimeFormat"), syslog=config.text("SlurmdSyslogDebug")), config


def _step_plugins(config: Config) -> list[StepPlugin]:
    """The Python plug-ins of plugstack.conf; one that cannot be used is there, and says so. ConfigError for a file that cannot be read."""
    try:
        lines = plugstack.read(plugstack.path_of(config.text("PlugStackConfig"), os.path.abspath(config.path)))
    except SlurmError as error:
        raise ConfigError(message=error.message, hints=error.hints) from error
    folders, owners = folders_of(config.text("PluginDir")), frozenset({0, os.geteuid()})
    return [plugstack.described(line, folders, owners) for line in lines if line.is_python]


def _tracking_only(conf: CgroupConf) -> CgroupConf:
    return conf._replace(cores=False, devices=False, ram=False, swap=False)


def _scripts(config: Config) -> SiteScripts:
    flags = {word.lower() for word in config.words("PrologFlags")}
    return SiteScripts(
        {kind: programs.patterns(config, kind.title()) for kind in ("prolog", "epilog")}, os.path.dirname(os.path.abspath(config.path)),
        {kind: programs.time_out(config, kind) for kind in ("prolog", "epilog")}, "serial" in flags, "runinjob" in flags)


def _health(config: Config) -> HealthCheck:
    """HealthCheckProgram and when it is run."""
    return HealthCheck(
        program=config.text("HealthCheckProgram"), interval=config.seconds("HealthCheckInterval"),
        seconds=config.seconds("HealthCheckTimeout") or HealthCheck().seconds,
        states=frozenset(word.upper() for word in config.words("HealthCheckNodeState")))


def _task_scripts(config: Config, key: str) -> list[str]:
    return programs.found(programs.patterns(config, key), os.path.dirname(os.path.abspath(config.path)))


def _propagation(config: Config) -> int:
    """PropagatePrioProcess; ConfigError for what is none."""
    value = config.number("PropagatePrioProcess")
    if value not in (0, 1, 2):
        raise ConfigError(message=f"PropagatePrioProcess={value}",
            hints=["0: tasks run at slurmd's nice value; 1: at their submitter's; 2: at "
            "their submitter's, but above slurmd's"])
    return value


def _longest_pause(config: Config) -> float:
    """An eighth of SlurmdTimeout, of SlurmctldTimeout where there are several controllers, or of SlurmdParameters=fence_timeout where jobs
    have a lease; at most what any link has.

    A controller that was started again counts silence from then on: whoever tries seldom is taken for dead.
    """
    text = config.options("SlurmdParameters").get("fence_timeout", "")
    silences = [config.seconds("SlurmdTimeout"), config.seconds("SlurmctldTimeout") if len(config.controllers) > 1 else 0,
                int(text) if text.isdecimal() else 0]
    return min([LONGEST_PAUSE, *(max(0.2, silence / 8) for silence in silences if silence)])


def _start_seconds(config: Config) -> float:
    """SlurmdParameters=start_timeout=SECONDS: how long finding a job's owner, opening its files and entering its folder may take."""
    given = dict(word.split("=", 1) for word in config.words("SlurmdParameters") if "=" in word).get("start_timeout", "60")
    if not given.isdigit() or not int(given):
        raise ConfigError(message=f"SlurmdParameters=start_timeout={given}: no number of seconds", hints=["write start_timeout=60"])
    return float(given)
