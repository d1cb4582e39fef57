"""How many may look on at a step, and how many tickets for that one user has: nobody holds a node's memory or all of its places."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from slurm.model.errors import NotNow
from slurm.slurmd import attaching
from slurm.slurmd.attaching import Attaching, Caller
from slurm.slurmd.stepd.io import MOST_VIEWERS, StepIO
from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.wire import step_io
from slurm.wire.node_messages import AttachStep
from slurm.wire.step_credential import AttachCredential


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A step's loop."""
    made = Loop()
    yield made
    signal.set_wakeup_fd(-1)
    os.close(made._wake)
    os.close(made._waker)


def line_of(far: socket.socket) -> SrunLine:
    line = SrunLine.of([far.detach()])
    assert line is not None
    return line


def turn(loop: Loop) -> None:
    """Serve what is ready."""
    loop.at(0.0, lambda: None)
    loop.run(iter([False, True]).__next__)


def attached(io: StepIO) -> socket.socket:
    near, far = socket.socketpair()
    io.attach(line_of(far), b"", 5.0)
    near.settimeout(0.0)
    return near


def heard(stream: socket.socket) -> list[tuple[int, bytes]]:
    """Kinds and bytes of the frames that have come."""
    try:
        came = bytearray(stream.recv(65536))
    except BlockingIOError:
        return []
    return [(kind, data) for kind, _, data in iter(lambda: step_io.taken(came, 1 << 20), None)]


def test_one_sattach_too_many_is_told_so_and_has_a_place_when_another_left(loop: Loop) -> None:
    srun, far = socket.socketpair()
    io = StepIO(loop, line_of(far), lambda number, why: None, lambda: None)
    viewers = [attached(io) for _ in range(MOST_VIEWERS)]
    assert not any(map(heard, viewers))
    for _ in range(MOST_VIEWERS):
        refused = attached(io)
        (kind, data), = heard(refused)
        assert kind == step_io.FAILED and json.loads(data)["message"] == "16 sattach are attached to this step already"
        viewers.append(refused)
    with pytest.raises(ValueError, match="attached to this step already"):
        attached(io)
    viewers[0].close()
    turn(loop)
    again = attached(io)
    io.notice("hello")
    assert heard(again) == heard(viewers[1]) == [(step_io.NOTICE, b"hello")] and heard(refused) == []
    io.close()
    for stream in (srun, again, *viewers):
        stream.close()


def test_one_user_cannot_have_all_places_at_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attaching, "MOST_OF_A_USER", 3)
    record = SimpleNamespace(uid=7, user="alice", is_batch=False)
    here = SimpleNamespace(steps={0: SimpleNamespace(record=record, ended=None)})
    credentials = SimpleNamespace(check_to_attach=lambda token: AttachCredential(
        cluster="c", job=1, attempt=1, step=0, uid=int(token), issued=0.0, expires=1.0))
    node: Any = SimpleNamespace(roster=SimpleNamespace(find=lambda job, attempt: here), credentials=credentials)
    peer: Any = SimpleNamespace(send=lambda data: None, close=lambda: None)
    now = [0.0]
    tickets = Attaching(node, lambda: now[0])

    def attach(uid: int) -> None:
        record.uid = uid  # a step of his own
        tickets.attach(peer, AttachStep(job=1, attempt=1, step=0, credential=str(uid)), Caller(uid, lambda: -1))

    for _ in range(3):
        attach(7)
    with pytest.raises(NotNow, match="too many are attaching"):
        attach(7)
    for _ in range(4):
        attach(0)
    now[0] = attaching.SECONDS + 1.0
    attach(7)
