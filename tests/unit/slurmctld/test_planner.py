"""When the planner plans: at once when that costs nothing, a bounded share of the time when it does."""

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from itertools import pairwise

import pytest

from slurm.core import events as e
from slurm.model.ids import JobId, NodeName, Uid
from slurm.slurmctld import full_pass
from slurm.slurmctld import planner as planning
from slurm.slurmctld.beside import Beside
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.planner import Planner
from slurm.store.group_commit import GroupCommit
from slurm.store.memory import Fault, MemoryDisk, MemoryJournal
from slurm.testing import builders as b
from tests.pace import pace


class Slow(Planner):
    """A planner whose passes take `cost` seconds; `began` are their starts."""

    cost = 0.0

    full_passes_here = 0
    passes_before_the_first_quick_one = -1

    def run(self, *, full: bool) -> int:
        """Plan, slowly."""
        self.full_passes_here += full
        if not full:
            if not self.began:
                self.passes_before_the_first_quick_one = self.passes
            self.began.append(time.monotonic())
            time.sleep(self.cost)
        return super().run(full=full)

    began: list[float]


class Failing(Beside):
    """No process can be made."""

    async def run(self, work: Callable[[], bytes]) -> bytes:
        """Fail."""
        raise OSError("no memory")


def play(scene: Callable[[Engine, Slow], Coroutine[None, None, None]], disk: MemoryDisk | None = None) -> None:
    async def main() -> None:
        commit = GroupCommit(MemoryJournal(disk), asyncio.get_running_loop())
        planner: Slow | None = None
        engine = Engine(
            b.cluster(1, cpus=2), commit, lambda effect: None, lambda event: planner.noticed(event) if planner else None, lambda error: None,
            retry_seconds=0.005)
        planner = Slow(engine, lambda: b.T0)
        planner.began = []
        await asyncio.wait_for(scene(engine, planner), 10)
        planner.stop()
        await engine.settled()
        await commit.close()

    asyncio.run(main())


def submitted(engine: Engine, **request: object) -> e.Submitted:
    other = b.cluster(1, cpus=2)
    other.next_job_id = engine.cluster.next_job_id
    return e.Submitted(at=b.T0, job=b.submit(other, **request))


def test_a_job_is_started_in_the_turn_after_its_submission() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        engine.record(submitted(engine))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert engine.cluster.jobs[JobId(1)].state.name == "RUNNING"

    play(scene)


def test_many_triggers_of_one_turn_are_one_pass() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        for _ in range(50):
            planner.trigger()
        await asyncio.sleep(0.01)
        assert planner.passes == 1

    play(scene)


def test_passes_that_take_long_are_kept_apart() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        planner.cost = 0.02
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            planner.trigger()
            await asyncio.sleep(0.001)
        gaps = [later - earlier for earlier, later in zip(planner.began, planner.began[1:], strict=False)]
        assert len(planner.began) <= 8
        assert min(gaps) >= planner.cost * (1 + planning.QUICK_REST) * 0.9

    play(scene)


def test_verdicts_of_jobs_that_are_gone_do_not_pile_up() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        for _ in range(20):
            engine.record(submitted(engine))
        planner.run(full=False)
        waiting = set(engine.cluster.pending)
        assert waiting and waiting == set(planner.verdicts)
        for job in list(waiting):
            engine.record(e.Cancelled(at=b.T0, job=job, by=Uid(0)))
        planner.run(full=True)
        assert planner.verdicts == {}

    play(scene)


def test_no_job_is_started_while_it_rests_and_they_are_afterwards() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        planner.rest(0.2)
        engine.record(submitted(engine))
        await asyncio.sleep(0.1)
        assert engine.cluster.jobs[JobId(1)].state.name == "PENDING"
        await asyncio.sleep(0.2)
        assert engine.cluster.jobs[JobId(1)].state.name == "RUNNING"

    play(scene)


def test_after_stop_nothing_is_planned_any_more() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        planner.stop()
        engine.record(submitted(engine))
        await asyncio.sleep(0.1)
        assert planner.began == []

    play(scene)


def test_nothing_is_started_while_the_disk_takes_nothing() -> None:
    disk = MemoryDisk()

    async def scene(engine: Engine, planner: Slow) -> None:
        disk.faults = [Fault.FULL] * 20
        engine.record(e.NodeUpdated(at=b.T0, node=NodeName("cn01"), by=Uid(0), comment="x"))
        while not engine.stalled:
            await asyncio.sleep(0.001)
        engine.record(submitted(engine))
        await asyncio.sleep(0.05)
        assert engine.cluster.jobs[JobId(1)].state.name == "PENDING"
        disk.faults.clear()
        while engine.cluster.jobs[JobId(1)].state.name == "PENDING":
            await asyncio.sleep(0.001)

    play(scene, disk)


def test_a_full_pass_of_many_jobs_is_made_beside_and_taken_over_in_parts() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        waiting = planning.MANY + planning.PART
        for _ in range(waiting):
            engine.record(submitted(engine))
        inline = planner.passes
        while not planner.forecasts:
            await asyncio.sleep(0.001)
        assert planner.passes > inline and not planner.full_passes_here
        pending = engine.cluster.pending
        assert len(pending) < waiting and set(planner.verdicts) == set(pending)
        assert all(job.priority for job in pending.values())
        assert set(planner.forecasts) <= set(pending)

    play(scene)


