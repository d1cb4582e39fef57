"""One run of a list of the site's scripts, in order, by a shell that outlives slurmd and writes down how it went.

    <folder>/pid      the shell, a session of its own; its arguments name the folder
            /current  the script that runs; written when it begins
            /output   what they said
            /status   "<exit status> <script>" of the last one that ran, or "timeout <script>", "killed <script>"; there once it is over

What the scripts leave running on purpose (a daemon in a session of its own) goes on; what is left in the shell's own process group is
ended. Not here: which scripts, and what follows from how they went (`job_scripts`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from slurm.slurmd.stepd.timekeeping import boot_clock

log = logging.getLogger("slurmd.scripts")
MARK = "SLURM_PY_SCRIPTS"
"""The variable that names the folder: processes that have it are no strays of a step."""
_SHELL = """folder=$1; shift
set -C; echo $$ >"$folder/pid" || exit 126; set +C
while [ "$1" != -- ]; do
    echo $$ >"$1" || { printf '125 %s\\n' "$1" >"$folder/status"; exit 125; }
    shift
done
shift
status=0
for script; do
    printf '%s\\n' "$script" >"$folder/current"
    "$script" </dev/null >>"$folder/output" 2>&1
    status=$?
    [ "$status" = 0 ] || break
done
printf '%s %s\\n' "$status" "$script" >"$folder/status"
"""
_BEGUN_BEFORE = 126
"""How the shell ends when another one has begun in this folder."""
_LOOK_SECONDS = 0.1
_SHOWN_BYTES = 500


class Outcome(NamedTuple):
    """How a run ended: `why` is a sentence, "" when every script succeeded."""

    why: str = ""


def read(folder: str) -> Outcome | None:
    """How the run in a folder ended; None when it has not, or was cut short."""
    text = _text(folder, "status")
    if not text.endswith("\n"):
        return None
    status, _, script = text.rstrip("\n").partition(" ")
    if status == "0":
        return Outcome()
    how = {"timeout": "it took too long and was ended", "killed": "it was killed"}.get(status, f"exit status {status}")
    said = _text(folder, "output").strip()[-_SHOWN_BYTES:]
    return Outcome(f"{script}: {how}{f': {said}' if said else ''}")


async def run(
        folder: str, scripts: Sequence[str], environment: Mapping[str, str], seconds: float, helpers: set[int],
        doors: Sequence[str] = ()) -> Outcome:
    """Run the scripts, each for so many seconds at most (0: no end), or wait for those that an earlier slurmd began. OSError when nothing
    can be begun.

    The folder is new, or what an earlier call made. `helpers` has the shell's pid while it runs. `doors`: the files of cgroups by which it
    enters them.
    """
    known = read(folder)
    if known is not None:
        return known
    if os.path.exists(os.path.join(folder, "pid")):
        return await _adopted(folder, seconds)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    running = Running(folder, boot_clock())
    process = _start(folder, scripts, environment, doors)
    helpers.add(process.pid)
    try:
        while process.poll() is None:
            if not await _ended(process.pid, running.left(seconds)) and running.overdue(seconds):
                _end(folder, process.pid, "timeout")
    finally:
        helpers.discard(process.pid)
    if process.returncode == _BEGUN_BEFORE:
        return await _adopted(folder, seconds)
    return _conclude(folder, process.pid)


def _start(folder: str, scripts: Sequence[str], environment: Mapping[str, str], doors: Sequence[str]) -> subprocess.Popen[bytes]:
    # No child of asyncio's, which would be killed with the loop: the shell outlives slurmd.
    return subprocess.Popen(
        ["/bin/sh", "-c", _SHELL, "slurm-scripts", folder, *doors, "--", *scripts], env={**environment, MARK: folder}, cwd="/", stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


async def _ended(pid: int, seconds: float | None) -> bool:
    """Wait until a child has ended, or for so long; whether it has."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    descriptor = os.pidfd_open(pid)

    def notice() -> None:
        loop.remove_reader(descriptor)
        over.set_result(None)

    loop.add_reader(descriptor, notice)
    try:
        await asyncio.wait([over], timeout=seconds)
        return over.done()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _adopted(folder: str, seconds: float) -> Outcome:
    """Those that an earlier slurmd began go on; it is not known when their shell is reaped, so it is looked at."""
    log.info("scripts of %s were begun before: they are waited for", folder)
    pid = int(_text(folder, "pid").strip() or 0)
    running = Running(folder, _started(pid))
    while read(folder) is None and is_shell(pid, folder):
        if running.overdue(seconds):
            _end(folder, pid, "timeout")
        await asyncio.sleep(_LOOK_SECONDS)
    return _conclude(folder, pid)


def is_shell(pid: int, folder: str) -> bool:
    """Whether a process lives and is the shell of this run."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return os.fsencode(folder) in file.read().split(b"\0")
    except OSError:
        return False


def is_marked(pid: int) -> bool:
    """Whether a process was begun by some run whose folder is still there: a daemon that a prolog left for its job."""
    prefix = f"{MARK}=".encode()
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            folder = next((entry[len(prefix):] for entry in file.read().split(b"\0") if entry.startswith(prefix)), b"")
        # Only a folder that its owner may not look into proves anything: a job can write any name into its environment.
        return bool(folder) and os.stat(folder).st_uid == os.geteuid() and os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def remove(folder: str) -> None:
    """Forget a run."""
    shutil.rmtree(folder, ignore_errors=True)


def _conclude(folder: str, pid: int) -> Outcome:
    found = read(folder)
    if found is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return found
    if not os.path.isdir(folder):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return Outcome(f"{folder} was removed while they ran: how they ended is not known")
    _write(folder, "killed")
    return read(folder) or Outcome("the shell that runs the scripts was killed")


def _end(folder: str, pid: int, how: str) -> None:
    _write(folder, how)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _write(folder: str, how: str) -> None:
    try:
        with open(os.path.join(folder, "status"), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{how} {_text(folder, 'current').strip() or 'no script'}\n")
    except OSError as error:
        log.error("how the scripts of %s ended (%s) cannot be written: %s", folder, how, error.strerror)


class Running:
    """How long the script that runs now has run, whatever becomes of the machine's clock meanwhile. `looked`: when it was certainly not
    running yet, by the clock that nobody sets."""

    def __init__(self, folder: str, looked: float, *, clock: Callable[[], float] = boot_clock,
                 wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._wall = wall
        self._looked = self._began = looked
        self._written = 0.0  # when the file was that names the script, by the machine's clock

    @property
    def seconds(self) -> float:
        """Since it began."""
        now = self._clock()
        written = self._last_written()
        if written != self._written:
            self._written = written
            # The two clocks agree about a time as short as since the last look, or the machine's was set.
            self._began = now - min(max(0.0, self._wall() - written), now - self._looked)
        self._looked = now
        return now - self._began

    def left(self, limit: float) -> float | None:
        """Seconds until it is overdue, at least _LOOK_SECONDS; None without a limit."""
        return max(_LOOK_SECONDS, limit - self.seconds) if limit else None

    def overdue(self, limit: float) -> bool:
        """Whether it has run for longer than it may; `limit` 0: there is none."""
        return bool(limit) and self.seconds >= limit

    def _last_written(self) -> float:
        for name in ("current", "pid"):
            try:
                return os.stat(os.path.join(self._folder, name)).st_mtime
            except (FileNotFoundError, NotADirectoryError):
                continue
        return self._written


def _started(pid: int) -> float:
    """When a process began, by the clock that nobody sets; now for one that is not there."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return boot_clock()


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
