"""PMIx for the tasks of one step here: the process in which libpmix serves them (`pmix_server`), and what goes to and fro.

What that process says counts as said by the step's owner: it can end its own step and nothing else.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence

from slurm.slurmd.stepd import tree_removal
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.folder import PMIX, StepRecord
from slurm.slurmd.stepd.loop import READ, WRITE, Loop, readable
from slurm.slurmd.stepd.mpi import pmix_frames as frames
from slurm.slurmd.stepd.mpi.group import Facts, parts
from slurm.slurmd.stepd.mpi.service import Given

_START_SECONDS = 30.0
_REMOVE_SECONDS = 10.0
_CHUNK = 1 << 16
_LENGTH = struct.Struct("!I")
_LAST_CODE = 2**31
_MOST_FENCES = 1_000
_NOTHING_SAID = "N/A"
"""Open MPI's words for none."""


Start = Callable[[int, Cgroup | None], None]


class Pmix:
    """`exchange` and `abort` as in `group.Group`; `start` starts the server with this descriptor.

    Made only when its server is ready; OSError when that does not come up.
    """

    def __init__(self, loop: Loop, record: StepRecord, facts: Facts, cgroup: Cgroup | None,
                 exchange: Callable[[bytes], None], abort: Callable[[int, int, str], None], start: Start | None = None) -> None:
        self._loop = loop
        self._facts = facts
        self._exchange = exchange
        self._abort = abort
        self._incoming = frames.Buffer()
        self._outgoing = bytearray()
        self._given: deque[int] = deque()  # bytes, for each fence that is not over
        self._closed = False
        self._folder = os.path.abspath(PMIX)
        os.mkdir(self._folder, 0o700)
        os.chown(self._folder, record.uid, record.gid)
        self._stream, theirs = socket.socketpair()
        with theirs:
            (start or _start)(theirs.fileno(), cgroup)
        self._variables = self._begin(record)
        self._stream.setblocking(False)
        loop.watch(self._stream.fileno(), READ, self._on_event)

    def _told(self, record: StepRecord) -> dict[str, object]:
        layout = self._facts.layout
        return {
            "namespace": f"slurm.pmix.{self._facts.name}", "nodes": layout.nodes, "ranks": layout.ranks, "number": record.node_rank,
            "folder": self._folder,
            "uid": record.uid, "gid": record.gid, "groups": os.getgrouplist(record.user, record.gid) if record.groups is None
            else list(record.groups)}

    def _begin(self, record: StepRecord) -> dict[int, dict[str, str]]:
        """Tell the server what it serves; rank → variables, which it says once it does. OSError."""
        self._stream.settimeout(_START_SECONDS)
        try:
            frames.send(self._stream, frames.FACTS, frames.encoded(self._told(record)))
            frame = frames.receive(self._stream)
            kind, told = (frames.FAILED, {"why": "it ended"}) if frame is None else (frame[0], _told_by_server(frame[1]))
            if kind != frames.READY:
                raise OSError(f"the PMIx server of this node does not start: {told.get('why')}")
            variables = {int(rank): _texts(told_task) for rank, told_task in told.items()}
            if set(variables) != set(self._facts.local):
                raise ValueError("the PMIx server of this node serves other tasks")
            return variables
        except (OSError, ValueError) as error:
            self.close()
            raise OSError(str(error) or "the PMIx server of this node does not start in time") from error

    def open(self, rank: int, local: int) -> Given:
        """What the task that is about to be started is told."""
        return Given(-1, self._variables[rank])

    def exchanged(self, everything: bytes) -> None:
        """What all nodes gave for the fence that this one has given for. ValueError when it is damaged."""
        if not self._given:
            raise ValueError("values came for a fence that no task is at")
        if len(self._outgoing) > frames.LONGEST:
            raise ValueError("the PMIx server of this node does not take what nodes gave at fences")
        self._given.popleft()
        self._outgoing += frames.packed(frames.FENCE, b"".join(parts(everything)))
        self._flush()

    def close(self) -> None:
        """Hang up, at which its server ends, and remove its files; again: nothing happens."""
        if not self._closed:
            self._closed = True
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
            tree_removal.remove(self._folder, _REMOVE_SECONDS)  # what is left, slurmd removes

    # --- its server -------------------------------------------------------------------------------------------------------

    def _on_event(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if self._closed or not readable(events):
            return
        try:
            data = self._stream.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            if not data:
                raise ValueError("it ended")
            self._incoming.feed(data)
            while not self._closed and (frame := self._incoming.take()) is not None:
                self._take(*frame)
        except (ValueError, KeyError, TypeError) as error:
            self._loop.unwatch(self._stream.fileno())
            self._abort(self._first, 1, f"the PMIx server of its node failed: {error}")

    @property
    def _first(self) -> int:
        return min(self._facts.local)

    def _take(self, kind: int, data: bytes) -> None:
        if kind == frames.FENCE:
            self._given.append(len(data))
            if sum(self._given) > frames.LONGEST or len(self._given) > _MOST_FENCES:
                raise ValueError("it gives for one fence after another, and none is over")
            self._exchange(_LENGTH.pack(len(data)) + data)
        elif kind == frames.ABORT:
            told = _told_by_server(data)
            rank, code = told["rank"], told["code"]
            if not isinstance(rank, int) or rank not in self._facts.local or not isinstance(code,
                    int) or not -_LAST_CODE <= code < _LAST_CODE:
                raise ValueError("it told of an abort that cannot be")
            why = str(told["why"])[:frames.LONGEST_SENTENCE]
            self._abort(rank, code, "" if why == _NOTHING_SAID else why)
        else:
            raise ValueError(f"it sent a frame of kind {kind}")

    def _flush(self) -> None:
        try:
            while self._outgoing:
                del self._outgoing[:self._stream.send(memoryview(self._outgoing)[:_CHUNK].tobytes())]
        except BlockingIOError:
            self._loop.watch(self._stream.fileno(), READ | WRITE, self._on_event)
        except OSError:
            self._outgoing.clear()  # reading tells that it ended
        else:
            self._loop.watch(self._stream.fileno(), READ, self._on_event)


def _told_by_server(data: bytes) -> dict[str, object]:
    """A JSON object. ValueError for anything else, or one that would take a lot of memory."""
    if len(data) > frames.LONGEST_TOLD:
        raise ValueError(f"more than {frames.LONGEST_TOLD >> 20} MiB of JSON")
    return frames.decoded(data)


def _texts(variables: object) -> dict[str, str]:
    if not isinstance(variables, dict):
        raise ValueError("no variables")
    return {str(name): str(value) for name, value in variables.items()}


def _start(descriptor: int, cgroup: Cgroup | None) -> None:
    """Start the server, in the step's cgroups. It is slurmstepd's child like a task, and is ended with the step at the latest. OSError."""
    import subprocess  # only here: it loads threading, which makes every fork dearer

    words: Sequence[str] = (sys.executable, "-m", "slurm.slurmd.stepd.mpi.pmix_server", str(descriptor))
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path), **{
        name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}}
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        words, pass_fds=[descriptor], env=environment, cwd="/", start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    server.returncode = 0  # slurmstepd reaps its children itself
    if cgroup is not None:
        for door in cgroup.doors():
            os.write(door, str(server.pid).encode())
            os.close(door)
