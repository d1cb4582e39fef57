"""The sockets of PMI: what a task inherits, and what happens to one that does not behave."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.mpi.aborts import Aborts
from slurm.slurmd.stepd.mpi.group import Facts
from slurm.slurmd.stepd.mpi.layout import parse
from slurm.slurmd.stepd.mpi.service import VARIABLES, Service


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    signal.set_wakeup_fd(-1)
    os.close(made._wake)
    os.close(made._waker)


class Stage:
    """A step of two tasks on one node."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.given: list[bytes] = []
        self.aborts: list[tuple[int, int, str]] = []
        self.service = Service(loop, Facts("7.0", parse([("n0", "0-1")], 2), (0, 1)), self.given.append, lambda *why: self.aborts.append(why))

    def task(self, rank: int) -> socket.socket:
        """A task's end of its connection."""
        given = self.service.open(rank, rank)
        assert set(given.environment) == set(VARIABLES) and os.get_inheritable(given.descriptor)
        assert (given.environment["PMI_FD"], given.environment["PMI_RANK"], given.environment["PMI_SIZE"]) == (str(given.descriptor), str(rank), "2")
        stream = socket.socket(fileno=given.descriptor)
        stream.settimeout(5)
        return stream

    def turn(self) -> None:
        """Serve what is ready."""
        self.loop.at(0.0, lambda: None)  # which keeps a turn in which nothing is ready from waiting
        self.loop.run(iter([False, True]).__next__)


def test_tasks_are_served_until_the_fence_that_the_whole_step_reaches(loop: Loop) -> None:
    stage = Stage(loop)
    tasks = [stage.task(0), stage.task(1)]
    for task in tasks:
        task.sendall(b"cmd=init pmi_version=1 pmi_subversion=1\ncmd=barrier_in\n")
        stage.turn()
        assert task.recv(1000).startswith(b"cmd=response_to_init")
    stage.service.exchanged(stage.given[0])
    assert [task.recv(1000) for task in tasks] == [b"cmd=barrier_out rc=0\n"] * 2
    stage.service.close()
    assert [task.recv(1000) for task in tasks] == [b"", b""]
    for task in tasks:
        task.close()


def test_what_is_no_pmi_costs_a_task_its_connection_and_its_step(loop: Loop) -> None:
    stage = Stage(loop)
    with stage.task(1) as task:
        task.sendall(b"GET / HTTP/1.1\n")
        stage.turn()
        assert stage.aborts == [(1, 1, "it sent what is no PMI: a line that is not key=value key=value")] and task.recv(10) == b""
    stage.service.close()


def test_a_task_that_takes_no_answers_is_not_read_any_more(loop: Loop) -> None:
    stage = Stage(loop)
    with stage.task(0) as task:
        task.sendall(b"cmd=init pmi_version=1 pmi_subversion=1\n")
        task.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            while sent < 10 << 20:
                sent += task.send((b"cmd=get key=" + b"k" * 1000 + b"\n") * 20)
                stage.turn()
    stage.service.close()


def test_a_task_that_aborts_may_end_by_itself_and_counts_with_its_code(loop: Loop) -> None:
    told: list[int] = []
    aborts = Aborts(loop, told.append)
    assert aborts.status(1, 9) == 9
    assert aborts.ask(1, 3) and not aborts.ask(1, 4)
    aborts.ended(0)
    assert told == []
    aborts.ended(1)
    aborts.ended(1)
    assert told == [1] and aborts.status(1, 9) == 3 << 8 and aborts.status(1, 5 << 8) == 5 << 8 and aborts.status(0, 9) == 9
