"""Step input and output over srun's connection: wire.step_io frames out of and into the pipes of this node's tasks.

Output that srun does not take in time stops the tasks' pipes, not the memory; input that a task does not read stops the connection.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import termios
import time
from collections import deque
from collections.abc import Callable

from slurm.model.errors import ProtocolError, SlurmError
from slurm.notation.printable import printable
from slurm.slurmd.stepd.loop import READ, WRITE, Loop, broken, readable
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.slurmd.stepd.viewer import Viewer
from slurm.wire import frames, step_io

HANDSHAKE_SECONDS = 10.0
_CHUNK = 65536
_MUCH = 1 << 20
_RECENT_BYTES = 64 * 1024
"""So much of what was said last is told to a sattach that comes."""
_FAREWELL_SECONDS = 2.0
MOST_VIEWERS = 16
"""So many sattach look on at a step at once; each costs slurmstepd what it has not taken yet, up to a MiB and more."""
_LAST_SIGNAL = 64
_MOST_LINES = 65_535
_LONGEST_WORD = 64
_WINDOW_SIZE = struct.Struct("HHHH")


class Inlet:
    """What goes to one task's standard input: a pipe's or terminal's write end, and what waits for it."""

    def __init__(self, descriptor: int, *, terminal: bool) -> None:
        self.descriptor = descriptor
        self.terminal = terminal
        self.waiting = bytearray()
        self.ended = False


