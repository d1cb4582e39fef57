"""Facts of this machine, found out without changing anything: what `slurm doctor` begins with, here and by ssh on the others."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import socket
import time
from collections.abc import Iterable, Mapping

import psutil

from slurm.commands.doctor import kernel, secrets
from slurm.commands.doctor.facts import Disk, Facts, File, Listener
from slurm.config.config import SIBLINGS, Config
from slurm.daemon.process import holder_of
from slurm.daemon.user import find
from slurm.model.errors import ConfigError
from slurm.model.version import VERSION
from slurm.net import other_slurm
from slurm.slurmd import hardware

CONNECT_SECONDS = 3.0
ORDINARY_UIDS = range(1000, 65_000)
MOST_ACCOUNTS = 20_000
COMMANDS = ("srun", "sbatch", "squeue", "scontrol")
PROGRAM_KEYS = ("Prolog", "Epilog", "PrologSlurmctld", "EpilogSlurmctld", "TaskProlog", "TaskEpilog", "SrunProlog", "SrunEpilog",
                "HealthCheckProgram", "MailProg", "RebootProgram", "ResumeProgram", "SuspendProgram", "UnkillableStepProgram")
CONTROLLERS_ONLY = ("PrologSlurmctld", "EpilogSlurmctld", "MailProg", "ResumeProgram", "SuspendProgram")
NODES_ONLY = ("Prolog", "Epilog", "TaskProlog", "TaskEpilog", "HealthCheckProgram", "RebootProgram", "UnkillableStepProgram")


def facts(conf: str, config: Config | None, environ: Mapping[str, str]) -> Facts:
    """What this machine is to the cluster of the slurm.conf at `conf`; without `config` (it cannot be read) little is asked."""
    found = Facts(
        host=os.uname().nodename, boot_id=kernel.boot_id(), zone=time.strftime("%Z %z"), synchronised=kernel.clock_is_kept(),
        version=VERSION,
        root=os.geteuid() == 0, conf=conf, files=[file for file in configuration(conf) if file.exists], addresses=own_addresses(),
        selinux=kernel.selinux_enforces(), firewalls=kernel.firewalls(), open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    for name in COMMANDS:
        if path := shutil.which(name, path=environ.get("PATH", os.defpath)):
            found.commands[name] = path
            if not other_slurm.is_ours(path):
                found.other_slurm.append(name)
    if config is not None:
        _of_cluster(found, config)
    found.time = time.time()
    return found


def _of_cluster(found: Facts, config: Config) -> None:
    _roles(found, config)
    _accounts(found, config)
    machine = hardware.look("/")
    found.cpus, found.memory = machine.cpus, machine.memory
    found.gpu_files = kernel.gpu_files()
    for name in found.nodes:
        found.devices_missing += hardware.missing_devices(config.devices(name))
    if found.nodes and config.uses_cgroups and config.cgroup.constrains:
        found.cgroup_problems = kernel.cgroup_problems(config.cgroup)
    found.names = {name: resolved(name) for name in names_of(config)} if not _local(config) else {}
    found.listeners = listeners()
    found.folders = _folders(found, config)
    found.programs = _programs(found, config)
    found.disks = [disk(file.purpose, file.path) for file in found.folders]
    found.running = _running(found, config)
    found.units = kernel.units(["slurmctld"] * found.controller + ["slurmd"] * bool(found.nodes) + ["slurmdbd"] * found.database_host)
    secrets.look(found, config)
    if not _local(config):
        _reach(found, config)


def _local(config: Config) -> bool:
    return config.text("AuthType").lower() == "auth/local"


def _roles(found: Facts, config: Config) -> None:
    """Which daemons belong here."""
    if _local(config):
        found.controller = True
        found.nodes = [node.name for node in config.nodes]
        found.database_host = config.text("AccountingStorageType").endswith("slurmdbd")
        return
    here = {found.host, found.where}
    own = {address for address in found.addresses if not kernel.is_loopback(address)}

    def is_here(name: str, address: str = "") -> bool:
        return name in here or name.partition(".")[0] in here or name == "localhost" or bool(own.intersection(resolved(address or name)))

    found.controller = any(is_here(one.host, one.addr) for one in config.controllers)
    found.nodes = [node.name for node in config.nodes if is_here(node.hostname, node.addr)]
    found.database_host = config.text("AccountingStorageType").endswith("slurmdbd") and is_here(config.text("AccountingStorageHost")
        or "localhost")


def _accounts(found: Facts, config: Config) -> None:
    special = {config.text("SlurmUser") or "root", config.text("SlurmdUser") or "root"}
    for entry in pwd.getpwall()[:MOST_ACCOUNTS]:
        if entry.pw_uid in ORDINARY_UIDS or entry.pw_name in special:
            found.accounts[entry.pw_name] = entry.pw_uid, entry.pw_gid
    try:
        found.slurm_uid = find(config.text("SlurmUser") or "root", "SlurmUser").uid
    except ConfigError:
        found.slurm_uid = None


def configuration(conf: str) -> Iterable[File]:
    """slurm.conf and what is read beside it, with digests of what they say: comments and blank lines are nothing."""
    folder = os.path.dirname(os.path.abspath(conf))
    for path in (conf, *(os.path.join(folder, name) for name in SIBLINGS)):
        file = kernel.look_at(path, os.path.basename(path))
        if file.exists and not file.problem:
            file.digest = secrets.digest_of_text(path)
        yield file


def _folders(found: Facts, config: Config) -> list[File]:
    named: dict[str, str] = {}
    if found.controller:
        named[config.state_save_location] = "StateSaveLocation"
        if log := config.text("SlurmctldLogFile"):
            named.setdefault(os.path.dirname(log), "the folder of SlurmctldLogFile")
    for name in found.nodes:
        node = config.nodes_by_name[name]
        named.setdefault(config.for_node("SlurmdSpoolDir", node), "SlurmdSpoolDir")
        if log := config.for_node("SlurmdLogFile", node):
            named.setdefault(os.path.dirname(log), "the folder of SlurmdLogFile")
    if found.nodes:
        named.setdefault(config.text("TmpFS") or "/tmp", "TmpFS")
    # A state that PostgreSQL keeps is no folder.
    return [kernel.look_at(path, purpose) for path, purpose in named.items() if os.path.isabs(path)]


def _programs(found: Facts, config: Config) -> list[File]:
    programs: list[File] = []
    for key in PROGRAM_KEYS:
        if (key in CONTROLLERS_ONLY and not found.controller) or (key in NODES_ONLY and not found.nodes) or config.written(key) is None:
            continue
        for text in config.all_of(key) or [config.text(key)]:
            path = text.split()[0] if text.split() else ""
            if not path.startswith("/") or "*" in path:
                continue
            file = kernel.look_at(path, key)
            if file.exists and not os.access(path, os.X_OK):
                file.problem = "it cannot be executed"
            programs.append(file)
    return programs


def disk(purpose: str, path: str) -> Disk:
    """The file system that `path`, or what is above it, lies on."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    facts = os.statvfs(path)
    return Disk(purpose, path, kernel.kind_of_file_system(path), facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize,
        facts.f_files,
                facts.f_favail)


