"""Steps of a srun on another machine: mutual TLS to slurmd and to slurmstepd, a ticket between the two, and nobody else gets in."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

import msgspec
import pytest

from slurm.model.errors import NotPermitted, SlurmError
from slurm.net.authority import Authority
from slurm.net.framing import FrameBuffer
from slurm.net.tls import Tls, Trust
from slurm.slurmd.stepd import io
from slurm.wire import frames, step_io
from slurm.wire import node_messages as n
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_steps import Srun

KEY = b"k" * 64
OURS = Authority(KEY, "test")
OTHERS = Authority(b"x" * 64, "test")
ME = str(os.getuid())


class Wire:
    """One connection to the node's port, over TLS once `shake` has returned; `srun` reads it as the tests of local steps do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: Tls) -> None:
        self.reader, self.writer, self.tls = reader, writer, tls
        self.buffer = FrameBuffer()

    @classmethod
    async def dial(cls, port: int, *, authority: Authority = OURS, role: str = "user", name: str = ME, ticket: bytes = b"") -> Wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ticket)
        credentials = authority.credentials(role, name)._replace(authorities=OURS.certificate)
        return cls(reader, writer, Tls(Trust(credentials), server=False))

    async def shake(self) -> Wire:
        while not self.tls.handshake():
            await self._swap()
        self.writer.write(self.tls.outgoing())
        assert self.tls.party is not None
        self.tls.party.require("slurmd", "cn01")
        return self

    async def _swap(self) -> None:
        self.writer.write(self.tls.outgoing())
        data = await asyncio.wait_for(self.reader.read(65536), 20)
        if not data:
            raise ConnectionResetError("the node closed the connection")
        self.tls.feed(data)

    def write(self, data: bytes) -> None:
        """As asyncio's writer."""
        self.tls.write(data)
        self.writer.write(self.tls.outgoing())

    async def frame(self) -> tuple[int, bytes]:
        """The next frame; ConnectionResetError at the end."""
        while (found := self.buffer.take()) is None:
            self.buffer.feed(self.tls.read())
            if (found := self.buffer.take()) is not None:
                break
            await self._swap()
        return found

    def close(self) -> None:
        self.writer.close()


class RemoteSrun(Srun):
    """A srun whose messages come over a Wire."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, wire)
        self.wire = wire

    async def next(self) -> int:
        try:
            codec, payload = await self.wire.frame()
        except (ConnectionResetError, SlurmError):
            return 0
        assert codec == frames.STEP_IO
        kind, rank, data = step_io.unpack(payload)
        self.take(kind, rank, data)
        return kind


def launch_of(stage: Stage, job: int, argv: list[str], *, step: int = 0, ranks: tuple[int, ...] = (0,), credential: str = "", **fields: object) -> bytes:
    environment = {"PATH": os.environ["PATH"], "SLURM_CONF": str(stage.conf), "SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}
    message = n.LaunchStep(**{
        "credential": credential or stage.credential(job, step, len(ranks)), "ranks": list(ranks), "node_rank": 0, "ntasks": len(ranks),
        "argv": argv, "environment": environment, "work_dir": str(stage.root), **fields})
    return frames.pack(frames.JSON, msgspec.json.encode(message))


async def ticket_of(stage: Stage, launch: bytes, **who: object) -> bytes:
    """Ask for a step; the ticket, or the node's refusal raised."""
    wire = await (await Wire.dial(port_of(stage), **who)).shake()  # type: ignore[arg-type]
    wire.write(launch)
    codec, payload = await wire.frame()
    wire.close()
    if codec == frames.STEP_IO:
        raise NotPermitted(message=payload.decode(errors="replace"))
    return step_io.ticket(bytes.fromhex(msgspec.json.decode(payload, type=n.StepTicket).ticket))


async def srun_of(stage: Stage, job: int, argv: list[str], **fields: object) -> RemoteSrun:
    ticket = await ticket_of(stage, launch_of(stage, job, argv, **fields))  # type: ignore[arg-type]
    return RemoteSrun(await (await Wire.dial(port_of(stage), ticket=ticket)).shake())


def port_of(stage: Stage) -> int:
    return int(stage.registrations[-1].endpoint.rpartition(":")[2])


@pytest.fixture
def remote(run: Run) -> Callable[..., None]:
    """Plays a scene on a stage whose node is reached at a port, too."""
    stage = run.stage
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = stage.conf.read_text().replace("auth/local", "auth/slurm")
    stage.conf.write_text(text.replace("NodeHostname=localhost", f"NodeHostname=localhost NodeAddr=127.0.0.1 Port={port}"))
    (stage.root / "slurm.key").touch(mode=0o600)
    (stage.root / "slurm.key").write_bytes(KEY)
    return run


def test_a_step_runs_for_a_srun_elsewhere_as_for_one_here(remote: Run) -> None:
    async def scene(stage: Stage) -> None:
        srun = await srun_of(stage, 1, ["bash", "-c", "cat; echo err >&2; exit $SLURM_PROCID"], ranks=(2, 3))
        await srun.until(step_io.STARTED)
        assert set(srun.pids) == {"2", "3"}
        for _ in range(20):
            srun.say(step_io.STDIN, step_io.ALL_TASKS, b"x" * 100_000)
        srun.say(step_io.STDIN, step_io.ALL_TASKS)
        await srun.finish()
        assert srun.out == {2: b"x" * 2_000_000, 3: b"x" * 2_000_000} and srun.err == {2: b"err\n", 3: b"err\n"}
        assert srun.exits == {2: 2 << 8, 3: 3 << 8} and srun.kinds[-1] == step_io.DONE
        signalled = await srun_of(stage, 1, ["sleep", "60"], step=1)
        await signalled.until(step_io.STARTED)
        signalled.say(step_io.SIGNAL, step_io.ALL_TASKS, b'{"signal": 10}')
        assert (await signalled.finish()).exits == {0: 10}
        terminal = await srun_of(stage, 1, ["bash", "-c", "stty size; read x; echo got $x"], step=2, pty=True, rows=33, cols=99, stdin="0")
        await terminal.until(step_io.STARTED)
        terminal.say(step_io.STDIN, 0, b"word\n")
        assert b"33 99" in (await terminal.finish()).out[0] and b"got word" in terminal.out[0]
    remote(scene)


