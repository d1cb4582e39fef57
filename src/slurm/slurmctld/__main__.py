"""The program slurmctld: its command line, its process, its end."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence

import setproctitle
import uvloop

from slurm.config import check
from slurm.config.config import Config, load
from slurm.config.keys import find_conf
from slurm.daemon import logs
from slurm.daemon.process import PidFile, to_background
from slurm.model.errors import SlurmError, Unreachable
from slurm.model.version import SLURM_VERSION
from slurm.slurmctld import faultpoints
from slurm.slurmctld.service import Service

log = logging.getLogger("slurmctld")


def parser() -> argparse.ArgumentParser:
    """Options as in slurmctld(8)."""
    top = argparse.ArgumentParser(prog="slurmctld", description="The controller of a cluster: queue, nodes, scheduling.")
    top.add_argument("-D", action="store_true", dest="foreground", help="stay in the foreground and log to standard error")
    top.add_argument("-c", action="store_true", dest="clean", help="forget all jobs and node states of the last run (kept as a backup beside it)")
    top.add_argument("-f", metavar="FILE", dest="conf", help="the slurm.conf to use")
    top.add_argument("-L", metavar="FILE", dest="log_file", help="the log file to use")
    top.add_argument("-n", metavar="VALUE", dest="nice", type=int, default=0, help="run at this nice value")
    top.add_argument("-t", action="store_true", dest="test", help="check the configuration and say what is wrong with it")
    top.add_argument("-v", action="count", dest="verbose", default=0, help="log more; twice: still more")
    top.add_argument("-V", "--version", action="version", version=f"slurm {SLURM_VERSION}")
    return top


def _forget(folder: str) -> None:
    path = os.path.join(folder, "journal.db")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.replace(path + suffix, f"{path}.old{suffix}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the controller; exit status 0 after an orderly end, 1 when it could not start."""
    options = parser().parse_args(argv)
    try:
        path = options.conf or find_conf(os.environ)
        if path is None:
            raise Unreachable(message="no slurm.conf: name one with -f or SLURM_CONF, or start a cluster with `slurm up`")
        path = os.path.abspath(path)
        if options.test:
            status, lines = check.check(path)
            print("\n".join(lines))
            return status
        config = load(path)
        faultpoints.arm(os.environ.get("SLURM_PY_CRASH_AT", ""))
    except SlurmError as error:
        for line in error.lines():
            print(f"slurmctld: fatal: {line}", file=sys.stderr)
        return 1
    log_path = "" if options.foreground and not options.log_file else options.log_file or config.text("SlurmctldLogFile")
    pipe = -1 if options.foreground else to_background()
    pid_file = PidFile(config.text("SlurmctldPidFile"))

    def report(text: str) -> None:
        if pipe >= 0:
            os.write(pipe, (text + "\n").encode())

    try:
        pid_file.acquire("slurmctld")
        level = logs.level_of(config.text("SlurmctldDebug"), options.verbose)
        logs.start("slurmctld", level, log_path)
        setproctitle.setproctitle("slurmctld")
        if options.nice:
            os.nice(options.nice)
        for warning in config.warnings:
            log.warning("%s", warning)
        if options.clean:
            _forget(config.state_save_location)
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, level, log_path, lambda: report("ready")))
    except (SlurmError, OSError) as error:
        lines = error.lines() if isinstance(error, SlurmError) else [str(error)]
        for line in lines:
            log.critical("%s", line)
        report("slurmctld: fatal: " + "; ".join(lines))
        if pipe < 0 and not logging.getLogger().handlers:
            print(f"slurmctld: fatal: {'; '.join(lines)}", file=sys.stderr)
        return 1
    finally:
        pid_file.release()
    return 0


async def _serve(config: Config, level: int, log_path: str, ready: Callable[[], None]) -> None:
    await Service(config, level, log_path).run(ready)


if __name__ == "__main__":
    sys.exit(main())
