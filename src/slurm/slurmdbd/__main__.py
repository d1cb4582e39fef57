"""The program slurmdbd: its command line, its process, its end."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Sequence

import setproctitle
import uvloop

from slurm.config.slurmdbd import DEFAULT_PATH, NAME, DbdConfig
from slurm.daemon import logs, memory, signals, user
from slurm.daemon.process import PidFile, Readiness, to_background
from slurm.model import debug_flags
from slurm.model.errors import ConfigError, SlurmError
from slurm.model.version import SLURM_VERSION, version_line
from slurm.net.listening import raise_open_files
from slurm.slurmdbd import settings
from slurm.slurmdbd.service import Service

log = logging.getLogger("slurmdbd")


def parser() -> argparse.ArgumentParser:
    """Options as in slurmdbd(8)."""
    top = argparse.ArgumentParser(prog="slurmdbd", description="Keeps the accounting of clusters in a database.")
    top.add_argument("-D", action="store_true", dest="foreground", help="stay in the foreground and log to standard error")
    top.add_argument("-f", metavar="FILE", dest="conf", help="the slurmdbd.conf to use")
    top.add_argument("-L", metavar="FILE", dest="log_file", help="the log file to use")
    top.add_argument("-n", metavar="VALUE", dest="nice", type=int, default=0, help="run at this nice value")
    top.add_argument("-R", metavar="CLUSTERS", nargs="?", const="", dest="reset",
        help="(associations carry their lineage: there is nothing to reset)")
    top.add_argument("-s", action="store_true", dest="at_log", help="work in the folder of the log file, else in /var/tmp")
    top.add_argument("--systemd", action="store_true",
        help="for systemd units: stay in the foreground, log to the file that slurmdbd.conf names, else to standard error")
    top.add_argument("-v", action="count", dest="verbose", default=0, help="log more; twice: still more")
    top.add_argument("-V", "--version", action="version", version=version_line())
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon; exit status 0 after an orderly end, 1 when it could not start or the database is none of ours."""
    memory.give_back()
    options = parser().parse_args(argv)
    try:
        path = os.path.abspath(options.conf or _found())
        conf = settings.load(path)
    except (SlurmError, OSError) as error:
        for line in error.lines() if isinstance(error, SlurmError) else [str(error)]:
            print(f"slurmdbd: fatal: {line}", file=sys.stderr)
        return 1
    log_path = "" if options.foreground and not options.log_file else options.log_file or conf.text("LogFile")
    if log_path:
        log_path = os.path.abspath(log_path)
    readiness = Readiness("slurmdbd", -1 if options.foreground or options.systemd else to_background())
    try:
        return _run(options, conf, log_path, readiness)
    except (SlurmError, OSError) as error:
        lines = error.lines() if isinstance(error, SlurmError) else [str(error)]
    except KeyboardInterrupt:
        lines = ["interrupted while it started"]
    except Exception as error:
        log.critical("slurmdbd failed", exc_info=error)
        lines = [f"slurmdbd failed: {error!r}", "this is a fault of slurm-py: its log has the details"]
    if not logging.getLogger().handlers:  # before the log was opened: standard error, which is nowhere in the background
        logs.start("slurmdbd", logs.Verbosity(logging.INFO))
    for line in lines:
        log.critical("%s", line)
    readiness.failed(lines)
    return 1


def _found() -> str:
    """The slurmdbd.conf beside the slurm.conf that SLURM_CONF names, else the system's."""
    named = os.environ.get("SLURM_CONF")
    path = os.path.join(os.path.dirname(named), NAME) if named else DEFAULT_PATH
    if not os.path.exists(path):
        raise ConfigError(message=f"{path}: there is no such file", hints=["-f FILE names the slurmdbd.conf to use"])
    return path


def _run(options: argparse.Namespace, conf: DbdConfig, log_path: str, readiness: Readiness) -> int:
    """The life of the process that serves, from its pid file to its end."""
    os.umask(0o077)

    def verbosity_of(of: DbdConfig) -> logs.Verbosity:
        level = logs.level_of(of.text("DebugLevel"), options.verbose)
        return logs.Verbosity(level, debug_flags.known(of.words("DebugFlags")), of.text("LogTimeFormat"), logs.syslog_level(
            of.text("DebugLevelSyslog"), level, foreground=options.foreground, log_file=bool(log_path)))

    signals.calm()
    account = settings.account_of(conf)
    pid_file = PidFile(conf.text("PidFile"))
    pid_file.acquire("slurmdbd", account.uid if account.is_wanted else -1)
    heeded = signals.Signals()
    try:
        logs.start("slurmdbd", verbosity_of(conf), log_path)
        if log_path and account.is_wanted:
            user.hand_over(log_path, account)
        setproctitle.setproctitle("slurmdbd")
        if options.nice:
            os.nice(options.nice)
        if options.at_log:
            os.chdir(os.path.dirname(log_path) or "/var/tmp")
        for warning in conf.warnings:
            log.warning("%s", warning)
        log.info("slurmdbd version %s starts with %s", SLURM_VERSION, conf.path)
        raise_open_files()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Service(conf, verbosity_of, log_path, heeded, account).run(readiness.ready))
    finally:
        pid_file.release()
    heeded.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
