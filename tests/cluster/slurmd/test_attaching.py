"""sattach at a node: it hears and is heard, several at once, from elsewhere too; nobody gets at another's step, and no step waits for one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import SimpleNamespace

import msgspec
import pytest

from slurm.model.errors import NotPermitted
from slurm.net.signing import Signer
from slurm.slurmd.attaching import Attaching, Caller
from slurm.slurmd.stepd.folder import StepKey
from slurm.slurmd.stepd.hooks import orders
from slurm.wire import frames, step_io
from slurm.wire import node_messages as n
from tests.cluster.slurmd import test_remote_steps as elsewhere
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_remote_steps import RemoteSrun, Wire, port_of, ticket_of
from tests.cluster.slurmd.test_steps import Srun

remote = elsewhere.remote
SIGNER_OF_ANOTHER = Signer(b"another controller's signing key"[:32])
ECHO = ["bash", "-c", "echo begin $SLURM_PROCID; while read x; do echo $SLURM_PROCID $x; [ $x = end ] && exit $SLURM_PROCID; done"]


def attach_of(job: int, step: int = 0, attempt: int = 1, credential: str = "") -> bytes:
    return frames.pack(frames.JSON, msgspec.json.encode(n.AttachStep(job=job, attempt=attempt, step=step, credential=credential)))


async def attached(stage: Stage, job: int, **which: int) -> Srun:
    reader, writer = await asyncio.open_unix_connection(stage.srun_socket)
    writer.write(attach_of(job, **which))
    return Srun(reader, writer)


async def seen(who: Srun, text: bytes, rank: int = 0) -> None:
    while text not in who.out.get(rank, b""):
        assert await who.next(), f"it ended, and told {who.out} {who.failed}"


def test_several_hear_what_was_said_and_what_is_said_and_the_step_goes_on_when_one_leaves(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        srun = await Srun.call(stage, 1, ECHO, ranks=(0, 1))
        await seen(srun, b"begin")
        one, other = await attached(stage, 1), await attached(stage, 1)
        for viewer in (one, other):
            await seen(viewer, b"begin 0\n")
            assert set(viewer.pids) == {"0", "1"}
        one.say(step_io.STDIN, step_io.ALL_TASKS, b"from one\n")
        for who in (srun, one, other):
            await seen(who, b"0 from one\n")
            await seen(who, b"1 from one\n", 1)
        one.say(step_io.STDIN, step_io.ALL_TASKS)  # its end of input is not the tasks'
        one.writer.close()
        other.say(step_io.STDIN, 1, b"only you\n")
        await seen(srun, b"1 only you\n", 1)
        srun.say(step_io.STDIN, step_io.ALL_TASKS, b"end\n")
        await srun.finish()
        await other.finish()
        assert srun.exits == other.exits == {0: 0, 1: 1 << 8}
        assert other.kinds[-1] == step_io.DONE and b"only you" not in srun.out[0]
    run(scene)


def test_a_sattach_that_reads_nothing_does_not_keep_a_step_from_ending(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        srun = await Srun.call(stage, 1, ["bash", "-c", "read x; head -c 3000000 /dev/zero"])
        await srun.until(step_io.STARTED)
        deaf = await attached(stage, 1)
        await deaf.until(step_io.STARTED)
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
        srun.say(step_io.STDIN, 0, b"go\n")
        await asyncio.wait_for(srun.finish(), 20)
        assert len(srun.out[0]) == 3_000_000
        assert (await stage.ended(1, 0)).status == 0
    run(scene)


def test_it_hears_of_a_step_that_slurmd_was_restarted_under(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        srun = await Srun.call(stage, 1, ECHO)
        await seen(srun, b"begin")
        stage.kill_slurmd()
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        viewer = await attached(stage, 1)
        await seen(viewer, b"begin")
        viewer.say(step_io.STDIN, 0, b"end\n")
        assert (await viewer.finish()).exits == {0: 0}
        await srun.finish()
    run(scene)


def test_what_does_not_run_here_and_what_has_no_streams_cannot_be_attached_to(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(2, "#!/bin/sh\nsleep 60\n"))
        await stage.until(lambda: stage.reports(n.BatchLaunched, 2))
        for job, step, words in ((1, 0, "does not run on node cn01"), (2, -5, "writes into files"), (2, 0, "does not run")):
            viewer = await (await attached(stage, job, step=step)).finish()
            assert any(words in hint for hint in viewer.failed["hints"]), viewer.failed
        stage.send(n.TerminateJob(job=2, attempt=1, why="", kill_wait=0))
        await stage.ended(2)
    run(scene)


def test_from_another_machine_too_and_nobody_gets_at_the_step_of_another(remote: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        srun = await Srun.call(stage, 1, ECHO)
        await seen(srun, b"begin")
        others = SIGNER_OF_ANOTHER
        for credential, why in (
                ("", b"brings no credential"), (stage.to_attach(1, age=121), b"good until"), (stage.to_attach(1, step=1), b"not for uid"),
                (stage.to_attach(1, uid=4711), b"not for uid"), (stage.to_attach(1, signer=others), b"did not sign"),
                (stage.credential(1, 0, 1), b"did not sign"), (stage.to_attach(1, cluster="other"), b"of cluster other")):
            wire = await (await Wire.dial(port_of(stage))).shake()
            wire.write(attach_of(1, credential=credential))
            assert why in (await wire.frame())[1]
        ticket = await ticket_of(stage, attach_of(1, credential=stage.to_attach(1)))
        viewer = RemoteSrun(await (await Wire.dial(port_of(stage), ticket=ticket)).shake())
        await seen(viewer, b"begin")
        if os.getuid() == 0:
            wire = await (await Wire.dial(port_of(stage), name="4711")).shake()
            wire.write(attach_of(1))
            _, payload = await wire.frame()
            assert b"you are uid 4711" in payload
        viewer.say(step_io.STDIN, 0, b"end\n")
        assert (await viewer.finish()).exits == {0: 0}
        await srun.finish()
        again = await Wire.dial(port_of(stage), ticket=ticket)
        try:
            await again.shake()
        except ConnectionError:
            return
        raise AssertionError("a ticket was good twice")
    remote(scene)


def test_an_order_to_attach_needs_a_connection() -> None:
    class Bare:
        io = None

    try:
        orders._attach(Bare(), {"op": "attach"}, [])  # type: ignore[arg-type]
    except ValueError as error:
        assert "no streams" in str(error)
    else:
        raise AssertionError("there is nothing to attach")


@pytest.mark.parametrize(("uid", "remote", "why"), [
    (1001, True, ""), (0, False, ""), (0, True, "on the step's own node only"), (1002, True, "you are uid 1002"), (1002, False, "you are uid 1002")])
def test_a_certificate_of_roots_srun_opens_nobody_elses_step(uid: int, remote: bool, why: str) -> None:
    record = SimpleNamespace(uid=1001, user="alice", is_batch=False)
    here = SimpleNamespace(steps={0: SimpleNamespace(record=record, ended=None)})
    attaching = Attaching(SimpleNamespace(roster=SimpleNamespace(find=lambda job, attempt: here)))  # type: ignore[arg-type]
    caller = Caller(uid, (lambda: -1) if remote else None)
    if not why:
        attaching._require(StepKey(1, 1, 0), caller)
        return
    with pytest.raises(NotPermitted) as refused:
        attaching._require(StepKey(1, 1, 0), caller)
    assert why in refused.value.hints[0]
