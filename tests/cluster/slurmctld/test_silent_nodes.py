"""Silent nodes and the running controller: connections that end, programs that prove, settings that do without."""

from __future__ import annotations

from pathlib import Path

from slurm.slurmctld import proofs
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import CONF, ROOT, FakeNode, Play, Stage

QUICK = CONF.replace("SlurmdTimeout=300", "SlurmdTimeout=1") + "UnkillableStepTimeout=1\n"


async def lost(s: Stage, **request: object) -> tuple[FakeNode, int]:
    """A node with a running job, that has fallen silent and been given up."""
    node = await s.node("cn01")
    job = await s.client().submit(nodelist="cn01", **request)
    await s.until(lambda: node.of(n.LaunchBatch))
    node.report(n.BatchLaunched, job=job, attempt=1, lease=node.of(n.LaunchBatch)[0].lease)
    await s.until(lambda: s.ctl.cluster.job(job).launched)
    await silence(s, node)
    await s.until(lambda: s.ctl.cluster.nodes["cn01"].reason == "Not responding")
    return node, job


async def silence(s: Stage, node: FakeNode) -> None:
    """Its link is cut."""
    await node.link.close()


async def back(s: Stage, node: FakeNode, job: int, *, attempt: int = 1, boot_id: str = "boot-1") -> FakeNode:
    """The node registers again; it still has the job when `attempt` is given."""
    again = FakeNode(s, "cn01")
    again.boot_id = boot_id
    again.holdings = [n.Holding(job=job, attempt=attempt, step=-5)] if attempt else []
    s.nodes.append(again)
    await s.until(lambda: again.of(n.NodeAccepted))
    return again


