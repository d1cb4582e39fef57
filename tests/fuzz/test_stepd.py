"""Whatever comes to a slurmstepd by its order socket or from its srun: an answer or the end of that connection; the step goes on."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.slurmd.stepd import messages
from slurm.slurmd.stepd.control import Control
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.hooks import orders
from slurm.slurmd.stepd.io import StepIO
from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.slurmd.stepd.timekeeping import Timekeeping
from slurm.wire import frames, step_io
from tests.fuzz.seeds import fuzzed
from tests.fuzz.surprises import nothing_stays

WithSeed = Callable[[Callable[[], None]], None]
RECORD = StepRecord(1, 1, 0, "cn01", 0, 0, "root", ["true"], {}, "/", {})
DEEP = b"[" * 50_000
NUMBERS = st.sampled_from([0, 1, -1, 10, 64, 65, 2**31, 2**63, 10**40, 0.5, 1e300, float("inf"), float("-inf"), float("nan"), "1", "x", None, [], {}, True, "9" * 5000])
ORDERS = st.dictionaries(
    st.sampled_from(["op", "why", "kill_wait", "at", "signal", "first", "all", "deadline", "x"]), NUMBERS | st.text(max_size=8), max_size=6).flatmap(
        lambda found: st.sampled_from(["status", "signal", "limit", "terminate", "usage", "attach", "bogus", 5, None, []]).map(lambda op: {**found, "op": op}))
LINES = st.one_of(ORDERS.map(lambda order: json.dumps(order).encode()), st.binary(max_size=40), st.sampled_from([DEEP, b'{"op":' + DEEP, b"[]", b"1", b"null", b'"op"', b"", b"9" * 5000, b"x" * 70_000]))


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """A step's loop; the current folder is the step's."""
    former = os.getcwd()
    os.chdir(tmp_path)
    made = Loop()
    try:
        yield made
    finally:
        os.chdir(former)
        signal.set_wakeup_fd(-1)
        os.close(made._wake)
        os.close(made._waker)


def serve(loop: Loop, until: Callable[[], object], seconds: float = 5.0) -> None:
    """Go on until `until` holds; it does within a bound."""
    deadline = time.monotonic() + seconds

    def look() -> None:
        loop.at(time.monotonic() + 0.005, look)

    found: list[object] = []

    def is_over() -> bool:
        if not found and (held := until()):
            found.append(held)
        return bool(found) or time.monotonic() > deadline

    look()
    loop.run(is_over)
    assert found, "neither an answer nor an end"


class Step:
    """What orders are for; it signals nobody."""

    def __init__(self, loop: Loop) -> None:
        self.tasks: list[Any] = []
        self.ending = SimpleNamespace(why="")
        self.io = None
        self.gatherer = SimpleNamespace(now=dict)
        self.timekeeping = Timekeeping(loop, 0.0, 0.0, lambda: 0.0, lambda why: None)

    def end(self, why: str, kill_wait: float, at: float) -> None:
        """What a real one says and reckons."""
        assert messages.ended_from_outside(RECORD, why or "x", at, time.time()) and time.monotonic() + kill_wait < 1e12

    def signal(self, number: int, *, first: bool, everything: bool) -> None:
        """A number that kill(2) takes."""
        assert messages.signalled(RECORD, number or 1, time.time())
        os.kill(os.getpid(), 0 * number)
        assert number <= 64


def test_the_order_socket(with_seed: WithSeed, loop: Loop) -> None:
    step = Step(loop)
    control = Control(loop, lambda order, descriptors: orders._obey(step, order, descriptors))  # type: ignore[arg-type]

    @fuzzed(40)
    @given(st.lists(LINES, min_size=1, max_size=6), st.booleans())
    def attack(lines: list[bytes], leaves: bool) -> None:
        caller = socket.socket(socket.AF_UNIX)
        caller.connect("step.sock")
        caller.setblocking(False)
        sent = b"\n".join(lines) + b"\n"
        while sent:
            try:
                sent = sent[caller.send(sent):]
            except BlockingIOError:
                serve(loop, lambda: True)
                loop.run(iter([False, True]).__next__)
            except (BrokenPipeError, ConnectionResetError):
                break
        if leaves:
            caller.close()
        else:
            heard = bytearray()
            ended = []

            def hear() -> bool:
                try:
                    data = caller.recv(65536)
                except BlockingIOError:
                    data = None
                except ConnectionResetError:
                    data = b""
                if data == b"":
                    ended.append(1)
                heard.extend(data or b"")
                return bool(ended) or heard.count(b"\n") >= 1

            serve(loop, hear)
            caller.close()
        answered(loop)

    with nothing_stays():
        with_seed(attack)
    control.close()


def answered(loop: Loop) -> None:
    """A sound order is answered."""
    caller = socket.socket(socket.AF_UNIX)
    caller.connect("step.sock")
    caller.send(b'{"op": "status"}\n')
    caller.setblocking(False)

    def hear() -> bool:
        try:
            return b'"ok": true' in caller.recv(65536)
        except BlockingIOError:
            return False

    serve(loop, hear)
    caller.close()


DATA = st.one_of(
    st.binary(max_size=30), st.sampled_from([b"", DEEP, b"[]", b"1", b"null", b"x" * 70_000, b"9" * 5000]),
    st.dictionaries(st.sampled_from(["signal", "end", "rows", "cols"]), NUMBERS, max_size=4).map(lambda found: json.dumps(found).encode()))
FRAMES = st.one_of(
    st.tuples(st.sampled_from([*[step_io.SIGNAL, step_io.WINDOW, step_io.STDIN] * 6, *range(14)]), st.sampled_from([0, 1, 7, step_io.ALL_TASKS]), DATA).map(lambda parts: frames.pack(frames.STEP_IO, step_io.PREFIX.pack(parts[0], parts[1]) + parts[2])),
    st.tuples(st.sampled_from([(step_io.SIGNAL, ("signal",)), (step_io.WINDOW, ("rows", "cols"))]), st.sampled_from([64, 65, -1, 65_536, 2**31, 2**63])).map(
        lambda parts: frames.pack(frames.STEP_IO, step_io.pack(parts[0][0], 0, json.dumps(dict.fromkeys(parts[0][1], parts[1])).encode()))),
    st.binary(max_size=20), st.sampled_from([frames.HEADER.pack(frames.MAGIC, frames.VERSION, frames.STEP_IO, 2**32 - 1), b"SP", frames.pack(frames.STEP_IO, b"")]))


def test_what_srun_sends(with_seed: WithSeed, loop: Loop) -> None:
    @fuzzed(40)
    @given(st.lists(FRAMES, min_size=1, max_size=8), st.booleans())
    def attack(pieces: list[bytes], terminal: bool) -> None:
        near, far = socket.socketpair()
        signals: list[int] = []
        gone: list[int] = []
        told = step_io_of(loop, far, signals, gone)
        leader, task = pty.openpty() if terminal else os.pipe()[::-1]
        told.add_inlet(0, leader, terminal=terminal)
        if terminal:
            told.add_outlet(0, step_io.STDOUT, leader)
        near.setblocking(False)
        for piece in pieces:
            while piece and not told.gone:
                try:
                    piece = piece[near.send(piece):]
                except BlockingIOError:
                    drain(loop, near, task)
                except (BrokenPipeError, ConnectionResetError):
                    break
            drain(loop, near, task)
        near.close()
        serve(loop, lambda: told.gone)
        assert all(0 <= number <= 64 for number in signals) and len(gone) == 1
        os.close(task)

    with nothing_stays():
        with_seed(attack)


def step_io_of(loop: Loop, far: socket.socket, signals: list[int], gone: list[int]) -> StepIO:
    """A step's side of the connection."""
    line = SrunLine.of([far.detach()])
    assert line is not None
    return StepIO(loop, line, lambda number, why: signals.append(number), lambda: gone.append(1))


def drain(loop: Loop, near: socket.socket, task: int) -> None:
    """A turn of the loop; srun and the task read what there is."""
    turns = iter([False, True])
    loop.at(time.monotonic(), _nothing)
    loop.run(turns.__next__)
    os.set_blocking(task, False)
    for read in (lambda: near.recv(65536), lambda: os.read(task, 65536)):
        try:
            read()
        except OSError:
            continue


def _nothing() -> None:
    """A timer, so that the loop comes round."""
