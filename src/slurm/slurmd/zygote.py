"""The zygote: a small process with everything loaded from which each slurmstepd is forked, in a third of a millisecond.

slurmd starts it with one end of a SOCK_SEQPACKET pair as standard input. Each packet is a JSON object:

    slurmd → {"folder": "/…/steps/job00012.1.batch"} with the open, locked journal and, for a step of srun, its connection attached
           ← {"folder": …, "pid": 4711} or {"folder": …, "error": "Resource temporarily unavailable"}
           ← {"gone": 4711, "status": 0}    once nothing of that step is left

When slurmd ends the zygote stays until its last slurmstepd has ended: it is where the processes of a killed slurmstepd arrive, and it
kills them. It must stay single-threaded and small; it imports neither msgspec nor asyncio nor anything that imports threading.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback

from slurm.slurmd.stepd import folder, kernel, tree
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.loop import catch_signals
from slurm.slurmd.stepd.supervisor import supervise

LONGEST = 8192
_MOST_DESCRIPTORS = 2
_INT = struct.Struct("i")


class Zygote:
    """Serves one channel to slurmd until that is closed and the last slurmstepd has ended."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel: socket.socket | None = channel
        self._stepds: set[int] = set()
        self._unsaid: list[dict[str, int]] = []
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def serve(self) -> None:
        """Fork and reap."""
        catch_signals()
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        while self._channel is not None or self._stepds or self._unsaid:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._wake:
                    os.read(self._wake, 4096)
                    self._reap()
                elif self._channel is not None:
                    self._take(self._channel)

    def _take(self, channel: socket.socket) -> None:
        try:
            packet, descriptors = _receive(channel)
        except ConnectionError:
            packet, descriptors = b"", []
        if not packet:
            self._poll.unregister(channel)
            channel.close()
            self._channel = None
            return
        path = json.loads(packet)["folder"]
        try:
            record = folder.read_record(descriptors[0])  # here, not in the child: each page that a child touches costs it a copy
            pid = os.fork()
        except (OSError, ValueError, TypeError) as error:
            self._say({"folder": path, "error": str(error)})
        else:
            if pid == 0:
                self._become_stepd(path, record, descriptors)
            self._stepds.add(pid)
            self._say({"folder": path, "pid": pid})
        for descriptor in descriptors:
            os.close(descriptor)

    def _become_stepd(self, path: str, record: StepRecord, descriptors: list[int]) -> None:
        status = 1
        try:
            if self._channel is not None:
                self._channel.close()
            signal.set_wakeup_fd(-1)
            os.close(self._wake)
            os.close(self._waker)
            connection = socket.socket(fileno=descriptors[1]) if len(descriptors) > 1 else None
            supervise(path, record, descriptors[0], connection)
            status = 0
        except Exception:  # noqa: BLE001 - the step's last words; slurmd finds the journal without a last line and cleans up
            traceback.print_exc()
        finally:
            os._exit(status)

    def _reap(self) -> None:
        hunt = bool(self._unsaid)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._stepds:
                self._stepds.discard(pid)
                self._unsaid.append({"gone": pid, "status": status})
                hunt = hunt or status != 0
        # A child that is no stepd is what a killed stepd left behind. Each one killed wakes us again, until none is left.
        if hunt and tree.kill_descendants(os.getpid(), skip=self._stepds):
            return
        for notice in self._unsaid:
            self._say(notice)
        self._unsaid.clear()

    def _say(self, message: dict[str, object] | dict[str, int]) -> None:
        if self._channel is None:
            return
        try:
            self._channel.send(json.dumps(message).encode())
        except ConnectionError:
            return  # slurmd has ended; the next look at the channel says so too


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """A packet and the descriptors that came with it, closed on exec: socket.recv_fds drops that flag, and a job would inherit them."""
    packet, ancillary, _flags, _sender = channel.recvmsg(LONGEST, socket.CMSG_SPACE(_MOST_DESCRIPTORS * _INT.size), socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors += [number for (number,) in _INT.iter_unpack(data)]
    return packet, descriptors


def main() -> None:
    """Serve the socket that is our standard input."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    kernel.adopt_orphans()
    kernel.set_title("slurmd: zygote")
    gc.collect()
    gc.freeze()
    gc.disable()
    Zygote(channel).serve()


if __name__ == "__main__":
    main()
    sys.exit(0)
