"""Steps as srun starts them: tasks, streams, signals, and srun leaving."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal

import msgspec
import psutil
import pytest

from slurm.model.cpu_set import CpuSet
from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.net.signing import Signer
from slurm.wire import frames, step_io
from slurm.wire import node_messages as n

STAMP = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\]"


class Srun:
    """One srun connection: what came, by kind and task."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.out: dict[int, bytes] = {}
        self.err: dict[int, bytes] = {}
        self.exits: dict[int, int] = {}
        self.notices = ""
        self.failed = self.pids = self.aborted = None
        self.kinds: list[int] = []

    @classmethod
    async def call(cls, stage, job, argv, *, ranks=(0,), step=0, credential="", **fields):
        """Launch a step of `job`."""
        reader, writer = await asyncio.open_unix_connection(stage.srun_socket)
        environment = {"PATH": os.environ["PATH"], "SLURM_CONF": str(stage.conf), "SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}
        message = n.LaunchStep(**{
            "credential": credential or stage.credential(job, step, len(ranks)), "ranks": list(ranks), "node_rank": 0, "ntasks": len(ranks),
            "argv": argv, "environment": environment, "work_dir": str(stage.root), **fields})
        writer.write(frames.pack(frames.JSON, msgspec.json.encode(message)))
        return cls(reader, writer)

    def say(self, kind, rank, data=b""):
        """Send one step message."""
        self.writer.write(frames.pack(frames.STEP_IO, step_io.pack(kind, rank, data)))

    async def next(self):
        """Take one message; its kind, 0 at the end of the connection."""
        try:
            header = await asyncio.wait_for(self.reader.readexactly(frames.HEADER_SIZE), 10)
        except asyncio.IncompleteReadError:
            return 0
        codec, length = frames.unpack_header(header)
        assert codec == frames.STEP_IO
        kind, rank, data = step_io.unpack(await self.reader.readexactly(length))
        self.take(kind, rank, data)
        return kind

    def take(self, kind, rank, data):
        """Note one message."""
        self.kinds.append(kind)
        if kind in (step_io.STDOUT, step_io.STDERR):
            into = self.out if kind == step_io.STDOUT else self.err
            into[rank] = into.get(rank, b"") + data
        elif kind == step_io.EXITED:
            self.exits[rank] = json.loads(data)["status"]
        elif kind == step_io.NOTICE:
            self.notices += data.decode()
        elif kind == step_io.FAILED:
            self.failed = json.loads(data)
        elif kind == step_io.STARTED:
            self.pids = json.loads(data)["pids"]
        elif kind == step_io.ABORTED:
            self.aborted = json.loads(data)["why"]

    async def until(self, wanted):
        """Take messages until one of this kind (or the end) came."""
        while (kind := await self.next()) not in (wanted, 0):
            continue
        return kind

    async def finish(self):
        """Take everything; the connection must end."""
        await self.until(-1)
        return self


def test_tasks_know_their_place_and_their_output_comes_to_srun(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["bash", "-c", ("echo $SLURM_PROCID $SLURM_LOCALID $SLURM_GTIDS $SLURM_NODEID $SLURMD_NODENAME"
                                                        " $SLURM_CPUS_ON_NODE $X; [ $$ = $SLURM_TASK_PID ] && echo err >&2; exit $SLURM_PROCID")],
                               ranks=(2, 3), node_rank=1, task_environment=[{"X": "a"}, {"X": "b"}])
        await srun.finish()
        assert srun.out == {2: b"2 0 2,3 1 cn01 2 a\n", 3: b"3 1 2,3 1 cn01 2 b\n"}
        assert srun.err == {2: b"err\n", 3: b"err\n"}
        assert srun.exits == {2: 2 << 8, 3: 3 << 8}
        assert srun.kinds[0] == step_io.STARTED and srun.kinds[-1] == step_io.DONE
        assert set(srun.pids) == {"2", "3"}
        assert (await stage.ended(1, 0)).status == 3 << 8
        await stage.until(lambda: not stage.folders())
        assert not stage.reports(n.JobGone, 1), "the job goes on: only slurmctld knows when it ends"
        stage.send(n.TerminateJob(job=1, attempt=1, why="", kill_wait=1))
        await stage.until(lambda: stage.reports(n.JobGone, 1))
    run(scene)


def test_a_command_that_does_not_exist_says_so_and_exits_with_its_errno(run):
    async def scene(stage):
        srun = await (await Srun.call(stage, 1, ["nosuchcommand"])).finish()
        assert re.fullmatch(STAMP + r" error: execve\(\): nosuchcommand: No such file or directory\n", srun.err[0].decode())
        assert srun.exits == {0: 2 << 8}
    run(scene)


def test_input_reaches_all_tasks_or_one_and_what_was_sent_too_early_is_not_lost(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["cat"], ranks=(0, 1))
        srun.say(step_io.STDIN, step_io.ALL_TASKS, b"early ")
        await srun.until(step_io.STARTED)
        srun.say(step_io.STDIN, step_io.ALL_TASKS, b"hi\n")
        srun.say(step_io.STDIN, step_io.ALL_TASKS)
        await srun.finish()
        assert srun.out == {0: b"early hi\n", 1: b"early hi\n"}
        one = await Srun.call(stage, 1, ["cat"], ranks=(0, 1), step=1, stdin="1")
        one.say(step_io.STDIN, 1, b"only one\n")
        one.say(step_io.STDIN, 1)
        assert (await one.finish()).out == {0: b"", 1: b"only one\n"}
        none = await (await Srun.call(stage, 1, ["cat"], step=2, stdin="none")).finish()
        assert none.out == {0: b""}
    run(scene)


def test_much_output_and_input_flow_without_loss(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["bash", "-c", "head -c 20000000 /dev/zero; wc -c >&2"])
        await srun.until(step_io.STARTED)
        for _ in range(50):
            srun.say(step_io.STDIN, 0, b"x" * 100_000)
        srun.say(step_io.STDIN, 0)
        await asyncio.sleep(0.3)
        await srun.finish()
        assert len(srun.out[0]) == 20_000_000
        assert srun.err[0] == b"5000000\n"
    run(scene)


def test_output_files_follow_their_patterns(run):
    async def scene(stage):
        srun = await (await Srun.call(stage, 7, ["bash", "-c", "echo $SLURM_PROCID; echo e >&2"], ranks=(0, 1), stdout="o_%j_%s_%t_%N_%n",
                                      stderr="both")).finish()
        assert not srun.out and not srun.err
        assert (stage.root / "o_7_0_0_cn01_0").read_text() == "0\n"
        assert (stage.root / "o_7_0_1_cn01_0").read_text() == "1\n"
        assert (stage.root / "both").read_text() == "e\ne\n"
        refused = await (await Srun.call(stage, 7, ["true"], step=1, stdout="/nonexistent/x")).finish()
        assert refused.failed["message"].startswith("Could not open stdout file /nonexistent/x: No such file or directory: folder /nonexistent ")
        assert (await stage.ended(7, 1)).status == 53
    run(scene)


def test_signals_of_srun_and_of_scancel_reach_every_process_of_the_tasks(run):
    async def scene(stage):
        script = "trap 'echo got USR1' USR1; echo ready; while true; do sleep 0.05; done"
        srun = await Srun.call(stage, 1, ["bash", "-c", script], ranks=(0, 1))
        while any(srun.out.get(rank) != b"ready\n" for rank in (0, 1)):
            await srun.next()
        srun.say(step_io.SIGNAL, step_io.ALL_TASKS, b'{"signal": 10}')
        while any(b"USR1" not in srun.out[rank] for rank in (0, 1)):
            await srun.next()
        stage.send(n.SignalJob(job=1, attempt=1, signal=10))
        while any(srun.out[rank].count(b"USR1") < 2 for rank in (0, 1)):
            await srun.next()
        stage.send(n.SignalJob(job=1, attempt=1, signal=9, step=0))
        await srun.finish()
        assert srun.exits == {0: 9, 1: 9}
        assert re.search(r"\*\*\* STEP 1\.0 ON cn01 CANCELLED AT \S+ DUE to SIGNAL Killed \*\*\*\n", srun.notices)
    run(scene)


def test_ending_a_job_ends_its_steps_and_tells_srun_why(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["sleep", "1000"])
        await srun.until(step_io.STARTED)
        stage.send(n.TerminateJob(job=1, attempt=1, why="timeout", kill_wait=5))
        await srun.finish()
        assert re.fullmatch(STAMP + r" error: \*\*\* STEP 1\.0 ON cn01 CANCELLED AT \S+ DUE TO TIME LIMIT \*\*\*\n", srun.notices)
        assert srun.aborted == "timeout"
        assert srun.exits == {0: signal.SIGTERM}
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        late = await (await Srun.call(stage, 1, ["true"], step=1)).finish()
        assert late.failed["message"] == "Job credential revoked"
    run(scene)


def test_one_step_can_be_ended_alone(run):
    async def scene(stage):
        first = await Srun.call(stage, 1, ["sleep", "1000"])
        second = await Srun.call(stage, 1, ["sleep", "0.7"], step=1)
        await first.until(step_io.STARTED)
        stage.send(n.TerminateStep(job=1, attempt=1, step=0, why="cancelled", kill_wait=5))
        assert (await first.finish()).exits == {0: 15}
        assert (await second.finish()).exits == {0: 0}
    run(scene)


def test_a_bad_exit_ends_the_other_tasks_when_asked(run):
    async def scene(stage):
        srun = await (await Srun.call(stage, 1, ["bash", "-c", "[ $SLURM_PROCID = 1 ] && exit 5; exec sleep 1000"], ranks=(0, 1, 2),
                                      kill_on_bad_exit=True)).finish()
        assert srun.exits == {0: 15, 1: 5 << 8, 2: 15}
        assert "DUE TO TASK FAILURE ***" in srun.notices
    run(scene)


def test_tasks_end_when_srun_leaves(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["bash", "-c", "setsid sleep 1000 & sleep 1000"])
        await srun.until(step_io.STARTED)
        srun.writer.close()
        assert (await stage.ended(1, 0)).status == 15
    run(scene)


def test_a_pseudo_terminal_is_one(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["bash", "-c", "tty; stty size; read x; echo got $x"], pty=True, rows=33, cols=77)
        await srun.until(step_io.STARTED)
        while b"33 77" not in srun.out.get(0, b""):
            await srun.next()
        srun.say(step_io.STDIN, 0, b"line\n")
        await srun.finish()
        assert srun.out[0].startswith(b"/dev/pts/")
        assert b"got line\r\n" in srun.out[0]
        assert srun.exits == {0: 0}
    run(scene)


def test_every_task_may_have_its_own_program(run):
    async def scene(stage):
        srun = await (await Srun.call(stage, 1, [], ranks=(0, 1), multi_prog=[["echo", "a"], ["echo", "b"]])).finish()
        assert srun.out == {0: b"a\n", 1: b"b\n"}
    run(scene)


def test_a_step_is_refused_without_a_right_to_it(run):
    async def scene(stage):
        genuine = stage.credential(1, 0, 1)
        for credential, message in (
            ("bm90aGluZw==", "Invalid job credential"),
            ("nothing", "Invalid job credential"),
            (genuine[:-4] + "AAA=", "Invalid job credential"),
            (stage.credential(1, 0, 1, signer=Signer(b"x" * 32)), "Invalid job credential"),
            (stage.credential(1, 0, 1, cluster="other"), "Invalid job credential"),
            (stage.credential(1, 0, 1, node="cn02"), "Access/permission denied"),
            (stage.credential(1, 0, 2), "Task count specification invalid"),
            (stage.credential(1, 0, 1, age=121.0), "Job credential expired"),
            (stage.credential(1, 0, 1, age=1e9, expires=9e9), "Job credential expired"),
        ):
            srun = await (await Srun.call(stage, 1, ["true"], credential=credential)).finish()
            assert srun.failed["message"] == message, credential
        if os.getuid() != 0:
            srun = await (await Srun.call(stage, 1, ["true"], credential=stage.credential(1, 0, 1, uid=4711))).finish()
            assert srun.failed["message"] == "Access/permission denied"
        assert not stage.folders(), "nothing was begun"
        assert (await (await Srun.call(stage, 1, ["true"], credential=genuine)).finish()).exits == {0: 0}
    run(scene)


def test_a_credential_is_judged_by_the_clock_of_the_controller_not_by_that_of_the_node(run):
    run.stage.ahead = -86400.0

    async def scene(stage):
        assert (await (await Srun.call(stage, 1, ["true"])).finish()).exits == {0: 0}
        late = await (await Srun.call(stage, 1, ["true"], step=1, credential=stage.credential(1, 1, 1, age=125.0))).finish()
        assert late.failed["message"] == "Job credential expired" and "5 s ago" in late.failed["hints"][0]
    run(scene)


def test_a_credential_starts_a_step_once_and_who_comes_again_hears_what_came_of_it(run):
    async def scene(stage):
        first = await Srun.call(stage, 1, ["bash", "-c", "echo $SLURM_PROCID >> ran; read; exit $SLURM_PROCID"], ranks=(2, 3))
        await first.until(step_io.STARTED)
        while_it_runs = await Srun.call(stage, 1, ["touch", "never"], ranks=(2, 3))
        await while_it_runs.until(step_io.STARTED)
        assert while_it_runs.pids == first.pids
        first.say(step_io.STDIN, step_io.ALL_TASKS, b"\n")
        await first.finish()
        for again in (while_it_runs, await Srun.call(stage, 1, ["touch", "never"], ranks=(2, 3))):
            await again.finish()
            assert again.exits == first.exits == {2: 2 << 8, 3: 3 << 8} and again.kinds[-1] == step_io.DONE
        await stage.until(lambda: not stage.folders())
        assert (stage.root / "ran").read_text().split() in (["2", "3"], ["3", "2"]) and not (stage.root / "never").exists()
    run(scene)


def test_what_came_of_a_credential_is_told_after_a_restart_of_slurmd_too_when_nothing_else_is_left_of_the_step(run):
    async def scene(stage):
        used, refused, unused = (stage.credential(1, step, 1) for step in range(3))
        assert (await (await Srun.call(stage, 1, ["bash", "-c", "echo x >> ran; exit 3"], credential=used)).finish()).exits == {0: 3 << 8}
        failed = (await (await Srun.call(stage, 1, ["true"], step=1, credential=refused, stdout="/no/such/place/f")).finish()).failed
        assert "Could not open stdout file" in failed["message"]
        await stage.until(lambda: not stage.folders())
        for kept in (True, False):
            stage.kill_slurmd()
            registered = len(stage.registrations)
            stage.start_slurmd()
            await stage.until(lambda before=registered: len(stage.registrations) > before)
            again = await (await Srun.call(stage, 1, ["touch", "never"], credential=used)).finish()
            assert again.exits == {0: 3 << 8} and again.kinds[-1] == step_io.DONE
            again = await (await Srun.call(stage, 1, ["touch", "never"], step=1, credential=refused)).finish()
            assert again.failed["message"] == failed["message"]
            if kept:
                stage.send(n.TerminateJob(job=1, attempt=1, why="", kill_wait=1))
                await stage.until(lambda: stage.reports(n.JobGone, 1))
            else:  # the job ended before the restart: a credential that was never used is worth nothing
                late = await (await Srun.call(stage, 1, ["touch", "never"], step=2, credential=unused)).finish()
                assert late.failed["message"] == "Job credential revoked"
        assert (stage.root / "ran").read_text() == "x\n" and not (stage.root / "never").exists()
    run(scene)


def test_a_restarted_slurmd_takes_credentials_before_it_reaches_the_controller(run):
    async def scene(stage):
        credential = stage.credential(1, 0, 1)
        await stage.until(lambda: "is registered with cluster" in (stage.root / "slurmd.out").read_text())
        stage.kill_slurmd()
        await stage.server.close()
        stage.start_slurmd()
        await stage.until(lambda: (stage.root / "slurmd.out").read_text().count("started: cn01 is not registered") == 2)
        done = await (await Srun.call(stage, 1, ["true"], credential=credential)).finish()
        assert done.exits == {0: 0}, (done.failed, (stage.root / "slurmd.out").read_text())
    run(scene)


def test_a_step_goes_on_without_slurmd_and_its_srun_does_not_notice(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["bash", "-c", "echo a; sleep 1; echo b; exit 7"])
        await srun.until(step_io.STDOUT)
        stage.kill_slurmd(signal.SIGKILL)
        stage.start_slurmd()
        await srun.finish()
        assert srun.out == {0: b"a\nb\n"}
        assert (await stage.ended(1, 0)).status == 7 << 8
    run(scene)


def test_a_killed_stepd_breaks_sruns_connection(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["sleep", "1000"])
        await srun.until(step_io.STARTED)
        task = psutil.Process(int(srun.pids["0"]))
        task.parent().kill()
        await srun.finish()
        assert step_io.DONE not in srun.kinds
        assert (await stage.ended(1, 0)).status == 9
        assert not task.is_running() or task.status() == psutil.STATUS_ZOMBIE
    run(scene)


def test_garbage_on_the_socket_of_srun_hurts_nobody(run):
    async def scene(stage):
        for garbage in (b"\0" * 100, b"GET / HTTP/1.0\r\n\r\n", frames.pack(frames.JSON, b"{"), frames.pack(frames.MSGPACK, b"\xc1"),
                        frames.pack(frames.JSON, b'{"type":"LaunchStep"}'), frames.HEADER.pack(b"SP", 1, frames.JSON, 0xFFFFFFFF)):
            reader, writer = await asyncio.open_unix_connection(stage.srun_socket)
            writer.write(garbage)
            await asyncio.wait_for(reader.read(), 10)
            writer.close()
        assert (await (await Srun.call(stage, 1, ["true"])).finish()).exits == {0: 0}
    run(scene)


def test_a_srun_that_does_not_read_cannot_keep_a_job_from_ending(run):
    async def scene(stage):
        srun = await Srun.call(stage, 1, ["cat", "/dev/zero"])
        await srun.until(step_io.STARTED)
        srun.writer.transport.pause_reading()
        await asyncio.sleep(0.3)
        stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=0))
        assert (await stage.ended(1, 0)).status in (9, 15)
        await stage.until(lambda: stage.reports(n.JobGone, 1))
    run(scene)


