"""Discovery: which cluster a command means, and where that cluster's files and sockets lie. The one place that knows this layout.

A cluster is meant by SLURM_CONF, else /etc/slurm/slurm.conf, else it is the embedded one of `slurm up` below $XDG_STATE_HOME/slurm. A
daemon's sockets lie beside its pid file (`/run/slurmctld.pid` → `/run/slurmctld.sock`), since everybody may enter that folder.
Not here: what slurm.conf means (`config`); commands need a dozen of its keys and must start at once, so they are picked out here.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from slurm.model.errors import ConfigError, Unreachable
from slurm.net.endpoint import Endpoint, tcp, unix

SYSTEM_CONF = "/etc/slurm/slurm.conf"
INSTANCE_VARIABLE = "SLURM_PY_INSTANCE"
DEFAULT_INSTANCE = "default"
CONTROLLER_PORT = 6817
DATABASE_PORT = 6819
MAX_INCLUDES = 64
LONGEST_TAKEOVER = 30.0
"""A command waits no longer for another controller, however long SlurmctldTimeout is."""

_DEFAULTS = {
    "clustername": "cluster", "slurmctldport": str(CONTROLLER_PORT), "slurmctldpidfile": "/var/run/slurmctld.pid",
    "slurmdpidfile": "/var/run/slurmd.pid", "statesavelocation": "/var/spool", "authtype": "auth/munge", "authinfo": "",
    "slurmuser": "root",
    "tlsparameters": "", "clifilterplugins": "", "clifilterparameters": "", "plugindir": "/usr/lib/slurm",
    "slurmctldtimeout": "120", "messagetimeout": "10",
    "accountingstoragetype": "", "accountingstoragehost": "localhost", "accountingstoragebackuphost": "",
    "accountingstorageport": str(DATABASE_PORT),
}
_KEY = re.compile(r'([A-Za-z]+)[ \t]*=[ \t]*("[^"]*"|\S+)')
_LINES = ("nodename", "partitionname", "nodeset", "downnodes")  # they may be many and tell nothing here


class Instance(NamedTuple):
    """The files of one embedded cluster."""

    name: str
    root: str

    @property
    def conf(self) -> str:
        """Its slurm.conf; the cluster exists when this file does."""
        return f"{self.root}/slurm.conf"

    @property
    def run(self) -> str:
        """Pid files and sockets."""
        return f"{self.root}/run"

    @property
    def socket(self) -> str:
        """Where its controller listens."""
        return socket_beside(f"{self.run}/slurmctld.pid")

    @property
    def dbd_conf(self) -> str:
        """Its slurmdbd.conf."""
        return f"{self.root}/slurmdbd.conf"

    @property
    def rest_wanted(self) -> str:
        """A file that is there when it shall have a slurmrestd."""
        return f"{self.root}/slurmrestd.wanted"

    @property
    def web_port(self) -> str:
        """A file with the TCP port of 127.0.0.1 at which its slurmrestd serves the web page, there when somebody wanted to see that."""
        return f"{self.root}/web.port"

    @property
    def rest_socket(self) -> str:
        """Where its slurmrestd listens."""
        return socket_beside(f"{self.run}/slurmrestd.pid")

    @property
    def state(self) -> str:
        """StateSaveLocation."""
        return f"{self.root}/state"

    @property
    def log(self) -> str:
        """Log files, one a daemon."""
        return f"{self.root}/log"

    def spool(self, node: str) -> str:
        """SlurmdSpoolDir of a node."""
        return f"{self.root}/spool/{node}"


class Site(NamedTuple):
    """The cluster that is meant: its name, slurm.conf, and where its controllers may be reached, best first."""

    cluster: str
    conf: str
    endpoints: tuple[Endpoint, ...]  # the controllers' own
    relays: tuple[str, ...] = ()  # sockets at which daemons of this machine relay commands
    auth: str = ""
    key: str = ""  # where slurm.key is
    embedded: bool = False
    slurm_user: str = "root"
    munge_socket: str = ""  # AuthInfo=socket=, "": where munged usually is
    munge_ttl: int = 0  # AuthInfo=ttl=
    host: str = ""  # of the first controller, as slurm.conf names it
    hosts: tuple[str, ...] = ()  # of all of them
    takeover_seconds: float = 0.0  # how long a command waits where another controller may take over; 0: there is no other
    standby: str = ""  # the socket of a slurmctld of this machine that stands by
    away_seconds: float = 300.0  # how long programs inside a job wait for a controller: SlurmctldTimeout, 5 minutes at least
    message_seconds: float = 10.0  # MessageTimeout
    token: str = ""  # SLURM_JWT: who we are on a machine without a daemon
    authorities: str = ""  # the file by which a controller is known then
    cli_filters: tuple[str, ...] = ()  # CliFilterPlugins
    cli_filter_parameters: str = ""
    plugin_dir: str = ""
    database: tuple[Endpoint, ...] = ()  # where slurmdbd itself may be asked, best first; none without AccountingStorageType=…/slurmdbd
    rules: Mapping[str, str] = {}  # the keys RULES, in small letters, as the file writes them; "" for those that it does not

    def is_around(self, environ: Mapping[str, str]) -> bool:
        """Whether `environ` is that of a job of this cluster."""
        return bool(environ.get("SLURM_JOB_ID")) and environ.get("SLURM_CLUSTER_NAME", self.cluster) == self.cluster

    @property
    def ways(self) -> tuple[Endpoint, ...]:
        """Where a command may try to reach a controller, best first: its sockets, then a daemon's beside us; its ports with a token or
        munge only."""
        ports = tuple(endpoint for endpoint in self.endpoints if not endpoint.is_unix)
        if self.token:
            return ports
        own = (endpoint for endpoint in self.endpoints if endpoint.is_unix)
        return (*own, *map(unix, self.relays), *(ports if self.auth.lower() == "auth/munge" else ()))


def state_home(environ: Mapping[str, str]) -> str:
    """Where embedded clusters live: $XDG_STATE_HOME/slurm, by default ~/.local/state/slurm."""
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):  # the XDG specification has relative ones ignored
        base = os.path.join(environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir, ".local", "state")
    return os.path.join(base, "slurm")


def instance(environ: Mapping[str, str], name: str = "") -> Instance:
    """The embedded cluster of this name; by default what SLURM_PY_INSTANCE says, else `default`."""
    name = name or environ.get(INSTANCE_VARIABLE) or DEFAULT_INSTANCE
    if "/" in name or name.startswith("."):
        raise ConfigError(message=f"Invalid cluster name: {name}", hints=["it becomes a folder name: no slash, no leading dot"])
    return Instance(name, os.path.join(state_home(environ), name))


def instance_dir(environ: Mapping[str, str], name: str = "") -> str:
    """The folder of an embedded cluster."""
    return instance(environ, name).root


def socket_beside(pid_file: str) -> str:
    """The request socket of the daemon with this pid file."""
    return pid_file.removesuffix(".pid") + ".sock"


def relay_beside(pid_file: str) -> str:
    """The socket at which the daemon with this pid file takes commands for slurmctld."""
    return pid_file.removesuffix(".pid") + ".relay"


def standby_beside(pid_file: str) -> str:
    """The socket at which the slurmctld with this pid file is asked itself while it stands by."""
    return pid_file.removesuffix(".pid") + ".standby"


def sackd_pid_file(slurmctld_pid_file: str) -> str:
    """sackd's pid file lies in the folder that slurmctld's has on its own machine."""
    return os.path.join(os.path.dirname(slurmctld_pid_file), "sackd.pid")


def rules_of(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Site.rules of the cluster that is meant; none where none can be found, as whoever asks it for something will hear."""
    try:
        return find_site(environ).rules
    except (Unreachable, ConfigError):
        return dict.fromkeys(RULES, "")


