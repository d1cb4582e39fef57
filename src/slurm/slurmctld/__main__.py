"""The program slurmctld: its command line, its process, its end."""

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

from slurm.config import check
from slurm.config.config import Config, load
from slurm.config.keys import find_conf
from slurm.daemon import logs, memory, signals, user
from slurm.daemon.process import PidFile, Readiness, begin_again, to_background
from slurm.model import debug_flags
from slurm.model.errors import ConfigError, SlurmError, Unreachable
from slurm.model.version import SLURM_VERSION, version_line
from slurm.net.listening import raise_open_files
from slurm.slurmctld import faultpoints, setup
from slurm.slurmctld.seat import seat_of
from slurm.slurmctld.service import Ending, Service, forget

log = logging.getLogger("slurmctld")
HAS_LED = "SLURM_PY_HAS_LED"
"""Set in a process that led before it began again, and does not take the lead back by itself."""


def parser() -> argparse.ArgumentParser:
    """Options as in slurmctld(8)."""
    top = argparse.ArgumentParser(prog="slurmctld", description="The controller of a cluster: queue, nodes, scheduling.")
    top.add_argument("-D", action="store_true", dest="foreground", help="stay in the foreground and log to standard error")
    top.add_argument("-c", action="store_true", dest="clean",
        help="forget all jobs and node states of the last run (kept as a backup beside it)")
    top.add_argument("-f", metavar="FILE", dest="conf", help="the slurm.conf to use")
    top.add_argument("-i", action="store_true", dest="ignore",
        help="(nothing is ever dropped: a state that cannot be read is named and left as it is)")
    top.add_argument("-L", metavar="FILE", dest="log_file", help="the log file to use")
    top.add_argument("-n", metavar="VALUE", dest="nice", type=int, default=0, help="run at this nice value")
    top.add_argument("-r", action="store_true", help="recover jobs and what became of nodes (they always are); partitions are as "
                                                     "slurm.conf has them")
    top.add_argument("-R", action="store_true", dest="whole", help="recover partitions too, as scontrol made and changed them")
    top.add_argument("-s", action="store_true", dest="at_log",
        help="work in the folder of the log file, else in StateSaveLocation, else in /var/tmp")
    top.add_argument("--systemd", action="store_true",
        help="for systemd units: stay in the foreground, log to the file that slurm.conf names, else to standard error")
    top.add_argument("-t", action="store_true", dest="test", help="check the configuration and say what is wrong with it")
    top.add_argument("-v", action="count", dest="verbose", default=0, help="log more; twice: still more")
    top.add_argument("-V", "--version", action="version", version=version_line())
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the controller; exit status 0 after an orderly end, 1 when it could not start."""
    memory.give_back()
    options = parser().parse_args(argv)
    try:
        path = options.conf or find_conf(os.environ)
        if path is None:
            raise Unreachable(message="no slurm.conf: name one with -f or SLURM_CONF, or start a cluster with `slurm up`")
        path = os.path.abspath(path)
        if options.test:
            status, lines = check.check(path, lambda conf: setup.configured(conf, 0.0, []))
            print("\n".join(lines))
            return status
        config = load(path)
        faultpoints.arm(os.environ.get("SLURM_PY_CRASH_AT", ""))
    except SlurmError as error:
        for line in error.lines():
            print(f"slurmctld: fatal: {line}", file=sys.stderr)
        return 1
    log_path = "" if options.foreground and not options.log_file else options.log_file or config.text("SlurmctldLogFile")
    if log_path:
        log_path = os.path.abspath(log_path)
    readiness = Readiness("slurmctld", -1 if options.foreground or options.systemd else to_background())
    try:
        return _run(options, config, log_path, readiness)
    except (SlurmError, OSError) as error:
        lines = error.lines() if isinstance(error, SlurmError) else [str(error)]
    except KeyboardInterrupt:
        lines = ["interrupted while it started"]
    except Exception as error:
        log.critical("slurmctld failed", exc_info=error)
        lines = [f"slurmctld failed: {error!r}", "this is a fault of slurm-py: its log has the details"]
    _complain(lines)
    readiness.failed(lines)
    return 1


def _run(options: argparse.Namespace, config: Config, log_path: str, readiness: Readiness) -> int:
    """The life of the process that serves, from its pid file to its end."""
    os.umask(0o022)

    def verbosity_of(of: Config) -> logs.Verbosity:
        level = logs.level_of(of.text("SlurmctldDebug"), options.verbose)
        return logs.Verbosity(level, debug_flags.known(of.words("DebugFlags")), of.text("LogTimeFormat"), logs.syslog_level(
            of.text("SlurmctldSyslogDebug"), level, foreground=options.foreground, log_file=bool(log_path)))

    signals.calm()
    account = setup.account_of(config)
    pid_file = PidFile(config.text("SlurmctldPidFile"))
    pid_file.acquire("slurmctld", account.uid if account.is_wanted else -1)
    heeded = signals.Signals()
    try:
        logs.start("slurmctld", verbosity_of(config), log_path)
        if log_path and account.is_wanted:
            user.hand_over(log_path, account)
        setproctitle.setproctitle("slurmctld")
        if options.nice:
            os.nice(options.nice)
        if options.at_log:
            _work_at(os.path.dirname(log_path), config.state_save_location, "/var/tmp")
        for warning in (*config.warnings, *check.traps(config)):
            log.warning("%s", warning)
        log.info("slurmctld version %s of cluster %s starts with %s", SLURM_VERSION, config.cluster_name, config.path)
        seat = seat_of(config)
        if options.clean and not seat.alone:
            raise ConfigError(message="-c: several slurmctlds share this state: stop them all, and put StateSaveLocation aside by hand")
        if options.clean:
            forget(config.state_save_location)
        if options.ignore:
            log.warning("-i: nothing of the state is ever dropped; what cannot be read is named, and -c begins with an empty cluster")
        raise_open_files()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ending = runner.run(Service(
                config, verbosity_of, log_path, signals=heeded, account=account, whole_state=options.whole, seat=seat,
                fresh=HAS_LED not in os.environ).run(readiness.ready))
    finally:
        pid_file.release()
    heeded.end()
    return 0 if ending is Ending.STOPPED else _stand_by(account)


def _stand_by(account: user.Account) -> int:
    """Another slurmctld leads: begin this process again, so that nothing of its lead is left, to stand by."""
    if account.is_wanted and os.geteuid() != 0:
        log.error("this slurmctld stands by when it is started again: as SlurmUser it cannot take its ports and files anew "
                  "(Restart=on-failure of "
                  "its systemd unit starts it)")
        return 1
    begin_again({**{name: text for name, text in os.environ.items() if name != "SLURM_PY_CRASH_AT"}, HAS_LED: "1"})


def _work_at(*folders: str) -> None:
    """Change to the first of these folders that can be entered."""
    for folder in filter(None, folders):
        try:
            os.chdir(folder)
        except OSError as error:
            log.warning("cannot work in %s: %s", folder, error.strerror)
        else:
            return


def _complain(lines: list[str]) -> None:
    if not logging.getLogger().handlers:  # before the log was opened: standard error, which is nowhere in the background
        logs.start("slurmctld", logs.Verbosity(logging.INFO))
    for line in lines:
        log.critical("%s", line)


if __name__ == "__main__":
    sys.exit(main())