class StepIO:
    """The connection to srun. `on_signal(number, why)` hears its orders, `on_gone()` that it left before the step was done.

    `early` is what had been read from the connection before.
    """

    def __init__(self, loop: Loop, line: SrunLine, on_signal: Callable[[int, str], None], on_gone: Callable[[], None],
                 early: bytes = b"") -> None:
        self._loop = loop
        self._line = line
        self._on_signal = on_signal
        self._on_gone = on_gone
        self._incoming = bytearray(early if line.ready else b"")
        self._outlets: dict[int, tuple[int, int]] = {}
        self._inlets: dict[int, Inlet] = {}
        self._terminal = -1
        self._waiting = 0  # bytes for inlets, all together
        self._stopped = False  # outlets are not read while srun does not take what there is
        self._interest = -1
        self._viewers: list[Viewer] = []
        self._refused: list[Viewer] = []  # one too many each, for the moment in which it hears so
        self._viewers_until = 0.0  # so long they are waited for, once everything was said
        self._pids: dict[int, int] = {}
        self._recent: deque[bytes] = deque()
        self._recent_bytes = 0
        self.gone = False
        self.on_exchange: Callable[[bytes], None] = _passed_over
        self.on_x11: Callable[[bytes], None] = _passed_over
        self.on_throttle: Callable[[], None] = _nothing
        self._watch_connection()
        if not line.ready:
            line.feed(early)
            loop.at(time.monotonic(), self._begin_handshake)
            loop.at(time.monotonic() + HANDSHAKE_SECONDS, self._check_ready)

    # --- streams of tasks ------------------------------------------------------------------------------------------------

    def add_outlet(self, rank: int, kind: int, descriptor: int) -> None:
        """Forward what can be read from `descriptor` as STDOUT or STDERR of a task until it ends; it is closed then."""
        os.set_blocking(descriptor, False)
        self._outlets[descriptor] = (kind, rank)
        self._watch_outlet(descriptor)

    def add_inlet(self, rank: int, descriptor: int, *, terminal: bool = False) -> None:
        """Forward a task's standard input into `descriptor`; it is closed at the end of input."""
        os.set_blocking(descriptor, False)
        self._inlets[rank] = Inlet(descriptor, terminal=terminal)
        if terminal:
            self._terminal = descriptor

    @property
    def drained(self) -> bool:
        """Whether all output of the tasks has been read and sent, or nobody is there to take it."""
        if self.gone or (not self._outlets and not self._line.unsent):
            return time.monotonic() >= self._viewers_until or not any(viewer.unsent for viewer in self._viewers)
        return False

    # --- who looks on ----------------------------------------------------------------------------------------------------

    def attach(self, line: SrunLine, early: bytes, patience: float) -> None:
        """A sattach: it is told what was said last, and what is said from now on; what it sends goes to the tasks too.

        One too many is told so. ValueError where as many others are being told.
        """
        if len(self._viewers) >= MOST_VIEWERS:
            self._refuse(line, early, patience)
            return
        viewer = Viewer(self._loop, line, early, patience, lambda rank, data: self._take(step_io.STDIN, rank, data), self._on_viewer)
        self._viewers.append(viewer)
        if self._pids:
            viewer.put(_frame(step_io.STARTED, step_io.ALL_TASKS, json.dumps({"pids": self._pids}).encode()))
        for frame in self._recent:
            viewer.put(frame)

    def _refuse(self, line: SrunLine, early: bytes, patience: float) -> None:
        why = f"{MOST_VIEWERS} sattach are attached to this step already"
        if len(self._refused) >= MOST_VIEWERS:
            line.close()
            raise ValueError(why)
        viewer = Viewer(self._loop, line, early, patience, lambda _rank, _data: None, self._on_refused)
        self._refused.append(viewer)
        told = {"message": why, "hints": ["it takes more when some of them have left"]}
        viewer.put(_frame(step_io.FAILED, step_io.ALL_TASKS, json.dumps(told).encode()))

        def hang_up() -> None:
            viewer.close()
            self._on_refused()

        self._loop.at(time.monotonic() + _FAREWELL_SECONDS, hang_up)

    def _on_refused(self) -> None:
        self._refused = [viewer for viewer in self._refused if not viewer.gone]

    def _on_viewer(self) -> None:
        self._viewers = [viewer for viewer in self._viewers if not viewer.gone]
        self._throttle()

    def _show(self, frame: bytes, *, keep: bool) -> None:
        for viewer in list(self._viewers):
            viewer.put(frame)
        if keep:
            self._recent.append(frame)
            self._recent_bytes += len(frame)
            while self._recent_bytes > _RECENT_BYTES:
                self._recent_bytes -= len(self._recent.popleft())

    # --- what srun is told -----------------------------------------------------------------------------------------------

    def started(self, pids: dict[int, int]) -> None:
        """All tasks of the node run: rank → pid."""
        self._pids = pids
        self._send(step_io.STARTED, step_io.ALL_TASKS, json.dumps({"pids": pids}).encode())
        self._take_all()

    def failed(self, message: str) -> None:
        """The step could not start here."""
        self._send(step_io.FAILED, step_io.ALL_TASKS, json.dumps({"message": message}).encode())

    def exited(self, rank: int, status: int, *, oom: bool) -> None:
        """A task ended; what it had written before goes first."""
        for descriptor in [d for d, (_, owner) in self._outlets.items() if owner == rank]:
            while descriptor in self._outlets and self._forward(descriptor) and not self.gone:
                continue
        self._send(step_io.EXITED, rank, json.dumps({"status": status, "oom": oom}).encode())

    def notice(self, line: str) -> None:
        """A whole line for srun's standard error."""
        self._send(step_io.NOTICE, step_io.ALL_TASKS, line.encode())

    def aborted(self, why: str) -> None:
        """The step is being ended from outside."""
        self._send(step_io.ABORTED, step_io.ALL_TASKS, json.dumps({"why": why}).encode())

    def exchange(self, piece: bytes) -> None:
        """A piece of what MPI tasks exchange."""
        if not self.gone:
            self._line.put(_frame(step_io.EXCHANGE, step_io.ALL_TASKS, piece))  # which is none of a sattach's business
            self._flush()

    def x11(self, payload: bytes) -> None:
        """A message about an X client of this node."""
        if not self.gone:
            self._line.put(_frame(step_io.X11, step_io.ALL_TASKS, payload))
            self._flush()

    def hold(self, change: int) -> None:
        """So many more bytes of srun's wait for somebody who does not take them yet, or fewer."""
        self._waiting += change
        if not self.gone:
            self._watch_connection()

    @property
    def crowded(self) -> bool:
        """Whether srun, or a sattach, does not take what there is."""
        return self._stopped

    def done(self) -> None:
        """Everything was said; the connection closes when it has left."""
        if self._viewers:
            self._viewers_until = time.monotonic() + _FAREWELL_SECONDS
            self._loop.at(self._viewers_until, _nothing)
        self._send(step_io.DONE, step_io.ALL_TASKS)

    def close(self) -> None:
        """Let go of the connection and of every stream."""
        for descriptor in list(self._outlets):
            self._close_outlet(descriptor, tell=False)
        for rank in list(self._inlets):
            self._close_inlet(rank)
        self._loop.unwatch(self._line.fileno())
        self._line.close()
        self.gone = True
        for viewer in (*self._viewers, *self._refused):
            viewer.close()

    # --- the connection --------------------------------------------------------------------------------------------------

    def _send(self, kind: int, rank: int, data: bytes = b"") -> None:
        if self.gone:
            return
        frame = _frame(kind, rank, data)
        self._line.put(frame)
        self._show(frame, keep=kind in (step_io.STDOUT, step_io.STDERR) and bool(data))
        self._flush()

    def _flush(self) -> None:
        try:
            self._line.flush()
        except OSError:
            self._lose()
            return
        self._watch_connection()
        self._throttle()

    def _throttle(self) -> None:
        """Outlets are read while all who listen take what there is."""
        crowded = self._line.unsent > _MUCH or any(viewer.unsent > _MUCH for viewer in self._viewers)
        if self._stopped != crowded:
            self._stopped = not self._stopped
            for descriptor in self._outlets:
                self._watch_outlet(descriptor)
            self.on_throttle()

    def _watch_connection(self) -> None:
        interest = (READ if self._waiting <= _MUCH else 0) | (WRITE if self._line.blocked else 0)
        if interest != self._interest:
            self._interest = interest
            self._loop.watch(self._line.fileno(), interest, self._on_connection)
            for viewer in self._viewers:
                viewer.listen(self._waiting <= _MUCH)

    def _on_connection(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if not self.gone and readable(events):
            self._read(self._line.take)

    def _read(self, take: Callable[[], bytes]) -> None:
        try:
            self._incoming += take()
        except OSError:
            self._lose()
            return
        except SlurmError as error:
            os.write(2, f"slurmstepd: error: the connection of a srun is closed: {printable('; '.join(error.lines()))}\n".encode(
                errors="backslashreplace"))
            self._flush()
            self._lose()
            return
        self._flush()
        self._take_all()

    def _begin_handshake(self) -> None:
        if not self.gone:
            self._read(self._line.decoded)

    def _check_ready(self) -> None:
        if not self._line.ready and not self.gone:
            os.write(2, b"slurmstepd: error: a srun did not prove who it is in time\n")
            self._lose()

    def _take_all(self) -> None:
        try:
            self._take_frames()
        except ProtocolError as error:
            os.write(2, f"slurmstepd: error: srun sent what is not step input: {printable('; '.join(error.lines()))}\n".encode(
                errors="backslashreplace"))
            self._lose()

    def _take_frames(self) -> None:
        while (found := step_io.taken(self._incoming, _MUCH)) is not None:
            self._take(*found)

    def _take(self, kind: int, rank: int, data: bytes) -> None:
        if kind == step_io.STDIN:
            for target in list(self._inlets) if rank == step_io.ALL_TASKS else [rank]:
                self._pour(target, data)
        elif kind == step_io.SIGNAL:
            order = _object(data)
            self._on_signal(_whole(order, "signal", _LAST_SIGNAL), str(order.get("end", ""))[:_LONGEST_WORD])
        elif kind == step_io.WINDOW and self._terminal >= 0:
            size = _object(data)
            set_window(self._terminal, _whole(size, "rows", _MOST_LINES), _whole(size, "cols", _MOST_LINES))
        elif kind == step_io.EXCHANGE:
            self.on_exchange(data)
        elif kind == step_io.X11:
            self.on_x11(data)

    def _lose(self) -> None:
        if not self.gone:
            self.close()
            self._on_gone()

    # --- input -----------------------------------------------------------------------------------------------------------

    def _pour(self, rank: int, data: bytes) -> None:
        inlet = self._inlets.get(rank)
        if inlet is None or inlet.ended:
            return
        if data:
            inlet.waiting += data
            self._waiting += len(data)
        else:
            inlet.ended = True
            if inlet.terminal:
                inlet.waiting += b"\x04"
                self._waiting += 1
        self._drain_inlet(rank)

    def _drain_inlet(self, rank: int) -> None:
        inlet = self._inlets.get(rank)
        if inlet is None:
            return
        try:
            while inlet.waiting:
                written = os.write(inlet.descriptor, inlet.waiting[:_CHUNK])
                del inlet.waiting[:written]
                self._waiting -= written
        except BlockingIOError:
            if not inlet.terminal:  # a terminal's one descriptor is watched for output already: its input is tried again with each of that
                self._loop.watch(inlet.descriptor, WRITE, lambda _events: self._drain_inlet(rank))
        except OSError:
            self._close_inlet(rank)  # the task does not read any more
        else:
            if not inlet.terminal:
                self._loop.unwatch(inlet.descriptor)
            if inlet.ended and not inlet.terminal:
                self._close_inlet(rank)
        if not self.gone:
            self._watch_connection()

    def _close_inlet(self, rank: int) -> None:
        inlet = self._inlets.pop(rank)
        self._waiting -= len(inlet.waiting)
        if not inlet.terminal:
            self._loop.unwatch(inlet.descriptor)
            os.close(inlet.descriptor)

    # --- output ----------------------------------------------------------------------------------------------------------

    def _watch_outlet(self, descriptor: int) -> None:
        if self._stopped:
            self._loop.unwatch(descriptor)
        else:
            self._loop.watch(descriptor, READ, lambda events: self._on_outlet(descriptor, events))

    def _on_outlet(self, descriptor: int, events: int) -> None:
        if descriptor in self._outlets and (readable(events) or broken(events)):
            self._forward(descriptor)
            for rank in [rank for rank, inlet in self._inlets.items() if inlet.terminal and inlet.waiting]:
                self._drain_inlet(rank)

    def _forward(self, descriptor: int) -> bool:
        kind, rank = self._outlets[descriptor]
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # a terminal whose last process has ended
            data = b""
        if not data:
            self._close_outlet(descriptor, tell=True)
            return False
        self._send(kind, rank, data)
        return True

    def _close_outlet(self, descriptor: int, *, tell: bool) -> None:
        kind, rank = self._outlets.pop(descriptor)
        self._loop.unwatch(descriptor)
        os.close(descriptor)
        if descriptor == self._terminal:
            self._terminal = -1
            if rank in self._inlets:
                self._close_inlet(rank)
        if tell:
            self._send(kind, rank)


def _frame(kind: int, rank: int, data: bytes) -> bytes:
    return frames.pack(frames.STEP_IO, step_io.pack(kind, rank, data))


def _nothing() -> None:
    """Whoever waits looks again."""


def _passed_over(_: bytes) -> None:
    """Nothing is exchanged in this step."""


def _object(data: bytes) -> dict[str, object]:
    """A JSON object of srun's; ProtocolError for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(hints=[f"it is no JSON: {str(error)[:_LONGEST_WORD]}"]) from error
    if not isinstance(found, dict):
        raise ProtocolError(hints=["it is no JSON object"])
    return found


def _whole(found: dict[str, object], name: str, most: int) -> int:
    """A number of it, 0 when it has none; ProtocolError when it is out of bounds."""
    value = found.get(name, 0)
    if not isinstance(value, int) or not 0 <= value <= most:
        raise ProtocolError(hints=[f"{name}: a whole number from 0 to {most}"])
    return value


def set_window(terminal: int, rows: int, cols: int) -> None:
    """Give a pseudo terminal its size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, _WINDOW_SIZE.pack(rows, cols, 0, 0))