def _running(found: Facts, config: Config) -> dict[str, int]:
    files: dict[str, str] = {}
    if found.controller:
        files["slurmctld"] = config.text("SlurmctldPidFile")
    for name in found.nodes:
        files[f"slurmd of {name}" if len(found.nodes) > 1 else "slurmd"] = config.for_node("SlurmdPidFile", config.nodes_by_name[name])
    return {daemon: holder_of(path) or kernel.pid_in(path) for daemon, path in files.items()}


def own_addresses() -> list[str]:
    """This machine's addresses, loopback included."""
    kinds = (socket.AF_INET, socket.AF_INET6)
    return sorted({one.address.partition("%")[0] for each in psutil.net_if_addrs().values() for one in each if one.family in kinds})


def names_of(config: Config) -> list[str]:
    """Every name of the configuration that has to be looked up."""
    wanted = [one.addr for one in config.controllers] + [node.addr for node in config.nodes]
    if config.text("AccountingStorageType").endswith("slurmdbd"):
        wanted += [config.text("AccountingStorageHost"), config.text("AccountingStorageBackupHost")]
    return list(dict.fromkeys(filter(None, wanted)))


def resolved(name: str) -> list[str]:
    """The addresses of a name, none where it has none."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []


def listeners() -> list[Listener]:
    """Who listens at TCP ports, as far as this user is told."""
    found: dict[int, Listener] = {}
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.AccessDenied, OSError):
        return []
    for one in connections:
        if one.status == psutil.CONN_LISTEN:
            program, executable = kernel.program_of(one.pid)
            found.setdefault(one.laddr.port, Listener(one.laddr.port, program, executable))
    return list(found.values())


def reach(host: str, port: int, seconds: float = CONNECT_SECONDS) -> str:
    """Why a TCP port cannot be reached, "" when it can."""
    try:
        socket.create_connection((host, port), seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _reach(found: Facts, config: Config) -> None:
    wanted = [(one.addr, config.slurmctld_port) for one in config.controllers]
    if config.text("AccountingStorageType").endswith("slurmdbd") and (found.controller or found.database_host):
        wanted.append((config.text("AccountingStorageHost") or "localhost", config.port("AccountingStoragePort")))
    if found.controller:
        wanted += [(node.addr, node.port) for node in config.nodes if node.state.upper() not in ("CLOUD", "FUTURE")]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(64) as pool:
        known = list(dict.fromkeys((host, port) for host, port in wanted if found.names.get(host, ["?"])))
        for (host, port), problem in zip(known, pool.map(lambda one: reach(*one), known), strict=True):
            found.reached[f"{host}:{port}"] = problem
