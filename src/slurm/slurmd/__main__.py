"""The program slurmd: its options, and the life of the process around one `node.Node`.

    slurmd [-D] [-N node] [-f slurm.conf] [-L logfile] [-v]... [-b] [-c] [-C] [-G] [-V] [-h] [-Z [--conf KEY=VALUE…]]
"""

from __future__ import annotations

import asyncio
import getopt
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import uvloop
from setproctitle import setproctitle, setthreadtitle

from slurm.config.keys import find_conf
from slurm.daemon import logs, memory, process, signals
from slurm.daemon.user import become, hand_over
from slurm.model.errors import ConfigError, SlurmError
from slurm.model.version import SLURM_VERSION, version_line
from slurm.net import certificates, enrolment
from slurm.net.discovery import relay_beside
from slurm.net.link import SocketLink, Wanted
from slurm.net.relay import Relay
from slurm.net.tls import Credentials, Trust
from slurm.slurmd import dynamic, hardware, settings
from slurm.slurmd.gpus import own
from slurm.slurmd.node import Node
from slurm.slurmd.settings import NodeSettings
from slurm.slurmd.step_server import StepServer

log = logging.getLogger("slurmd")
ROLE = "slurmd"
USAGE = """Usage: slurmd [OPTIONS]
  -b                  report that the machine has just been started (for tests)
  -c                  clear what a crashed slurmd left (nothing is needed for that: accepted)
  -C                  print this machine's hardware as a NodeName line and exit
  -D                  run in the foreground, log to standard error
  -f slurm.conf       the configuration to read
  -G                  print the GRES of this node (with AutoDetect: those that it finds) and exit
  -h, --help          this text
  -L logfile          log to this file
  -n value            run at this nice value
  -N node             which node of the configuration this slurmd is
  --systemd           for systemd units: stay in the foreground, log where slurm.conf says, else to standard error
  -s                  work in the folder of the log file, else in SlurmdSpoolDir, else in /var/tmp
  -v                  log more; may be repeated
  -V, --version       print the version
  -Z                  be a node that slurm.conf does not have: slurmctld makes it (MaxNodeCount)
  --conf "KEY=VALUE…" what the NodeName line of such a node says other than what was found
"""
_UNSUPPORTED = {"-d": "another slurmstepd", "-F": "a future node",
    "-M": "locking memory",
    "-S": "a shared namespace", "-B": "reporting a reboot"}


class Options(NamedTuple):
    """The command line."""

    conf: str = ""
    node: str = ""
    log_file: str = ""
    foreground: bool = False
    more: int = 0
    nice: int = 0
    at_log: bool = False
    booted: bool = False
    line: str = ""
    systemd: bool = False


def main() -> int:
    """Run slurmd; its exit status."""
    memory.give_back()
    try:
        found, rest = getopt.getopt(sys.argv[1:], "bBcCd:Df:F:GhL:Mn:N:sSvVZ", ["help", "version", "conf=", "systemd"])
        if rest:
            raise getopt.GetoptError(f"unexpected argument {rest[0]}")
    except getopt.GetoptError as error:
        sys.stderr.write(f"slurmd: error: {error}\n{USAGE}")
        return 1
    names = dict(found)
    for name, what in _UNSUPPORTED.items():
        if name in names:
            sys.stderr.write(f"slurmd: error: {name} ({what}) is not supported by slurm-py yet\n")
            return 1
    if "-h" in names or "--help" in names:
        sys.stdout.write(USAGE)
        return 0
    if "-V" in names or "--version" in names:
        print(version_line())
        return 0
    if "-C" in names:
        gpus = hardware.gpu_lines()
        node = hardware.look().conf_line(names.get("-N") or os.uname().nodename.partition(".")[0])
        lines = [" ".join([node, *gpus[:1]]), *gpus[1:], f"UpTime={hardware.uptime(time.time())}", ""]
        sys.stdout.write("\n".join(lines))  # at once: `head -1` reads no more than it needs
        return 0
    nice = names.get("-n", "0")
    if not nice.removeprefix("-").isdecimal():
        sys.stderr.write(f"slurmd: error: -n {nice}: it takes a nice value, such as -5\n")
        return 1
    if "--conf" in names and "-Z" not in names:
        sys.stderr.write("slurmd: error: --conf describes a dynamic node: -Z is missing\n")
        return 1
    options = Options(names.get("-f", ""), names.get("-N", ""), names.get("-L", ""), "-D" in names, sum(name == "-v" for name, _ in found),
                      int(nice), "-s" in names, "-b" in names, systemd="--systemd" in names)
    try:
        if "-G" in names:
            return _print_gres(options)
        return _start(_described(options, names.get("--conf", "")) if "-Z" in names else options)
    except ConfigError as error:
        for line in error.lines():
            sys.stderr.write(f"slurmd: error: {line}\n")
        return 1