def find_site(environ: Mapping[str, str]) -> Site:
    """The cluster that is meant; Unreachable when there is none, ConfigError when its slurm.conf cannot be read."""
    named = environ.get("SLURM_CONF")
    if named:
        return read_site(named, environ)
    if environ.get(INSTANCE_VARIABLE) is None and os.path.exists(SYSTEM_CONF):
        return read_site(SYSTEM_CONF, environ)
    embedded = instance(environ, _job_cluster(environ))
    if os.path.exists(embedded.conf):
        return read_site(embedded.conf, environ)._replace(embedded=True)
    raise Unreachable(message="no cluster here: start one with `slurm up`, or set SLURM_CONF")


def _job_cluster(environ: Mapping[str, str]) -> str:
    """The embedded cluster inside whose job we are: workflow systems take SLURM_CONF from a job's environment and leave its id and
    cluster."""
    name = environ.get("SLURM_CLUSTER_NAME", "")
    if not environ.get("SLURM_JOB_ID") or environ.get(INSTANCE_VARIABLE) or not name or "/" in name or name.startswith("."):
        return ""
    return name if os.path.exists(instance(environ, name).conf) else ""


RULES = ("srunprolog", "srunepilog", "killonbadexit", "waittime", "propagateresourcelimits", "propagateresourcelimitsexcept",
    "launchparameters",
         "interactivestepoptions", "mpidefault", "plugstackconfig", "taskplugin", "prologflags")
