"""The sockets of PMI: one pair a task, whose far end the task inherits as PMI_FD. What is said over them is `talk`'s matter.

What a task sends that is no PMI ends its own step, with a sentence, and nothing else. A task that does not take its answers is not read any
more.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import NamedTuple

from slurm.slurmd.stepd.loop import READ, WRITE, Loop, readable
from slurm.slurmd.stepd.mpi.group import Facts, Group
from slurm.slurmd.stepd.mpi.notation import Malformed
from slurm.slurmd.stepd.mpi.talk import Talk

VARIABLES = ("PMI_FD", "PMI_RANK", "PMI_SIZE", "PMI_SPAWNED", "PMI_JOBID", "MPI_LOCALNRANKS", "MPI_LOCALRANKID")
"""What a task is told by; of another step they mean nothing, its PMI_FD least of all."""
_TUNING = "PMIX_MCA_"
_CHUNK = 1 << 16
_MUCH = 1 << 16


def without_outer(environment: dict[str, str]) -> dict[str, str]:
    """An environment without what an MPI task, which called srun, was told by. Its user's own settings of PMIx stay."""
    if "PMI_FD" not in environment and "PMIX_NAMESPACE" not in environment:
        return environment
    return {name: value for name, value in environment.items()
            if name not in VARIABLES and (not name.startswith("PMIX_") or name.startswith(_TUNING))}


class Given(NamedTuple):
    """What a task is started with: a descriptor to inherit (-1: none), which is to be closed once it has been started, and variables."""

    descriptor: int
    environment: dict[str, str]


class Service:
    """PMI for the tasks of one step here. `exchange` and `abort` as in `group.Group`."""

    def __init__(self, loop: Loop, facts: Facts, exchange: Callable[[bytes], None], abort: Callable[[int, int, str], None]) -> None:
        self._loop = loop
        self._facts = facts
        self._abort = abort
        self._group = Group(facts, exchange, abort)
        self._lines: dict[int, _Line] = {}

    def open(self, rank: int, local: int) -> Given:
        """A new connection for the task that is about to be started. OSError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        line = self._lines[rank] = _Line(self._loop, ours, lambda: self._lines.pop(rank, None), lambda why: self._abort(rank, 1, why))
        line.talk = Talk(rank, self._group, line.put)
        descriptor = theirs.detach()
        os.set_inheritable(descriptor, True)
        return Given(descriptor, {
            "PMI_FD": str(descriptor), "PMI_RANK": str(rank), "PMI_SIZE": str(self._group.size), "PMI_SPAWNED": "0",
            "PMI_JOBID": self._facts.name,
            "MPI_LOCALNRANKS": str(len(self._facts.local)), "MPI_LOCALRANKID": str(local)})

    def exchanged(self, everything: bytes) -> None:
        """What all nodes gave for the fence that this one has given for. ValueError when it is damaged."""
        self._group.exchanged(everything)

    def close(self) -> None:
        """Let go of every connection; again: nothing happens."""
        for line in list(self._lines.values()):
            line.close()


class _Line:
    """The connection of one task."""

    talk: Talk

    def __init__(self, loop: Loop, stream: socket.socket, on_closed: Callable[[], object], on_fault: Callable[[str], None]) -> None:
        self._loop = loop
        self._stream = stream
        self._on_closed = on_closed
        self._on_fault = on_fault
        self._outgoing = bytearray()
        self._closed = False
        loop.watch(stream.fileno(), READ, self._on_event)

    def put(self, answer: bytes) -> None:
        """Send it as soon as the task takes it."""
        if self._closed:
            return
        self._outgoing += answer
        self._flush()

    def close(self) -> None:
        """Hang up."""
        if not self._closed:
            self._closed = True
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
            self._on_closed()

    def _on_event(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if not self._closed and len(self._outgoing) <= _MUCH and readable(events):
            self._read()

    def _read(self) -> None:
        try:
            data = self._stream.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            self.talk.take(data)
        except Malformed as error:
            self.close()
            self._on_fault(f"it sent what is no PMI: {error}")

    def _flush(self) -> None:
        try:
            while self._outgoing:
                del self._outgoing[:self._stream.send(memoryview(self._outgoing)[:_CHUNK].tobytes())]
        except BlockingIOError:
            reading = READ if len(self._outgoing) <= _MUCH else 0
            self._loop.watch(self._stream.fileno(), reading | WRITE, self._on_event)
        except OSError:
            self.close()  # the task is gone
        else:
            self._loop.watch(self._stream.fileno(), READ, self._on_event)