def test_its_output_goes_on_while_slurmd_is_killed_and_started_again(remote: Run) -> None:
    async def scene(stage: Stage) -> None:
        srun = await srun_of(stage, 1, ["bash", "-c", "echo before; read; head -c 3000000 /dev/zero; exit 7"])
        await srun.until(step_io.STDOUT)
        stage.kill_slurmd()
        srun.say(step_io.STDIN, 0, b"\n")
        await srun.until(step_io.STDOUT)
        stage.start_slurmd()
        await srun.finish()
        assert len(srun.out[0]) == len("before\n") + 3_000_000 and srun.exits == {0: 7 << 8}
        assert (await stage.ended(1, 0)).status == 7 << 8
    remote(scene)


def test_who_comes_again_with_a_credential_hears_what_came_of_it_and_a_lost_ticket_is_replaced(remote: Run) -> None:
    async def scene(stage: Stage) -> None:
        launch = launch_of(stage, 1, ["bash", "-c", "echo x >> ran; exit 3"])
        lost, used = await ticket_of(stage, launch), await ticket_of(stage, launch)
        with pytest.raises((ConnectionError, SlurmError)):
            await (await Wire.dial(port_of(stage), ticket=lost)).shake()
        first = await RemoteSrun(await (await Wire.dial(port_of(stage), ticket=used)).shake()).finish()
        assert first.exits == {0: 3 << 8}
        again = RemoteSrun(await (await Wire.dial(port_of(stage))).shake())
        again.wire.write(launch)
        assert (await again.finish()).exits == {0: 3 << 8}
        assert (stage.root / "ran").read_text() == "x\n"
    remote(scene)


def test_nobody_gets_a_step_by_a_false_certificate_or_by_one_of_another_user(remote: Run) -> None:
    async def scene(stage: Stage) -> None:
        launch = launch_of(stage, 1, ["touch", "never"], credential=stage.credential(1, 0, 1, uid=1234))
        for who, said in (({"authority": OTHERS}, "refuses our certificate"), ({"role": "slurmd", "name": "cn01"}, "started for users"),
                          ({"role": "slurmctld", "name": "head"}, "started for users"), ({"name": "1235"}, "belongs to uid 1234, you are uid 1235")):
            with pytest.raises((ConnectionError, SlurmError)) as caught:
                await ticket_of(stage, launch, **who)
            error = caught.value
            assert not isinstance(error, SlurmError) or said in f"{error.message} {error.hints}", who
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(stage))
        writer.write(launch)  # in plain
        assert b"Incompatible versions" in await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert not stage.folders()
        said_by_slurmd = (stage.root / "slurmd.out").read_text()
        assert "user 1235: a step is refused: Access/permission denied" in said_by_slurmd
        assert "slurmd cn01: a step is refused" in said_by_slurmd
    remote(scene)


def test_a_ticket_is_of_no_use_to_who_stole_it(remote: Run) -> None:
    async def scene(stage: Stage) -> None:
        for number, (who, why) in enumerate((({"name": "4711"}, f"waits for a srun of uid {ME}"), ({"authority": OTHERS}, "not issued under a key"))):
            launch = launch_of(stage, 1, ["sleep", "60"], step=number)
            stolen = await ticket_of(stage, launch)
            with pytest.raises((ConnectionError, SlurmError)):
                thief = await (await Wire.dial(port_of(stage), ticket=stolen, **who)).shake()  # type: ignore[arg-type]
                while True:
                    assert (await thief.frame())[0] == 0, "something was said to the thief"
            with pytest.raises((ConnectionError, SlurmError)):  # it was used
                await (await Wire.dial(port_of(stage), ticket=stolen)).shake()
            await stage.ended(1, number)
            assert why in (stage.root / "slurmd.out").read_text()
        with pytest.raises((ConnectionError, SlurmError)):
            await (await Wire.dial(port_of(stage), ticket=step_io.ticket(os.urandom(step_io.TICKET_BYTES)))).shake()
        assert "shows a ticket that is not good" in (stage.root / "slurmd.out").read_text()
    remote(scene)


def test_what_comes_after_a_ticket_must_be_tls_and_come_soon(remote: Run) -> None:
    async def scene(stage: Stage) -> None:
        garbage = await ticket_of(stage, launch_of(stage, 1, ["sleep", "60"]))
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(stage))
        writer.write(garbage[:7])
        await asyncio.sleep(0.05)  # in pieces, as a network may cut it
        writer.write(garbage[7:] + b"GET / HTTP/1.0\r\n\r\n")
        await asyncio.wait_for(reader.read(), 10)
        await stage.ended(1, 0)
        silent = await ticket_of(stage, launch_of(stage, 1, ["sleep", "60"], step=1))
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(stage))
        writer.write(silent)
        assert await asyncio.wait_for(reader.read(), io.HANDSHAKE_SECONDS + 10) == b""
        await stage.ended(1, 1)
        said = (stage.root / "slurmd.out").read_text()
        assert "not the TLS of slurm-py" in said and "did not prove who it is in time" in said
    remote(scene)
