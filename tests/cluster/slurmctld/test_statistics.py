"""The counters of sdiag count what happens."""

from typing import Any

from slurm.slurmctld.accounting.sender import Accounting
from slurm.wire import node_messages as n
from slurm.wire.dbd_messages import RegisterCluster
from tests.cluster.slurmctld.conftest import ALICE, ROOT, Play, Stage


async def _read(s: Stage, uid: int = ROOT, **fields: object) -> dict[str, Any]:
    reply = await s.client(uid).ask("ReadStatistics", **fields)
    assert reply["type"] == "StatisticsRead", reply
    found: dict[str, Any] = reply["statistics"]
    return found


def test_jobs_passes_and_requests_are_counted_until_an_operator_resets_them(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        first, second = await s.client(ALICE).submit(), await s.client(ALICE).submit()
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        node.finish(first)
        node.finish(second, status=3 << 8)
        third = await s.client(ALICE).submit(hold=True, array="0-9")
        assert (await s.client(ROOT).ask("ReadStatistics"))["statistics"]["jobs_pending"] == 10
        await s.client(ALICE).ask("CancelJobs", filter={"ids": [f"{third}_[8-9]"]})
        await s.client(ALICE).ask("CancelJobs", filter={"ids": [str(third)]})
        await s.until(lambda: all(s.ctl.cluster.job(job).state.finished for job in (first, second, third)))
        found = await _read(s)
        assert [found[f"jobs_{word}"] for word in ("submitted", "started", "completed", "failed", "canceled", "pending", "running")] == [3, 2, 1, 1, 10, 0, 0]
        assert found["schedule_cycle_total"] >= 1 and found["schedule_exit"]["end_job_queue"] == found["schedule_cycle_total"]
        assert found["schedule_cycle_depth"] >= 2 and found["schedule_cycle_sum"] >= found["schedule_cycle_max"] > 0
        kinds = {row["message_type"]: row["count"] for row in found["rpcs_by_message_type"]}
        assert kinds["REQUEST_SUBMIT_BATCH_JOB"] == 3 and kinds["REQUEST_KILL_JOB"] == 2
        assert {row["user_id"]: row["count"] for row in found["rpcs_by_user"]}[ALICE] == 5
        await s.until(lambda: not s.ctl.links.orders_waiting)
        await _read(s, reset=True)
        assert (await _read(s))["jobs_submitted"] == 0

    play(scene)


def test_only_operators_may_reset_the_counters(play: Play) -> None:
    async def scene(s: Stage) -> None:
        reply = await s.client(ALICE).ask("ReadStatistics", reset=True)
        assert (reply["type"], reply["message"]) == ("Failure", "Access/permission denied")

    play(scene)


def test_records_that_wait_for_slurmdbd_are_the_dbd_agents_queue(play: Play) -> None:
    async def scene(s: Stage) -> None:
        assert (await _read(s))["dbd_agent_queue_size"] == 0
        ctl = s.ctl
        ctl.accounting = Accounting(ctl.engine, ctl.journal, s.commit, ctl.now, lambda: RegisterCluster(cluster="test", journal=""), 10_000)
        ctl.cluster.recording.sequence += 7
        assert (await _read(s))["dbd_agent_queue_size"] == 7

    play(scene)
