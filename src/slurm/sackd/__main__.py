"""The program sackd: its options, and the life of the process around one `kiosk.Kiosk`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import setproctitle
import uvloop

from slurm.config.keys import find_conf, read_keys
from slurm.daemon import logs, memory, signals
from slurm.daemon.process import PidFile, Readiness, to_background
from slurm.daemon.user import find
from slurm.model.errors import ConfigError, SlurmError
from slurm.model.version import SLURM_VERSION
from slurm.net import certificates, enrolment
from slurm.net.discovery import Site, read_site, relay_beside, sackd_pid_file
from slurm.net.link import LONGEST_PAUSE, SocketLink, Wanted
from slurm.net.listening import raise_open_files
from slurm.net.relay import Relay
from slurm.net.tls import Credentials, Party, Trust
from slurm.sackd.kiosk import Kiosk

log = logging.getLogger("sackd")
MUNGE = "auth/munge"
SACKD, ADMIN = "sackd", "sackd-admin"
_CONFIGLESS = "a configuration from slurmctld (--conf-server) is not supported by slurm-py yet: copy slurm.conf here and name it with -f"


class Settings(NamedTuple):
    """What a sackd knows: which files are its own and its cluster's, where the controller is, and as what it speaks.

    `owners` are the uids of root, SlurmUser and this process: whose files and whose slurmctld are believed.
    """

    site: Site
    pid_file: str
    log_file: str
    host: str
    role: str
    files: certificates.Files
    owners: frozenset[int]


def parser() -> argparse.ArgumentParser:
    """Options as in sackd(8), and -L as the other daemons have it."""
    top = argparse.ArgumentParser(prog="sackd", description="Carries the commands of this machine (a login node) to slurmctld.")
    top.add_argument("-D", action="store_true", dest="foreground", help="stay in the foreground and log to standard error")
    top.add_argument("--systemd", action="store_true",
        help="for systemd units: stay in the foreground, log to the file that slurm.conf names, else to standard error")
    top.add_argument("-f", metavar="FILE", dest="conf", help="the slurm.conf to use")
    top.add_argument("-L", metavar="FILE", dest="log_file", help="the log file to use")
    top.add_argument("--admin", action="store_true",
        help="this machine administrates the cluster: speak for root and SlurmUser too (needs slurm.key here)")
    top.add_argument("--conf-server", metavar="HOST[:PORT]", help=argparse.SUPPRESS)
    top.add_argument("-v", action="count", dest="verbose", default=0, help="log more; twice: still more")
    top.add_argument("-V", "--version", action="version", version=f"slurm {SLURM_VERSION}")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run sackd; exit status 0 after an orderly end, 1 when it could not start."""
    memory.give_back()
    options = parser().parse_args(argv)
    try:
        settings = _settings(options, options.foreground)
        readiness = Readiness("sackd", -1 if options.foreground or options.systemd else to_background())
    except SlurmError as error:
        for line in error.lines():
            print(f"sackd: fatal: {line}", file=sys.stderr)
        return 1
    os.umask(0o022)
    signals.calm()
    level = logs.Verbosity(logs.level_of("info", options.verbose))
    pid_file = PidFile(settings.pid_file)
    heeded = signals.Signals()
    try:
        logs.start("sackd", level, settings.log_file)
        pid_file.acquire("sackd")
        setproctitle.setproctitle("sackd")
        setproctitle.setthreadtitle("sackd")  # what `pkill -x sackd` goes by
        raise_open_files()
        uvloop.run(_serve(settings, heeded, lambda: logs.reopen("sackd", level, settings.log_file), readiness.ready))
    except (SlurmError, OSError) as error:
        lines = error.lines() if isinstance(error, SlurmError) else [str(error)]
    except Exception as error:
        log.critical("sackd failed", exc_info=error)
        lines = [f"sackd failed: {error!r}", "this is a fault of slurm-py: its log has the details"]
    else:
        lines = []
    finally:
        pid_file.release()
    if not lines:
        heeded.end()
        return 0
    for line in lines:
        log.critical("%s", line)
    readiness.failed(lines)
    return 1