def test_many_tasks_each_bring_their_output_and_end(run):
    async def scene(stage):
        srun = await (await Srun.call(stage, 1, ["bash", "-c", "echo $SLURM_PROCID; echo e >&2"], ranks=range(200))).finish()
        assert srun.out == {rank: f"{rank}\n".encode() for rank in range(200)}
        assert srun.exits == dict.fromkeys(range(200), 0)
    run(scene)


def test_a_step_on_cpus_and_devices_beyond_the_64th_is_told_of_them(run):
    async def scene(stage):
        share = NodeShare(node=NodeName("cn01"), cpus=CpuSet.run(100, 64), gres={"gpu": CpuSet.of([1, 70, 111])}, tasks=1)
        credential = stage.credential(1, 0, 1, shares=[share])
        srun = await (await Srun.call(stage, 1, ["sh", "-c", "echo $SLURM_CPUS_ON_NODE $SLURM_STEP_GPUS"], credential=credential)).finish()
        assert srun.out == {0: b"100 1,70,111\n"}
    run(scene)


def test_what_a_task_leaves_is_waited_for_where_that_is_asked_for_and_ended_else(run):
    async def scene(stage):
        for step, wait in ((0, False), (1, True)):
            srun = await Srun.call(stage, 1, ["/bin/sh", "-c", f"setsid sh -c 'sleep 0.5; echo late > late-{step}' > /dev/null 2>&1 & echo now"],
                                   step=step, wait_for_children=wait)
            while await srun.next():
                pass
            assert srun.exits == {0: 0}
            assert (stage.root / f"late-{step}").exists() == wait

    run(scene)


@pytest.mark.parametrize(("propagation", "given", "nice"), [(0, "7", "0"), (1, "7", "7"), (1, "-7", "0"), (2, "0", "1"), (1, "many", "0")])
def test_tasks_have_the_nice_value_of_their_submitter_where_the_site_says_so(run, propagation, given, nice):
    async def scene(stage):
        environment = {"PATH": os.environ["PATH"], "SLURM_CONF": str(stage.conf), "SLURM_PRIO_PROCESS": given}
        srun = await Srun.call(stage, 1, ["nice"], environment=environment)
        while await srun.next():
            pass
        assert srun.out[0].decode().strip() == nice

    run(scene, conf=f"PropagatePrioProcess={propagation}\n")