"""Keys that say what srun and its kin do themselves."""


def read_site(conf: str, environ: Mapping[str, str]) -> Site:
    """The cluster that this slurm.conf describes; ConfigError when it cannot be read."""
    values = dict(_DEFAULTS)
    hosts: list[str] = []
    for key, value in _keys(conf, os.path.dirname(conf), [0]):
        if key in ("slurmctldhost", "controlmachine"):
            hosts.append(value)
        else:
            values[key] = value
    hosts = _with_older_words(hosts, values)
    pid_file = values["slurmctldpidfile"]
    info = {name: value for name, _, value in (word.partition("=") for word in values["authinfo"].split(","))}
    ttl = info.get("ttl", "")
    state = values["statesavelocation"]
    sockets = (socket_beside(pid_file), *(() if "://" in state else (os.path.join(state, "slurmctld.sock"),)))
    # A sackd speaks for more people than a slurmd; of several slurmds the one inside whose job we are speaks for us.
    relays = () if values["authtype"].lower() != "auth/slurm" else (
        relay_beside(sackd_pid_file(pid_file)), *_existing(relay_beside(values["slurmdpidfile"]), environ.get("SLURMD_NODENAME", "")))
    return Site(
        away_seconds=_seconds(values["slurmctldtimeout"], 300.0), message_seconds=_seconds(values["messagetimeout"], 10.0),
        cluster=values["clustername"], conf=conf,
        endpoints=(*(unix(path) for path in sockets), *_ports(
            # SlurmctldAddr is where the one is that serves, whichever host that is.
            [*filter(None, [values.get("slurmctldaddr")]), *hosts], values["slurmctldport"], values["authtype"])),
        relays=relays,
        slurm_user=values["slurmuser"], munge_socket=info.get("socket", ""), munge_ttl=int(ttl) if ttl.isdecimal() else 0,
        auth=values["authtype"], key=environ.get("SLURM_SACK_KEY") or os.path.join(os.path.dirname(conf), "slurm.key"),
        rules={name: values.get(name, "") for name in RULES},
        host=hosts[0].partition("(")[0] if hosts else "", hosts=tuple(text.partition("(")[0] for text in hosts),
        takeover_seconds=min(LONGEST_TAKEOVER, _seconds(values["slurmctldtimeout"], 1.0) + 10.0) if len(hosts) > 1 else 0.0,
        standby=standby_beside(pid_file), token=environ.get("SLURM_JWT", ""),
        authorities=_authorities(values["tlsparameters"]) or os.path.join(os.path.dirname(conf), "ca_cert.pem"),
        cli_filters=tuple(name for name in values["clifilterplugins"].split(",") if name and name.rpartition("/")[2] != "none"),
        cli_filter_parameters=values["clifilterparameters"], plugin_dir=values["plugindir"],
        database=tuple(_databases(values)) if values["accountingstoragetype"].lower().endswith("slurmdbd") else ())


