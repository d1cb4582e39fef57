"""SuspendProgram and ResumeProgram as they are run: with very many nodes, on a full disk, by one that is late."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.ids import NodeName
from slurm.model.states import Power
from slurm.notation import hostlist
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.power import PowerSaving, Programs, pieces
from slurm.testing import builders as b

SECONDS = 20.0


class Recording:
    """An engine without a disk."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def record(self, *events: e.Event) -> asyncio.Future[None]:
        """They hold at once."""
        for event in events:
            self.cluster.apply(event)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Stage:
    """Power saving over a cluster whose nodes are all off, at a moment that the test says."""

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder, self.now = folder, b.T0
        self.cluster = b.cluster(nodes=nodes, suspends=True, resumes=True, suspend_time=60, suspend_timeout=10, resume_timeout=30)
        for node in self.cluster.nodes.values():
            node.cloud, node.power, node.responding, node.registered = True, Power.OFF, False, False
        self.power = PowerSaving(cast(Engine, Recording(self.cluster)), lambda: self.now, lambda name: True, tuple, clock=lambda: self.now)

    def program(self, name: str, text: str) -> str:
        """A program that does this."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def lines(self, name: str) -> list[str]:
        """What a program has written."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def record(self, *events: e.Event) -> None:
        """What the engine would record, and tell of."""
        for event in events:
            self.cluster.apply(event)
            self.power.noticed(event)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it."""
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.01)


def scene(act: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(cast(Any, act()))


def test_more_nodes_than_an_argument_may_name_are_told_in_several_runs(tmp_path: Path) -> None:
    names = [NodeName(f"{number * 7919 % 1000003:07d}x{'y' * 30}") for number in range(20_000)]
    told = list(pieces(names))
    assert [name for some in told for name in some] == names
    assert len(told) > 1 and max(len(hostlist.compress(some)) for some in told) <= 100_000
    assert list(pieces([NodeName("n1")])) == [["n1"]] and list(pieces([])) == []

    async def act() -> None:
        stage = Stage(tmp_path)
        stage.power.programs = Programs(suspend=stage.program("off", f'echo "$1" | wc -c >> {tmp_path}/runs'))
        stage.power._suspend(names)
        await stage.until(lambda: stage.power._off >= set(names))
        assert len(stage.lines("runs")) == len(told)

    scene(act)


def test_machines_are_started_also_where_no_file_can_be_written_or_the_program_removes_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def act() -> None:
        stage = Stage(tmp_path)
        stage.power.programs = Programs(resume=stage.program("on", f'echo "$1 $SLURM_RESUME_FILE" >> {tmp_path}/runs; rm -f "$SLURM_RESUME_FILE"; exit 3'))
        stage.power._resume([NodeName("cn01"), NodeName("nobody")])
        await stage.until(lambda: not stage.power._tasks)
        assert "exit status 3" in caplog.text and "Traceback" not in caplog.text
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not-there"))
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open(os.devnull, "w+b"))  # noqa: SIM115 - it is given back
        stage.power._resume([NodeName("cn02")])
        await stage.until(lambda: not stage.power._tasks)
        assert stage.lines("runs")[1] == "cn02 "

    with caplog.at_level(logging.ERROR):
        scene(act)


def test_a_program_that_is_late_says_nothing_of_a_node_that_came_up_meanwhile(tmp_path: Path) -> None:
    async def act() -> None:
        stage = Stage(tmp_path)
        stage.power.programs = Programs(suspend=stage.program("off", f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"), resume="/bin/true")
        stage.power._suspend([NodeName("cn01"), NodeName("cn02")])
        stage.power._resume([NodeName("cn01")])
        (tmp_path / "go").touch()
        await stage.until(lambda: not stage.power._tasks)
        assert stage.power._off == {"cn02"}

    scene(act)


def test_a_node_that_registers_was_not_switched_off_whatever_the_program_says(tmp_path: Path) -> None:
    """Its job would run a second time beside the first."""
    async def act(again: bool) -> None:
        stage = Stage(tmp_path)
        node = stage.cluster.nodes[NodeName("cn01")]
        node.power, node.responding, node.registered = Power.ON, True, True
        stage.power.programs = Programs(suspend="/bin/true")
        job = b.started(stage.cluster, "cn01", requeue=True)
        stage.record(e.NodeSilent(at=b.T0 + 5, node=node.name), e.NodeLost(at=b.T0 + 15, node=node.name, may_run=True, together=[node.name]))
        stage.now = b.T0 + 75
        stage.power.look()
        await stage.until(lambda: node.name in stage.power._off)
        if again:
            stage.record(b.registered(node, b.T0 + 80))
        stage.now = b.T0 + 85
        stage.power.look()
        assert node.power is Power.OFF
        assert (job.lost is not None, job.restarts) == ((True, 0) if again else (False, 1))

    scene(lambda: act(True))
    scene(lambda: act(False))


def test_a_controller_that_begins_asks_again_for_a_proof_that_died_with_the_one_before(tmp_path: Path) -> None:
    """The program took longer than SuspendTimeout and slurmctld ended meanwhile: the job waited for ever."""
    async def act() -> None:
        stage = Stage(tmp_path)
        node = stage.cluster.nodes[NodeName("cn01")]
        node.power, node.responding, node.registered = Power.ON, True, True
        job = b.started(stage.cluster, "cn01", requeue=True)
        stage.record(e.NodeSilent(at=b.T0 + 5, node=node.name), e.NodeLost(at=b.T0 + 15, node=node.name, may_run=True, together=[node.name]))
        stage.record(e.PowerChanged(at=b.T0 + 75, node=node.name, power=Power.GOING_DOWN),
                     e.PowerChanged(at=b.T0 + 85, node=node.name, power=Power.OFF))
        assert job.lost is not None
        stage.power.programs = Programs(suspend=stage.program("off", f"echo $1 >> {tmp_path}/told"))
        stage.now = b.T0 + 100
        stage.power.started()
        await stage.until(lambda: not stage.power._tasks)
        assert stage.lines("told") == ["cn01"], "cn02 is off, and nobody waits for it"
        stage.power.look()
        assert (job.lost, job.restarts) == (None, 1)

    scene(act)
