"""The zygote: a small process with everything loaded from which each slurmstepd is forked, in a third of a millisecond.

slurmd starts it with one end of a SOCK_SEQPACKET pair as standard input. Each packet is a JSON object:

    slurmd → {"folder": "/…/steps/job00012.1.batch"} with the open, locked journal and, for a step of srun, its connection (and proof)
    attached
           ← {"folder": …, "pid": 4711} or {"folder": …, "error": "Resource temporarily unavailable"}
           ← {"gone": 4711, "status": 0}    once nothing of that step is left
    slurmd → {"cgroups": ["/sys/fs/cgroup/…/slurmd_cn01.fe00.1234"]}    to be removed, where they are empty, by a zygote that outlives its
    slurmd

A slurmstepd that has ended its step gets the next one, if that comes soon (`stepd.worker`). When slurmd ends the zygote stays until its
last step has ended: it is where the processes of a killed slurmstepd arrive, and it kills them. It must stay single-threaded and small; it
imports neither msgspec nor asyncio nor anything that imports threading.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback

from slurm.slurmd.stepd import cgroup, kernel, limits, passing, tree, worker
from slurm.slurmd.stepd.loop import catch_signals

MOST_IDLE = 8
"""Slurmstepds without a step are kept while there are fewer than this, or than are busy; for IDLE_MILLISECONDS in which nothing comes."""
IDLE_MILLISECONDS = 500
HUNT_SECONDS = 3.0
"""So long is a killed slurmstepd's end kept back while what it left is being ended; then slurmd is told, and looks for itself."""


class Stepd:
    """One slurmstepd; `busy` while it has a step."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.busy = True


class Zygote:
    """Serves one channel to slurmd until that is closed and the last slurmstepd has ended."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel: socket.socket | None = channel
        self._stepds: dict[int, Stepd] = {}
        self._by_descriptor: dict[int, Stepd] = {}
        self._idle: list[Stepd] = []
        self._unsaid: list[dict[str, object]] = []
        self._unsaid_until = 0.0
        self._cgroups: list[str] = []
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def serve(self) -> None:
        """Fork, hand out steps and reap."""
        catch_signals()
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        while self._channel is not None or self._stepds or self._unsaid:
            ready = self._poll.poll(IDLE_MILLISECONDS if self._idle or self._unsaid else None)
            if not ready or self._channel is None:
                self._dismiss()
            if self._unsaid and not ready:
                self._reap()
            for descriptor, _ in ready:
                if descriptor == self._wake:
                    os.read(self._wake, 4096)
                    self._reap()
                elif descriptor in self._by_descriptor:
                    self._hear(self._by_descriptor[descriptor])
                elif self._channel is not None and descriptor == self._channel.fileno():
                    self._take(self._channel)
        for path in self._cgroups:
            cgroup.remove_empty(path)

    # --- steps in --------------------------------------------------------------------------------------------------------

    def _take(self, channel: socket.socket) -> None:
        packet, descriptors = passing.receive(channel)
        if not packet:
            self._poll.unregister(channel)
            channel.close()
            self._channel = None
            self._dismiss()
            return
        message = json.loads(packet)
        if "cgroups" in message:
            self._cgroups = message["cgroups"]
            return
        path = message["folder"]
        try:
            stepd = self._hand(path, descriptors) or self._fork(path, descriptors)
        except OSError as error:
            self._say({"folder": path, "error": error.strerror or str(error)})
        else:
            self._say({"folder": path, "pid": stepd.pid})
        for descriptor in descriptors:
            os.close(descriptor)

    def _hand(self, path: str, descriptors: list[int]) -> Stepd | None:
        while self._idle:
            stepd = self._idle.pop()
            if passing.send(stepd.channel, path.encode(), descriptors):
                stepd.busy = True
                return stepd
        return None

    def _fork(self, path: str, descriptors: list[int]) -> Stepd:
        ours, theirs = passing.pair()
        with theirs:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                raise
            if pid == 0:
                ours.close()
                self._become_stepd(theirs, path, descriptors)
        stepd = Stepd(pid, ours)
        self._stepds[pid] = stepd
        self._by_descriptor[ours.fileno()] = stepd
        self._poll.register(ours, select.POLLIN)
        return stepd

    def _become_stepd(self, channel: socket.socket, path: str, descriptors: list[int]) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            os.close(self._wake)
            os.close(self._waker)
            for other in self._stepds.values():
                other.channel.close()
            if self._channel is not None:
                self._channel.close()
            worker.work(channel, path, descriptors)
            status = 0
        except Exception:  # noqa: BLE001 - the step's last words; slurmd finds the journal without a last line and cleans up
            traceback.print_exc()
        finally:
            os._exit(status)

    # --- steps out -------------------------------------------------------------------------------------------------------

    def _hear(self, stepd: Stepd) -> None:
        packet, _ = passing.receive(stepd.channel)
        if not packet:
            self._forget_channel(stepd)  # it is ending; how, reaping tells
            return
        stepd.busy = False
        self._say({"gone": stepd.pid, "status": 0})
        if packet == worker.ENDED and self._channel is not None and len(self._idle) < max(MOST_IDLE, len(self._stepds) // 2):
            self._idle.append(stepd)
        else:
            self._forget_channel(stepd)

    def _dismiss(self) -> None:
        while self._idle:
            self._forget_channel(self._idle.pop())

    def _forget_channel(self, stepd: Stepd) -> None:
        if self._by_descriptor.pop(stepd.channel.fileno(), None) is not None:
            self._poll.unregister(stepd.channel)
            stepd.channel.close()
        if stepd in self._idle:
            self._idle.remove(stepd)

    def _reap(self) -> None:
        hunt = bool(self._unsaid)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            stepd = self._stepds.pop(pid, None)
            if stepd is not None:
                self._forget_channel(stepd)
                hunt = hunt or status != 0
                if stepd.busy:
                    self._unsaid_until = self._unsaid_until if self._unsaid else time.monotonic() + HUNT_SECONDS
                    self._unsaid.append({"gone": pid, "status": status})
        # A child that is no stepd is what a killed stepd left behind. Each one killed wakes us again, until none is left.
        if hunt and tree.kill_descendants(os.getpid(), skip=self._stepds) and time.monotonic() < self._unsaid_until:
            return
        for notice in self._unsaid:
            self._say(notice)
        self._unsaid.clear()

    def _say(self, message: dict[str, object]) -> None:
        if self._channel is not None:
            passing.send(self._channel, json.dumps(message).encode())


def main() -> None:
    """Serve the socket that is our standard input."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    kernel.adopt_orphans()
    limits.raise_own()
    kernel.set_title("slurmd: zygote")
    if "--secured" in sys.argv:
        import slurm.net.tls  # noqa: F401 - 5 MB, and 15 ms for each step that would load it itself
    gc.collect()
    gc.freeze()
    gc.disable()
    Zygote(channel).serve()


if __name__ == "__main__":
    main()
    sys.exit(0)