def program(folder: Path, text: str) -> Path:
    """A FenceProgram that writes down whom it was asked to fence."""
    path = folder / "fence"
    path.write_text(f"#!/bin/sh\necho \"$1\" >> {folder}/asked\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_job_of_a_silent_node_runs_on_as_the_same_attempt_when_it_is_back(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, job = await lost(s)
        assert s.state(job) == "PENDING"
        rows = await s.client().ask("ListJobs", fields=["state", "reasonlist", "nodelist"])
        assert rows["rows"][0][0] == "PENDING" and "NodeDown" in rows["rows"][0][1] and "cn01" not in rows["rows"][0][2]
        again = await back(s, node, job)
        await s.until(lambda: s.state(job) == "RUNNING")
        again.finish(job)
        await s.until(lambda: s.state(job) == "COMPLETED")
        assert s.ctl.cluster.job(job).attempt == 1

    play(scene, QUICK)


def test_without_a_proof_it_never_starts_elsewhere_and_a_restart_changes_nothing(play: Play) -> None:
    async def scene(s: Stage) -> None:
        two = await s.node("cn02")
        node, job = await lost(s)
        s.ctl.planner.run(full=True)
        await s.restart()
        await s.until(lambda: len(two.of(n.NodeAccepted)) > 1)
        s.ctl.planner.run(full=True)
        assert s.state(job) == "PENDING" and not two.of(n.LaunchBatch)
        await back(s, node, job)
        await s.until(lambda: s.state(job) == "RUNNING")

    play(scene, QUICK.replace("KillWait=1", "KillWait=1\nJobRequeue=1"))


def test_a_fence_program_that_succeeds_is_the_proof(play: Play, tmp_path: Path) -> None:
    fence = program(tmp_path, "exit 0")

    async def scene(s: Stage) -> None:
        _, job = await lost(s)
        await s.until(lambda: s.ctl.cluster.job(job).restarts == 1)
        assert (tmp_path / "asked").read_text() == "cn01\n"
        assert s.ctl.cluster.job(job).lost is None

    play(scene, QUICK + f"FenceProgram={fence}\n")


def test_a_fence_program_that_fails_or_hangs_is_no_proof_and_tried_again(play: Play, tmp_path: Path, caplog: object, monkeypatch: object) -> None:
    fence = program(tmp_path, f"test $(wc -l < {tmp_path}/asked) -ge 3 || {{ echo no such plug; test $(wc -l < {tmp_path}/asked) = 1 && exit 3; sleep 60; }}")
    monkeypatch.setattr(proofs, "FIRST_PAUSE", 0.05)  # type: ignore[attr-defined]

    async def scene(s: Stage) -> None:
        _, job = await lost(s)
        await s.until(lambda: s.ctl.cluster.job(job).restarts == 1)
        assert (tmp_path / "asked").read_text() == "cn01\n" * 3
        text = "\n".join(record.getMessage() for record in caplog.records)  # type: ignore[attr-defined]
        assert "exit status 3: no such plug" in text and "FenceProgramTimeout=1" in text

    play(scene, QUICK + f"FenceProgram={fence}\nFenceProgramTimeout=1\n")


def test_a_reboot_is_proven_by_the_new_boot_id_not_by_the_program(play: Play, tmp_path: Path) -> None:
    reboot = program(tmp_path, "exit 0")

    async def scene(s: Stage) -> None:
        node, job = await lost(s)
        await s.until(lambda: (tmp_path / "asked").exists())
        assert s.ctl.cluster.job(job).lost is not None
        await back(s, node, job, boot_id="boot-2")
        await s.until(lambda: s.ctl.cluster.job(job).restarts == 1)

    play(scene, QUICK + f"RebootProgram={reboot}\nSlurmctldParameters=reboot_from_controller\n")


def test_reboot_program_alone_is_not_run_by_the_controller(play: Play, tmp_path: Path) -> None:
    reboot = program(tmp_path, "exit 0")

    async def scene(s: Stage) -> None:
        await lost(s)
        s.ctl.proofs.look()
        assert s.ctl.proofs.programs.reboot == ""

    play(scene, QUICK + f"RebootProgram={reboot}\n")


def test_a_clock_that_was_set_is_no_reboot(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, job = await lost(s)
        again = await back(s, node, job)
        await s.until(lambda: s.state(job) == "RUNNING")
        await again.link.close()
        third = FakeNode(s, "cn01")
        third.boot_time += 100_000
        third.holdings = again.holdings
        s.nodes.append(third)
        await s.until(lambda: third.of(n.NodeAccepted))
        assert s.state(job) == "RUNNING"

    play(scene, CONF.replace("SlurmdTimeout=300", "SlurmdTimeout=2"))


def test_requeue_unproven_starts_without_proof_after_its_seconds_and_says_what_it_risks(play: Play, caplog: object) -> None:
    async def scene(s: Stage) -> None:
        node, job = await lost(s)
        told = (await s.client().ask("ExplainJob", job_id=str(job)))["explanation"]
        assert any("may run twice" in how for _, how in told["evidence"])
        await s.until(lambda: s.ctl.cluster.job(job).restarts == 1)
        assert "if only the network failed, it runs twice now" in "\n".join(r.getMessage() for r in caplog.records)  # type: ignore[attr-defined]
        again = await back(s, node, job)
        await s.until(lambda: again.of(n.TerminateJob))

    play(scene, QUICK + "SlurmctldParameters=requeue_unproven=1\n")


def test_a_leased_attempt_is_over_when_its_lease_ran_out_there(play: Play, monkeypatch: object) -> None:
    monkeypatch.setattr(proofs, "LEASE_MARGIN_SECONDS", 0.5)  # type: ignore[attr-defined]

    async def scene(s: Stage) -> None:
        node, job = await lost(s)
        assert s.ctl.cluster.job(job).lease == 2
        seconds = s.ctl.links.silence.lasts
        await s.until(lambda: s.ctl.cluster.job(job).restarts == 1)
        assert seconds("cn01") > 2 + 1 + 1  # type: ignore[arg-type]

    play(scene, QUICK + "SlurmdParameters=fence_timeout=2\n")


def test_a_job_that_may_not_be_requeued_has_no_lease(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        await s.client().submit(nodelist="cn01", requeue=False)
        await s.until(lambda: node.of(n.LaunchBatch))
        assert node.of(n.LaunchBatch)[0].lease == 0

    play(scene, QUICK + "SlurmdParameters=fence_timeout=2\n")


def test_an_operator_who_says_fenced_is_believed(play: Play) -> None:
    async def scene(s: Stage) -> None:
        _, job = await lost(s)
        reply = await s.client(ROOT).ask("UpdateNode", nodes="cn01", changes={"State": "down", "Reason": "fenced: power is off"})
        assert reply["type"] == "Done"
        assert s.ctl.cluster.job(job).restarts == 1

    play(scene, QUICK)


def test_a_controller_that_lost_most_of_its_nodes_says_so_in_ping_and_sets_none_down(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node(f"cn0{i}") for i in range(1, 5)]
        for node in nodes[:3]:
            await node.link.close()
        nodes[3].send(n.Heartbeat(load=0.0, free_memory=1))
        pongs: list[dict[str, object]] = []

        async def told() -> bool:
            nodes[3].send(n.Heartbeat(load=0.0, free_memory=1))
            pongs.append(await s.client().ask("Ping"))
            return "cut off" in str(pongs[-1].get("trouble"))

        for _ in range(300):
            if await told():
                break
            await s.until(lambda: True)
            import asyncio
            await asyncio.sleep(0.02)
        assert "3 of 4" in str(pongs[-1]["trouble"])
        assert not [node for node in s.ctl.cluster.nodes.values() if node.state.value == "down"]

    play(scene, QUICK.replace("cn[01-02]", "cn[01-04]"))