def _settings(options: argparse.Namespace, foreground: bool) -> Settings:
    if options.conf_server:
        raise ConfigError(message=_CONFIGLESS)
    found = options.conf or find_conf(os.environ)
    if found is None:
        raise ConfigError(message="there is no /etc/slurm/slurm.conf", hints=["-f FILE or SLURM_CONF names the slurm.conf to use"])
    conf = os.path.abspath(found)
    keys = read_keys(conf)
    site = read_site(conf, os.environ)
    if site.auth.lower() not in ("auth/slurm", MUNGE):
        raise ConfigError(message=f"{conf}: AuthType={site.auth}: commands are relayed between machines with auth/slurm and auth/munge "
                                  "only", hints=[
            "set AuthType=auth/slurm; on the controller's own machine commands need no sackd"])
    host = os.uname().nodename.partition(".")[0]
    files = certificates.files_of(site.key, SACKD, keys.options("TLSParameters"))
    admin = options.admin or certificates.is_for(files, Party(site.cluster, ADMIN, host))
    log_file = options.log_file or ("" if foreground else _log_file(keys.text("SlurmctldLogFile")))
    return Settings(
        site, sackd_pid_file(keys.text("SlurmctldPidFile")), os.path.abspath(log_file) if log_file else "", host, ADMIN if admin else SACKD,
        files,
        frozenset({0, os.geteuid(), find(keys.text("SlurmUser") or "root", "SlurmUser").uid}))


def _log_file(slurmctld_log: str) -> str:
    """Beside slurmctld's log, as the pid file is beside its pid file; "" where that has none."""
    return os.path.join(os.path.dirname(slurmctld_log), "sackd.log") if slurmctld_log else ""


async def _serve(settings: Settings, heeded: signals.Signals, reopen: Callable[[], None], ready: Callable[[], None]) -> None:
    stop = asyncio.Event()
    trust = None if settings.site.auth.lower() == MUNGE else Trust(_credentials(settings))
    relay = Relay(relay_beside(settings.pid_file), log=logging.getLogger("sackd.relay"))
    kiosk = Kiosk(settings.host, relay)
    kiosk.link = link = SocketLink(settings.site.endpoints, kiosk, log=log, trust=trust, wanted=Wanted(owners=settings.owners),
                                         longest_pause=_longest_pause(settings.site))
    following = asyncio.ensure_future(_enrol(settings, kiosk, link) if trust is None else _follow(settings, trust, link))
    heeded.attach(stop=stop.set, reread=reopen, reopen=reopen)
    try:
        relay.open()
        link.start()
        log.info("sackd version %s started as %s %s: commands are taken at %s", SLURM_VERSION, settings.role, settings.host, relay.path)
        ready()
        await stop.wait()
        log.info("sackd ends")
    finally:
        following.cancel()
        kiosk.close()
        await link.close()


def _longest_pause(site: Site) -> float:
    """Between two tries to reach slurmctld: where another one takes over soon, it is looked for often."""
    return min(LONGEST_PAUSE, max(0.2, site.takeover_seconds / 16)) if site.takeover_seconds else LONGEST_PAUSE


def _credentials(settings: Settings) -> Credentials:
    return certificates.load(settings.files, settings.site.cluster, settings.role, settings.host, settings.owners)


async def _follow(settings: Settings, trust: Trust, link: SocketLink) -> None:
    """Take up changed certificates, keys and revocations while running."""
    def changed() -> None:
        trust.replace(_credentials(settings))
        link.recheck()

    await certificates.follow(settings.files, changed, log)


async def _enrol(settings: Settings, kiosk: Kiosk, link: SocketLink) -> None:
    """auth/munge: have slurmctld issue our certificate."""
    async def begin(trust: Trust) -> None:
        link.secure(trust)

    def ask() -> Credentials:
        return enrolment.ask(settings.site, settings.role, settings.host, settings.owners)

    await enrolment.keep(ask, lambda: kiosk.accepted, begin, log)


if __name__ == "__main__":
    sys.exit(main())
