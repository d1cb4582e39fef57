"""The daemons of an embedded cluster as processes: started, seen, stopped.

Pid files are locked by those who live, so stale ones fool nobody.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from slurm.daemon.process import holder_of
from slurm.model.errors import Unreachable
from slurm.net.discovery import Instance

START_SECONDS = 20.0
STOP_SECONDS = 20.0
HEED_SECONDS = 0.1
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Heed = Callable[[], None]
"""Called where a stop may come: it raises when one was asked for."""


class Daemon(NamedTuple):
    """One daemon: `program` slurmctld, slurmd, slurmdbd or slurmrestd, `node` its node name (slurmd), where its pid file and log are, its
    configuration, and what more is on its command line."""

    program: str
    node: str
    pid_file: str
    log: str
    conf: str
    more: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As ps shows it."""
        return f"{self.program} {self.node}" if self.node else self.program

    @property
    def pid(self) -> int:
        """Its process, 0 when it does not run."""
        return holder_of(self.pid_file)


def daemons(instance: Instance, nodes: list[str]) -> list[Daemon]:
    """All daemons of a cluster with these nodes, controller first; slurmdbd and slurmrestd where the cluster has them."""
    def one(program: str, node: str = "", conf: str = instance.conf) -> Daemon:
        name = f"{program}-{node}" if node else program
        return Daemon(program, node, f"{instance.run}/{name}.pid", f"{instance.log}/{name}.log", conf)

    accounting = [one("slurmdbd", conf=instance.dbd_conf)] if os.path.exists(instance.dbd_conf) else []
    rest = []
    if os.path.exists(instance.rest_wanted):
        found = one("slurmrestd")
        port = web_port(instance)
        rest.append(found._replace(more=("--background", "--pid-file", found.pid_file, "-L", found.log, f"unix:{instance.rest_socket}",
            *([f"127.0.0.1:{port}"] if port else []))))
    return [one("slurmctld"), *(one("slurmd", node) for node in nodes), *accounting, *rest]


def web_port(instance: Instance) -> int:
    """The port at which somebody wanted the web page, 0 when nobody has."""
    try:
        with open(instance.web_port) as file:
            text = file.read().strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdecimal() else 0


def _last_lines(path: str, count: int = 5) -> list[str]:
    try:
        with open(path, errors="replace") as file:
            return [line.rstrip() for line in file.readlines()[-count:]]
    except OSError:
        return []


@contextmanager
def undisturbed() -> Iterator[None]:
    """Finish what is begun although somebody presses ctrl-C once more: for cleaning up."""
    before = [signal.signal(number, signal.SIG_IGN) for number in STOPPING]
    try:
        yield
    finally:
        for number, handler in zip(STOPPING, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[Heed]:
    """While this lasts, ctrl-C and its like take effect only where what it gives is called: never between a process and the note that it
    was begun."""
    came: list[int] = []
    before = {number: handler for number in STOPPING if (handler := signal.getsignal(number)) is not signal.SIG_IGN}

    def heed() -> None:
        for number in came[:1]:
            came.clear()
            handler = before[signal.Signals(number)]
            if not callable(handler):
                raise SystemExit(128 + number)
            handler(number, None)

    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield heed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start(found: list[Daemon], heed: Heed) -> None:
    """Start daemons in the background and wait until each reported that it is ready; Unreachable names the one that is not and its log.

    Within `held`, which gives `heed`.
    """
    running: list[tuple[Daemon, subprocess.Popen[bytes]]] = []
    try:
        for daemon in found:
            words = [sys.executable, "-m", f"slurm.{daemon.program}", "-f", daemon.conf]
            if daemon.node:
                words += ["-N", daemon.node]
            # Whoever starts the cluster is its SlurmUser, and nobody else reaches its folder.
            environ = {**os.environ, "SLURMRESTD_SECURITY": "disable_user_check"} if daemon.program == "slurmrestd" else None
            running.append((daemon, subprocess.Popen(
                [*words, *daemon.more], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
                env=environ)))
            heed()
        failed = [(daemon, why) for daemon, process in running if (why := _outcome(process, heed)) is not None]
    except BaseException:
        # Whoever stops the daemons after this finds those by their pid files that have come so far: wait until all have.
        for _, process in running:
            _outcome(process)
        raise
    if failed:
        daemon, why = failed[0]
        raise Unreachable(message=f"{daemon.name} did not start: {why or 'see its log'}",
            hints=[f"log: {daemon.log}", *_last_lines(daemon.log)])


def _outcome(process: subprocess.Popen[bytes], heed: Heed | None = None) -> str | None:
    """None once the daemon is ready, else why it is not."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            _, errors = process.communicate(timeout=HEED_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if heed is not None:
                heed()
            if time.monotonic() > deadline:
                process.kill()
                return f"it was not ready within {START_SECONDS:.0f} s"
    return errors.decode(errors="replace").strip() if process.returncode else None


def stop(found: list[Daemon], seconds: float = STOP_SECONDS) -> list[str]:
    """End daemons in order (slurmrestd and nodes first, then the controller, slurmdbd last); returns what had to be killed or did not run,
    in words."""
    notes: list[str] = []
    for group in ([d for d in found if d.program == program] for program in ("slurmrestd", "slurmd", "slurmctld", "slurmdbd")):
        waiting: list[tuple[Daemon, int]] = []
        for daemon in group:
            pid = daemon.pid
            if pid:
                _signal(pid, signal.SIGTERM)
                waiting.append((daemon, pid))
        deadline = time.monotonic() + seconds
        while waiting and time.monotonic() < deadline:
            waiting = [(daemon, pid) for daemon, pid in waiting if daemon.pid == pid]
            if waiting:
                time.sleep(0.02)
        for daemon, pid in waiting:
            _signal(pid, signal.SIGKILL)
            notes.append(f"{daemon.name} (pid {pid}) did not stop in {seconds:.0f} s and was killed")
    return notes


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