def _print_gres(options: Options) -> int:
    conf = options.conf or find_conf(os.environ)
    if conf is None:
        raise ConfigError(message="there is no /etc/slurm/slurm.conf", hints=["-f FILE or SLURM_CONF names the slurm.conf to use"])
    chosen, config = settings.read(conf, options.node)
    mine = own.settle(config, chosen.node, allowed=hardware.real_cpus())
    node = config.nodes_by_name[chosen.node]
    for line in [*mine.told, *own.lines(mine.devices, node.cpus // node.threads)]:
        sys.stderr.write(f"slurmd: {line}\n")
    return 0


def _described(options: Options, given: str) -> Options:
    """Of slurmd -Z: the node that it is, and the line that makes it."""
    name = options.node or os.uname().nodename.partition(".")[0]
    return options._replace(node=name, line=dynamic.line(name, hardware.look(), given))


def _start(options: Options) -> int:
    try:
        conf = options.conf or find_conf(os.environ)
        if conf is None:
            raise ConfigError(message="there is no /etc/slurm/slurm.conf", hints=["-f FILE or SLURM_CONF names the slurm.conf to use"])
        chosen, config = settings.read(conf, options.node, options.line)
        if options.log_file:
            options = options._replace(log_file=os.path.abspath(options.log_file))
        readiness = process.Readiness("slurmd", -1 if options.foreground or options.systemd else process.to_background())
    except SlurmError as error:
        for line in error.lines():
            sys.stderr.write(f"slurmd: error: {line}\n")
        return 1
    os.umask(0o022)
    signals.calm()
    pid_file = process.PidFile(chosen.pid_file)
    account = chosen.account
    try:
        _start_log(options, chosen)
        pid_file.acquire("slurmd", account.uid if account.is_wanted else -1)
        mine = own.settle(config, chosen.node, allowed=hardware.real_cpus())
        chosen = chosen._replace(devices=mine.devices)
        _prepare(options, chosen)
    except (SlurmError, OSError) as error:
        pid_file.release()
        return _fail(readiness, error)
    heeded = signals.Signals()
    try:
        for warning in [*config.warnings, *mine.told, *(plugin.broken for plugin in chosen.step_plugins if plugin.broken)]:
            log.warning("%s", warning)
        setproctitle(f"slurmd -N {chosen.node}")
        setthreadtitle("slurmd")  # what `pkill -x slurmd` goes by
        uvloop.run(_serve(options, chosen, heeded, readiness.ready))
    except (SlurmError, OSError) as error:
        return _fail(readiness, error)
    except Exception as error:
        log.critical("slurmd failed", exc_info=error)
        readiness.failed([f"slurmd failed: {error!r}", f"this is a fault of slurm-py: {chosen.log_file} has the details"])
        return 1
    finally:
        pid_file.release()
    heeded.end()
    return 0


def _prepare(options: Options, chosen: NodeSettings) -> None:
    """What the command line and the configuration want of this process and this machine before anything is served. SlurmError, OSError."""
    if options.nice:
        os.nice(options.nice)
    if options.at_log:
        folder = next((folder for folder in (os.path.dirname(options.log_file or chosen.log_file), chosen.spool, "/var/tmp")
            if os.path.isdir(folder)), "/")
        os.chdir(folder)
    missing = hardware.missing_devices(chosen.devices)
    if missing:
        raise ConfigError(message=missing[0], hints=[*missing[1:], (
            f"is the driver loaded? node {chosen.node} would give its jobs devices that it has not; File= of gres.conf names them")])


async def _serve(options: Options, chosen: NodeSettings, heeded: signals.Signals, ready: Callable[[], None]) -> None:
    stop = asyncio.Event()

    def reread() -> None:
        _reread(options, node)

    # With auth/local slurmctld is on this machine; munge vouches for commands without us.
    relay = None if chosen.site.auth.lower() != "auth/slurm" else Relay(relay_beside(chosen.pid_file),
        log=logging.getLogger("slurmd.relay"))
    machine = hardware.look(chosen.tmp_fs)
    node = Node(chosen, dynamic.booted_now(machine) if options.booted else machine, stop=stop.set, reread=reread, relay=relay)
    trust = _trust(chosen)
    server = StepServer(node, trust)
    node.link = link = SocketLink(
        chosen.site.endpoints, node, log=log, trust=trust, wanted=Wanted(owners=chosen.owners), refused=node.heartbeats.nobody_serves,
        longest_pause=chosen.longest_pause, late=node.on_late if len(chosen.site.hosts) > 1 else None)
    heeded.attach(stop=stop.set, reread=reread, reopen=lambda: _reopen(options, node))
    wanted = chosen.account.is_wanted
    try:
        if not wanted:
            node.open()
        await server.open()
        if relay is not None:
            relay.open(keep=wanted)
        if wanted:
            _become_user(chosen)
            node.open()
        if trust is not None:
            node.spawn(_follow(chosen, trust, link))
        if chosen.site.auth.lower() == "auth/munge":
            node.spawn(_enrol(chosen, node, server, link))
        await node.check_health()
        node.connect()
        log.info("slurmd version %s started: %s", SLURM_VERSION, node.doing())
        ready()
        await stop.wait()
        log.info("slurmd ends: %s; steps go on", node.doing())
    finally:
        if relay is not None:
            relay.close()
        await server.close()
        await node.link.close()
        await node.close()


def _become_user(chosen: NodeSettings) -> None:
    """SlurmdUser is not root: ports, sockets and log are open, the spool becomes that user's, and jobs of other users cannot run here."""
    os.makedirs(chosen.spool, mode=0o755, exist_ok=True)
    hand_over(chosen.spool, chosen.account)
    become(chosen.account)
    log.info("slurmd runs as SlurmdUser %s (uid %d) from here on: only that user's jobs can run here", chosen.account.name,
        chosen.account.uid)


def _reread(options: Options, node: Node) -> None:
    """Take over what may change while running: the log and its level, prologs and epilogs, the health check.

    Everything else needs a restart, as in Slurm.
    """
    try:
        chosen, config = settings.read(node.settings.conf, node.settings.node, node.settings.line)
    except SlurmError as error:
        log.error("the configuration was not read again: %s", "; ".join(error.lines()))
        return
    _reopen_log(options, chosen)
    node.take_up(chosen)
    for warning in config.warnings:
        log.warning("%s", warning)
    log.info("configuration %s was read again", chosen.conf)


def _reopen(options: Options, node: Node) -> None:
    """SIGUSR2: the log's level is read again, then its file opened again, which may have been rotated."""
    try:
        chosen, _ = settings.read(node.settings.conf, node.settings.node, node.settings.line)
    except SlurmError as error:
        log.error("the log level was not read again: %s", "; ".join(error.lines()))
        chosen = node.settings
    _reopen_log(options, chosen)


def _reopen_log(options: Options, chosen: NodeSettings) -> None:
    logs.reopen("slurmd", _verbosity(options, chosen), _log_path(options, chosen))


def _verbosity(options: Options, chosen: NodeSettings) -> logs.Verbosity:
    level = logs.level_of(chosen.debug, options.more)
    return logs.Verbosity(level, chosen.debug_flags, chosen.log_form, logs.syslog_level(
        chosen.syslog, level, foreground=options.foreground, log_file=bool(_log_path(options, chosen))))


def _log_path(options: Options, chosen: NodeSettings) -> str:
    return options.log_file or ("" if options.foreground else chosen.log_file)


def _start_log(options: Options, chosen: NodeSettings) -> None:
    path = _log_path(options, chosen)
    logs.start("slurmd", _verbosity(options, chosen), path)
    if path and chosen.account.is_wanted:
        hand_over(path, chosen.account)


def _credentials(chosen: NodeSettings) -> Credentials:
    return certificates.load(chosen.files, chosen.site.cluster, ROLE, chosen.node, chosen.owners)


def _trust(chosen: NodeSettings) -> Trust | None:
    """What this node proves itself by to other machines; None where only this machine's sockets are used.

    ConfigError when it has nothing.
    """
    return Trust(_credentials(chosen)) if chosen.site.auth.lower() == "auth/slurm" else None


async def _follow(chosen: NodeSettings, trust: Trust, link: SocketLink) -> None:
    """Take up changed certificates, keys and revocations while running."""
    def changed() -> None:
        trust.replace(_credentials(chosen))
        link.recheck()

    await certificates.follow(chosen.files, changed, log)


async def _enrol(chosen: NodeSettings, node: Node, server: StepServer, link: SocketLink) -> None:
    """auth/munge: have slurmctld issue our certificate, then be there for other machines."""
    async def begin(trust: Trust) -> None:
        await server.secure(trust)
        link.secure(trust)
        link.reconnect("other machines can reach this node now")

    def ask() -> Credentials:
        return enrolment.ask(chosen.site, ROLE, chosen.node, chosen.owners)

    await enrolment.keep(ask, node.accepted.is_set, begin, log)


def _fail(readiness: process.Readiness, error: SlurmError | OSError) -> int:
    lines = error.lines() if isinstance(error, SlurmError) else [str(error)]
    for line in lines:
        log.critical("%s", line)
    readiness.failed(lines)
    return 1


if __name__ == "__main__":
    sys.exit(main())