def _with_older_words(hosts: list[str], values: Mapping[str, str]) -> list[str]:
    """The controllers, best first, with what ControlAddr, BackupController and BackupAddr say."""
    if hosts and "controladdr" in values:
        hosts = [f"{hosts[0].partition('(')[0]}({values['controladdr']})", *hosts[1:]]
    if len(hosts) == 1 and "backupcontroller" in values:
        backup = values["backupcontroller"]
        hosts = [*hosts, f"{backup}({values['backupaddr']})" if "backupaddr" in values else backup]
    return hosts


def _databases(values: Mapping[str, str]) -> Iterator[Endpoint]:
    """Its socket on this machine, beside slurmctld's; its ports where MUNGE says who asks there."""
    yield unix(os.path.join(os.path.dirname(values["slurmctldpidfile"]), "slurmdbd.sock"))
    if values["authtype"].lower() == "auth/munge":
        port = values["accountingstorageport"]
        for host in filter(None, (values["accountingstoragehost"], values["accountingstoragebackuphost"])):
            yield tcp(host, int(port) if port.isdecimal() else DATABASE_PORT)


def _authorities(tls_parameters: str) -> str:
    return next((word.partition("=")[2] for word in tls_parameters.split(",") if word.startswith("ca_cert_file=")), "")


def _seconds(text: str, least: float) -> float:
    return max(least, float(text)) if text.isdecimal() else least


def _ports(hosts: list[str], port: str, auth: str) -> Iterator[Endpoint]:
    if auth.lower() == "auth/local":  # an embedded cluster opens no port
        return
    first = port.partition("-")[0]
    for text in hosts:
        name, _, address = text.rstrip(")").partition("(")
        yield tcp(address or name, int(first) if first.isdigit() else CONTROLLER_PORT)


def _existing(path: str, node: str = "") -> Iterator[str]:
    """The path itself, or where it holds %n or %h (a socket a node, or a folder a node) every one there is, that of `node` first."""
    if "%" not in path:
        yield path
        return
    found = [""]
    for part in os.path.abspath(path).split("/")[1:]:
        if "%" in part:
            pattern = re.compile(re.sub("%[nh]", ".+", re.escape(part).replace(r"\%", "%")) + "$")
            found = [f"{folder}/{entry}" for folder in found if os.path.isdir(folder or "/") for entry in sorted(os.listdir(folder or "/"))
                     if pattern.match(entry)]
        else:
            found = [f"{folder}/{part}" for folder in found]
    own = os.path.abspath(path.replace("%n", node))
    yield from sorted(filter(os.path.exists, found), key=lambda each: each != own)


def _keys(path: str, folder: str, opened: list[int]) -> Iterator[tuple[str, str]]:
    opened[0] += 1
    if opened[0] > MAX_INCLUDES:
        raise ConfigError(message=f"{path}: Include nests without end")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(message=f"cannot read {path}: {error.strerror}", hints=["SLURM_CONF names the slurm.conf to use"]) from error
    for line in text.replace("\\\n", "").splitlines():
        line = line.partition("#")[0].strip()
        start = line[:16].lower()
        if start.startswith("include") and line[7:8].isspace():
            yield from _keys(os.path.join(folder, line[7:].strip().strip('"')), folder, opened)
        elif not start.startswith(_LINES):
            for key, value in _KEY.findall(line):
                yield key.lower(), value.strip('"')
