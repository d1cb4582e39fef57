"""What slurmstepd does with the words of a PMIx server, which it believes as much as it believes the step's owner."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.slurmd.stepd.folder import PMIX, StepRecord
from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.mpi import pmix_frames as frames
from slurm.slurmd.stepd.mpi.group import Facts
from slurm.slurmd.stepd.mpi.layout import parse
from slurm.slurmd.stepd.mpi.pmix import Pmix

READY = frames.packed(frames.READY, frames.encoded({"0": {"PMIX_RANK": "0"}, "1": {"PMIX_RANK": "1"}}))


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """A step's loop; the current folder is the step's."""
    former = os.getcwd()
    os.chdir(tmp_path)
    made = Loop()
    yield made
    os.chdir(former)
    signal.set_wakeup_fd(-1)
    os.close(made._wake)
    os.close(made._waker)


class Stage:
    """A node of a step, and its server in the test's hands."""

    def __init__(self, loop: Loop, first: bytes = READY) -> None:
        self.loop = loop
        self.given: list[bytes] = []
        self.aborts: list[tuple[int, int, str]] = []
        self.server: socket.socket

        def start(descriptor: int, _cgroup: object) -> None:
            self.server = socket.socket(fileno=os.dup(descriptor))
            self.server.sendall(first)
            self.server.settimeout(5)
            if first != READY:
                self.server.close()

        record = StepRecord(7, 1, 0, "n0", os.getuid(), os.getgid(), "me", ["true"], {}, "/", {}, ranks=[0, 1], groups=())
        facts = Facts("7.0", parse([("n0", "0-1"), ("n1", "2")], 3), (0, 1))
        self.pmix = Pmix(loop, record, facts, None, self.given.append, lambda *why: self.aborts.append(why), start)

    def turn(self) -> None:
        """Serve what is ready."""
        self.loop.at(0.0, lambda: None)
        self.loop.run(iter([False, True]).__next__)


def test_a_fence_goes_out_with_its_length_and_comes_back_without_any(loop: Loop) -> None:
    stage = Stage(loop)
    told = frames.receive(stage.server)
    assert told is not None and frames.decoded(told[1])["ranks"] == [[0, 1], [2]] and os.path.isdir(PMIX)
    assert stage.pmix.open(1, 1).environment == {"PMIX_RANK": "1"}
    stage.server.sendall(frames.packed(frames.FENCE, b"mine"))
    stage.turn()
    assert stage.given == [b"\0\0\0\4mine"]
    stage.pmix.exchanged(stage.given[0] + b"\0\0\0\6theirs")
    assert frames.receive(stage.server) == (frames.FENCE, b"minetheirs")
    stage.server.sendall(frames.packed(frames.ABORT, frames.encoded({"rank": 1, "code": 3, "why": "N/A"})))
    stage.turn()
    assert stage.aborts == [(1, 3, "")]
    stage.pmix.close()
    assert stage.server.recv(1) == b"" and not os.path.exists(PMIX)
    stage.server.close()


@pytest.mark.parametrize("first", [
    b"", frames.packed(frames.FAILED, frames.encoded({"why": "no libpmix"})), frames.packed(frames.READY, b"[]"), frames.packed(frames.READY, b'{"a": 1}'), b"\xff" * 9])
def test_a_server_that_does_not_come_up_keeps_the_step_from_running(loop: Loop, first: bytes) -> None:
    with pytest.raises(OSError, match=r"."):
        Stage(loop, first)
    assert not os.path.exists(PMIX)


@pytest.mark.parametrize("said", [
    b"", b"\xff" * 9, frames.packed(frames.READY, b"{}"), frames.packed(frames.ABORT, b"nothing"),
    frames.packed(frames.ABORT, b"[" * 20_000), frames.packed(frames.FENCE, b"") * 1_001, frames.packed(frames.ABORT, b"{}"),
    frames.packed(frames.ABORT, frames.encoded({"rank": 2, "code": 1, "why": ""})), frames.packed(frames.ABORT, frames.encoded({"rank": 0, "code": 2**40, "why": ""}))])
def test_a_server_that_goes_or_lies_ends_its_own_step(loop: Loop, said: bytes) -> None:
    stage = Stage(loop)
    stage.server.sendall(said)
    stage.server.close()
    for _ in range(3):
        stage.turn()
    assert [why[:2] for why in stage.aborts] == [(0, 1)] and "PMIx server of its node failed" in stage.aborts[0][2]
    stage.pmix.close()


def test_what_nobody_waits_for_or_takes_does_not_fill_slurmstepd(loop: Loop) -> None:
    stage = Stage(loop)
    with pytest.raises(ValueError, match="no task is at"):
        stage.pmix.exchanged(b"\0\0\0\1x")
    whole = struct.pack("!I", 20 << 20) + bytes(20 << 20)
    stage.server.sendall(frames.packed(frames.FENCE, b"mine") * 3)
    stage.turn()
    stage.pmix.exchanged(whole)
    stage.pmix.exchanged(whole)
    with pytest.raises(ValueError, match="does not take"):
        stage.pmix.exchanged(whole)
    stage.pmix.close()
    stage.server.close()


def test_more_json_than_a_node_has_variables_is_not_read(loop: Loop) -> None:
    stage = Stage(loop)
    said = frames.packed(frames.ABORT, b'{"a":[' + b"[]," * (2 << 20) + b"1]}")
    sent = 0
    while not stage.aborts:
        sent += stage.server.send(said[sent:sent + 60_000])
        stage.turn()
    assert "more than 4 MiB of JSON" in stage.aborts[0][2]
    stage.pmix.close()
    stage.server.close()


@given(st.lists(st.tuples(st.integers(1, 5), st.binary(max_size=200)), max_size=5), st.integers(1, 40))
def test_frames_come_whole_in_whatever_pieces(sent: list[tuple[int, bytes]], size: int) -> None:
    whole = b"".join(frames.packed(*frame) for frame in sent)
    buffer = frames.Buffer()
    found = []
    for start in range(0, len(whole), size):
        buffer.feed(whole[start:start + size])
        while (frame := buffer.take()) is not None:
            found.append(frame)
    assert found == sent
