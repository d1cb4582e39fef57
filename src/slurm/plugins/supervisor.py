"""The process of a plug-in: this parent keeps an eye on the worker that calls it, and leaves nothing behind.

Whatever the plug-in does, forks away included, ends here: orphans become this process's children and are killed with it. It ends when the
worker does, on SIGTERM at once, and a grace after whoever started it is gone, however that ended: what the worker has begun it may finish.
`python -m slurm.plugins.supervisor CHANNEL LIFELINE GRACE`: two descriptors and seconds.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_END_SECONDS = 5.0
_LOOK_SECONDS = 0.005


def main(arguments: list[str]) -> int:
    """Live; the exit status is the worker's, 128 + signal where one ended it."""
    channel, lifeline, grace = int(arguments[0]), int(arguments[1]), float(arguments[2])
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    worker = os.fork()
    if worker == 0:
        os.close(lifeline)
        _live(channel)
    os.close(channel)
    status = _watch(worker, reading, lifeline, grace)
    end_descendants()
    return status


def _live(channel: int) -> None:
    """The worker's life; it never returns."""
    status = 1
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        from slurm.plugins.worker import serve
        status = serve(channel)
    except BaseException:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(worker: int, wakeup: int, lifeline: int, grace: float) -> int:
    poller = select.poll()
    poller.register(wakeup, select.POLLIN)
    poller.register(lifeline, select.POLLIN)
    until: float | None = None
    while until is None or time.monotonic() < until:
        for descriptor, _ in poller.poll(None if until is None else max(0.0, until - time.monotonic()) * 1000):
            if descriptor == lifeline:  # nobody writes to it: it has ended
                poller.unregister(lifeline)
                until = time.monotonic() + grace
            elif signal.SIGTERM in os.read(wakeup, 4096):
                return 128 + signal.SIGTERM
        while (gone := reaped()) is not None:
            if gone[0] == worker:
                return os.waitstatus_to_exitcode(gone[1]) if os.WIFEXITED(gone[1]) else 128 + os.WTERMSIG(gone[1])
    return 128 + signal.SIGALRM


def reaped() -> tuple[int, int] | None:
    """Pid and wait status of a child that has ended; None when none has."""
    try:
        gone = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return gone if gone[0] else None


def end_descendants() -> None:
    """Kill all there are until there are none: those of a killed one come to us."""
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError as error:
                print(f"process {pid} of the plug-in has another user and cannot be ended: {error}", file=sys.stderr)
        while reaped() is not None:
            pass
        if not _descendants():
            return
        time.sleep(_LOOK_SECONDS)


def _descendants() -> list[int]:
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if fields[0] != b"Z" or int(fields[1]) == os.getpid():
                parents.setdefault(int(fields[1]), []).append(int(name))
    found, left = [], [os.getpid()]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def prctl(option: int, value: int) -> None:
    """prctl(2) of this process. OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