def test_no_turn_in_which_a_pass_over_thousands_is_taken_over_is_long() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        cluster, waiting = engine.cluster, 20_000
        cluster.settings.max_job_count = 2 * waiting
        for number in range(waiting):
            b.submit(cluster, ntasks=2, hold=number % 5 == 0)
        data = full_pass.made(cluster, b.T0)
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            turns = [time.thread_time()]
            found = full_pass.read(data)
            turns.append(time.thread_time())
            taking = planner._take_over(found, b.T0).__await__()
            for _ in taking:
                turns.append(time.thread_time())
            turns.append(time.thread_time())
            first = next(planner.waiting())
            turns.append(time.thread_time())
        finally:
            gc.enable()
            gc.unfreeze()
        assert max(later - earlier for earlier, later in pairwise(turns)) < 0.005 * pace()
        assert len(turns) > waiting // planning.PART
        assert first.id == 3 and len(planner.verdicts) > waiting // 2
        b.submit(cluster, ntasks=1)
        cluster.apply(e.Released(at=b.T0, job=JobId(1)))
        assert [job.id for job in planner.waiting()][:2] == [1, 3]
        assert list(planner.waiting())[-1].id == waiting + 1

    play(scene)


def test_what_changed_while_a_pass_was_made_beside_is_respected() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        for _ in range(planning.MANY + 20):
            engine.record(submitted(engine))
        while not planner.looking:
            await asyncio.sleep(0.001)
        gone = list(engine.cluster.pending)[:50]
        for job in gone:
            engine.record(e.Cancelled(at=b.T0, job=job, by=Uid(0)))
        while not planner.forecasts:
            await asyncio.sleep(0.001)
        assert not set(gone) & set(planner.verdicts)
        assert all(engine.cluster.jobs[job].state.name == "CANCELLED" for job in gone)

    play(scene)


def test_a_pass_beside_that_fails_is_logged_and_made_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        planner.beside = Failing()
        for _ in range(planning.MANY + 20):
            engine.record(submitted(engine))
        while not caplog.records:
            await asyncio.sleep(0.001)
        assert "a full pass failed: no memory" in caplog.text
        assert planner.looking is False

    play(scene)


@pytest.mark.parametrize("leaving", [e.Cancelled(at=b.T0, job=JobId(2), by=Uid(0)), e.Held(at=b.T0, job=JobId(2))], ids=["cancelled", "held"])
def test_who_is_behind_a_job_that_leaves_the_queue_starts_without_a_further_event(leaving: e.Event) -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        jobs = engine.cluster.jobs
        for cpus, seconds in ((1, 600), (2, 600), (1, 60_000)):
            engine.record(submitted(engine, ntasks=cpus, time_limit=seconds))
            await asyncio.sleep(0.01)
        while not planner.full_passes_here:
            await asyncio.sleep(0.01)
        assert [jobs[JobId(number)].state.name for number in (1, 2, 3)] == ["RUNNING", "PENDING", "PENDING"]
        engine.record(leaving)
        deadline = time.monotonic() + 10
        while jobs[JobId(3)].state.name != "RUNNING":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    play(scene)


def test_a_slow_pass_follows_when_nothing_happens_at_all() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        engine.cluster.settings.backfill_interval = 0
        planning.FULL_SECONDS, former = 0.01, planning.FULL_SECONDS
        try:
            engine.record(submitted(engine, ntasks=2))
            engine.record(submitted(engine, ntasks=2))
            while planner.full_passes_here < 3:
                await asyncio.sleep(0.01)
        finally:
            planning.FULL_SECONDS = former
        assert len(engine.cluster.pending) == 1

    play(scene)


def test_quick_passes_keep_sched_min_interval_between_them() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        engine.cluster.settings.sched_min_interval = 50_000
        for _ in range(3):
            engine.record(submitted(engine, hold=False))
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        gaps = [later - earlier for earlier, later in zip(planner.began, planner.began[1:], strict=False)]
        assert gaps and min(gaps) >= 0.045

    play(scene)


def test_a_pass_that_was_cut_short_is_followed_by_another_although_nothing_changes() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        engine.cluster.settings.sched_max_starts = 1
        for _ in range(2):
            engine.record(submitted(engine))
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(engine.cluster.active) == 2 and len(planner.began) >= 2

    play(scene)


def test_a_full_pass_with_heterogeneous_jobs_is_made_beside_from_fewer_records_on() -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        b.submit_het(engine.cluster, *({"ntasks": 9},) * 30)
        planner.trigger()
        await asyncio.sleep(0.2)
        while planner.looking:
            await asyncio.sleep(0.01)
        assert planner.full_passes_here == 0 and planner.passes > 1

    play(scene)


def test_a_full_pass_ends_also_where_bf_max_time_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(engine: Engine, planner: Slow) -> None:
        monkeypatch.setattr(planning, "MOST_SECONDS", 1e-9)
        for _ in range(40):
            b.submit(engine.cluster, ntasks=9)
        planner.run(full=True)
        assert len(planner.verdicts) < 40

    play(scene)


@pytest.mark.parametrize("fails", [False, True])
def test_the_first_look_at_very_many_is_made_beside_and_where_that_fails_all_the_same(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    monkeypatch.setattr(planning, "MOST_AT_ONCE", 10)
    monkeypatch.setattr(planning, "MANY", 5)
    monkeypatch.setattr(planning, "FULL_REST", 0.01)

    async def scene(engine: Engine, planner: Slow) -> None:
        if fails:
            planner.beside = Failing()
        planner.rest(0.2)
        for _ in range(30):
            await engine.record(submitted(engine))
        while not planner.began:
            await asyncio.sleep(0.005)
        assert planner.passes_before_the_first_quick_one == (0 if fails else 1)
        while len(engine.cluster.active) < 2:
            await asyncio.sleep(0.005)

    play(scene)
