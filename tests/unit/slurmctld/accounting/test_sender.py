"""Records reach slurmdbd in order and once, whatever dies meanwhile; nothing is dropped, and memory stays small."""

import asyncio
import random
import tracemalloc
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from slurm.core import admission
from slurm.core import events as e
from slurm.model.ids import JobId, Uid
from slurm.model.job import Allocation
from slurm.model.request import JobRequest, PayloadRef
from slurm.model.states import JobState
from slurm.slurmctld.accounting.sender import Accounting, Pace
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.snapshots import Snapshots
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal
from slurm.store.memory import Fault, MemoryDisk, MemoryJournal
from slurm.store.parcels import Parcel
from slurm.store.sqlite_journal import SqliteJournal
from slurm.testing import builders as b
from slurm.wire.dbd_messages import RegisterCluster
from tests.unit.slurmctld.accounting.slurmdbd import LOSE_ANSWER, LOSE_MESSAGE, REFUSE, DbdLink, Slurmdbd

LIMIT_SECONDS = 60
FAST = Pace(gather=0.001, more=0.001, drop=0.001, pause=0.001)
"""Nothing is waited for that only spares machines work."""


class Controller:
    """What of a slurmctld records and sends, from a start to a crash or an end."""

    def __init__(self, journal: Journal, dbd: Slurmdbd, *, most: int = 10_000) -> None:
        self.now = b.T0
        self.journal = journal
        self.cluster = restore(journal)
        self.commit = GroupCommit(journal, asyncio.get_running_loop())
        self.engine = Engine(self.cluster, self.commit, lambda effect: None, lambda event: None, lambda error: None, retry_seconds=0.01)
        self.accounting = Accounting(
            self.engine, journal, self.commit, lambda: self.now, lambda: RegisterCluster(cluster="alpha", journal=""), most, FAST)
        self.link = DbdLink(dbd, self.accounting)
        self.accounting.link = self.link

    async def configure(self) -> None:
        """The first configuration: one large node."""
        nodes = [b.node("cn01", 64, 64000)]
        rules = b.Settings(accounting=True, def_mem_per_cpu=1, requeue_delay=0, max_job_count=1_000_000)
        await self.record(e.Configured(at=self.now, settings=rules, nodes=nodes, partitions=[b.partition("debug", nodes, default=True)]))
        await self.record(b.registered(nodes[0], self.now))

    async def record(self, *events: e.Event) -> None:
        await self.engine.record(*events)

    async def start_task(self, master: JobId, task: int) -> None:
        started = self.cluster.starting(master, task, Allocation(shares=[b.share(self.cluster, "cn01", 1, 1)], partition="debug"), self.now)
        assert started is not None
        await self.record(started)

    def submission(self, name: str = "job") -> e.Submitted:
        return admission.admit(self.cluster, JobRequest(name=name, time_limit=600, work_dir="/tmp"), PayloadRef(), b.ALICE, self.now).event

    async def run_job(self, name: str = "job", status: int = 0) -> JobId:
        """One job from its submission to its end, each event on disk before the next."""
        event = self.submission(name)
        await self.record(event)
        job_id = event.job.id
        started = self.cluster.starting(job_id, None, Allocation(shares=[b.share(self.cluster, "cn01")], partition="debug"), self.now)
        assert started is not None
        await self.record(started)
        await self.record(e.Launched(at=self.now, job=job_id, attempt=1))
        self.now += 1
        await self.record(e.BatchExited(at=self.now, job=job_id, attempt=1, status=status))
        await self.record(e.NodeFreed(at=self.now, job=job_id, attempt=1, node=b.NodeName("cn01")))
        return job_id

    async def arrived(self) -> None:
        """Wait until slurmdbd has everything."""
        await until(lambda: self.accounting.waiting == 0 and not self.cluster.recording.behind)

    async def close(self) -> None:
        await self.accounting.close()
        await self.commit.close()
        self.journal.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not holds():
            await asyncio.sleep(0.002)


def play(scene: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 2 * LIMIT_SECONDS))


def test_records_arrive_in_order_and_leave_the_outbox() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.accounting.start()
        await ctl.configure()
        good, bad = await ctl.run_job(), await ctl.run_job(status=7 << 8)
        await ctl.arrived()
        dbd.database.check(ctl.cluster)
        assert dbd.database.jobs[good, 0].state is JobState.COMPLETED
        assert (dbd.database.jobs[bad, 0].state, dbd.database.jobs[bad, 0].exit_status) == (JobState.FAILED, 7 << 8)
        assert dbd.database.steps[bad, 0, -5].exit_status == 7 << 8
        assert dbd.duplicates == 0
        await until(lambda: ctl.journal.outbox_kept().waiting == 0)
        await ctl.close()

    play(scene)


def test_an_array_is_recorded_once_for_all_tasks_that_begin_meanwhile_and_again_after_a_restart() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(disk := MemoryDisk()), dbd)
        await ctl.configure()
        request = JobRequest(name="array", array="0-9", time_limit=600, work_dir="/tmp")
        master = admission.admit(ctl.cluster, request, PayloadRef(), b.ALICE, ctl.now).event
        await ctl.record(master)
        before = ctl.cluster.recording.sequence
        for task in range(4):
            await ctl.start_task(master.job.id, task)
        assert ctl.cluster.recording.sequence == before + 4
        await ctl.accounting.start()
        await ctl.arrived()
        assert dbd.database.jobs[master.job.id, 0].array_tasks == "4-9"
        assert dbd.database.sequence == before + 5
        assert dbd.database.jobs.keys() == {(job, 0) for job in ctl.cluster.jobs}
        await ctl.accounting.close()
        await ctl.start_task(master.job.id, 4)
        await Snapshots(ctl.engine, ctl.journal, ctl.commit).take()
        await ctl.commit.close()  # killed before that was told
        again = Controller(MemoryJournal(disk), dbd)
        await again.accounting.start()
        await again.arrived()
        assert dbd.database.jobs[master.job.id, 0].array_tasks == "5-9"
        dbd.database.check(again.cluster)
        await again.close()

    play(scene)


def test_what_was_committed_and_not_acknowledged_is_known_at_the_next_registration() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.run_job()
        dbd.faults = [LOSE_ANSWER, LOSE_MESSAGE, REFUSE, LOSE_ANSWER]
        await ctl.accounting.start()
        await ctl.arrived()
        dbd.database.check(ctl.cluster)
        while dbd.faults:
            await ctl.run_job()
            await ctl.arrived()
        dbd.database.check(ctl.cluster)
        assert dbd.duplicates == 0
        await ctl.close()

    play(scene)


@pytest.mark.parametrize("seed", range(12))
def test_a_controller_that_is_killed_at_any_write_loses_no_record_and_sends_none_twice(seed: int) -> None:
    chance = random.Random(seed)

    async def life(disk: MemoryDisk, dbd: Slurmdbd) -> bool:
        """A controller from its start to its end by a crash; whether all its work was done before."""
        ctl = Controller(MemoryJournal(disk), dbd)
        disk.faults = [Fault.FULL] * chance.randint(0, 1)
        dbd.faults = chance.choices(["answer", LOSE_ANSWER, LOSE_MESSAGE, REFUSE], k=4)
        try:
            await ctl.accounting.start()
            if not ctl.cluster.nodes:
                await ctl.configure()
            for job in [job for job in ctl.cluster.active.values() if not job.completing]:
                await ctl.record(e.BatchExited(at=ctl.now, job=job.id, attempt=job.attempt, status=0))
            work = asyncio.ensure_future(_jobs(ctl, 5))
            while not work.done():
                if chance.random() < 0.01:
                    disk.faults = [chance.choice([Fault.CRASH_BEFORE, Fault.CRASH_AFTER])]
                if ctl.commit.died is not None:
                    work.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([work])
        finally:
            await ctl.accounting.close()
        if ctl.commit.died is None:
            await ctl.commit.close()
        return ctl.commit.died is None

    async def _jobs(ctl: Controller, count: int) -> None:
        for _ in range(count):
            await ctl.run_job()

    async def scene() -> None:
        disk, dbd = MemoryDisk(), Slurmdbd()
        for _ in range(8):
            await life(disk, dbd)
        disk.faults, dbd.faults = [], []
        ctl = Controller(MemoryJournal(disk), dbd)
        await ctl.accounting.start()
        await ctl.run_job()
        await ctl.arrived()
        dbd.database.check(ctl.cluster)
        await ctl.close()

    play(scene)


def test_during_an_outage_records_wait_on_disk_and_memory_stays_small(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs = 10_000

    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(SqliteJournal(str(tmp_path / "journal.db")), dbd, most=40_000)
        ctl.link.reachable = False
        await ctl.accounting.start()
        await ctl.configure()
        for portion in range(jobs // 100):
            events = [ctl.submission(f"job{portion}") for _ in range(1)]
            await ctl.record(*events)
            for _ in range(99):
                event = ctl.submission(f"job{portion}")
                done = ctl.engine.record(event)
            await done
            ids = list(ctl.cluster.pending)
            await ctl.record(*(e.Cancelled(at=ctl.now, job=job_id, by=Uid(1001)) for job_id in ids))
            await ctl.record(e.Purged(at=ctl.now, jobs=ids))
        kept = ctl.journal.outbox_kept()
        assert kept.waiting == ctl.accounting.waiting == ctl.cluster.recording.sequence > 2 * jobs
        assert "MaxDBDMsgs=40000" in caplog.text
        dbd.database.jobs = _Count()  # type: ignore[assignment]
        tracemalloc.start()
        ctl.link.reachable = True
        await ctl.arrived()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16 * 1024 * 1024, "one slice and what is made of it, on both sides"
        assert dbd.database.jobs.count == 2 * jobs  # type: ignore[attr-defined]
        assert max(dbd.slices) <= 1000
        await until(lambda: ctl.journal.outbox_kept().waiting == 0)
        await ctl.close()

    play(scene)


class _Count(dict[tuple[int, int], object]):
    """Only counts what is written into it."""

    count = 0

    def __setitem__(self, key: tuple[int, int], value: object) -> None:
        self.count += 1


def test_a_new_state_folder_continues_above_the_ids_that_the_database_knows() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        dbd.highest = 4711
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.accounting.start()
        await ctl.arrived()
        await until(lambda: ctl.cluster.next_job_id > 1)
        assert await ctl.run_job() == 4712
        await ctl.arrived()
        await ctl.close()
        again = Controller(MemoryJournal(ctl.journal.disk), dbd)  # type: ignore[attr-defined]
        dbd.highest = 9999  # jobs of another journal
        await again.accounting.start()
        assert await again.run_job() == 4713, "a journal that slurmdbd knows goes on as it is"
        await again.close()

    play(scene)


def test_what_a_database_has_lost_comes_again_as_far_as_it_is_known() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.accounting.start()
        await ctl.configure()
        ended = await ctl.run_job()
        await ctl.record(ctl.submission("waits"))
        await ctl.arrived()
        await until(lambda: ctl.journal.outbox_kept().waiting == 0)
        fresh = Slurmdbd()
        ctl.link.dbd = fresh
        ctl.link.reconnect("another database")
        await until(lambda: bool(fresh.database.jobs))
        await ctl.arrived()
        assert fresh.database.jobs[ended, 0] == dbd.database.jobs[ended, 0]
        assert {record.name for record in fresh.database.jobs.values()} == {"job", "waits"}
        assert fresh.database.cluster == dbd.database.cluster
        await ctl.close()

    play(scene)


def test_a_state_that_was_restored_from_a_backup_begins_a_journal_of_its_own() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        first = Controller(MemoryJournal(), dbd)
        await first.configure()
        await first.close()
        backup = MemoryDisk()
        backup.__dict__.update({name: value.copy() if isinstance(value, dict) else value for name, value in first.journal.disk.__dict__.items()})  # type: ignore[attr-defined]
        first = Controller(MemoryJournal(first.journal.disk), dbd)  # type: ignore[attr-defined]
        await first.accounting.start()
        await first.run_job("lost with the state")
        await first.arrived()
        await first.close()
        again = Controller(MemoryJournal(backup), dbd)
        await again.accounting.start()
        await until(lambda: len(dbd.through) == 2)
        await again.arrived()
        job = await again.run_job("after the backup")
        await again.arrived()
        assert job == 2, "the id of the job that the backup does not know is not given again"
        assert dbd.database.jobs[job, 0].name == "after the backup"
        await again.close()

    play(scene)


def test_what_slurmdbd_refuses_is_kept_tried_again_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        dbd.faults = [REFUSE] * 5
        assert "does not answer" in ctl.accounting.trouble
        await ctl.accounting.start()
        await until(lambda: "slurmdbd takes no records" in ctl.accounting.trouble)
        assert "the database is away" in ctl.accounting.trouble
        await ctl.arrived()
        assert ctl.accounting.trouble == ""
        dbd.database.check(ctl.cluster)
        await ctl.close()

    play(scene)
    assert caplog.text.count("the database is away") == 1


def test_a_controller_without_the_earlier_state_says_that_jobs_of_that_will_not_be_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        dbd.highest, dbd.going_on = 4711, 2
        await ctl.accounting.start()
        await until(lambda: "slurmctld began without the state" in caplog.text)
        await ctl.close()

    play(scene)
    assert "2 jobs of that have not ended" in caplog.text and "sacctmgr show runawayjobs" in caplog.text


def test_usage_may_be_summed_up_to_the_moment_until_which_everything_has_arrived() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.accounting.start()
        await ctl.arrived()
        ctl.now += 100
        await ctl.run_job()
        await until(lambda: dbd.complete_until >= b.T0 + 100)
        assert dbd.complete_until <= ctl.now
        await ctl.close()

    play(scene)


def test_without_accounting_nothing_is_put_out() -> None:
    async def scene() -> None:
        ctl = Controller(MemoryJournal(), Slurmdbd())
        nodes = [b.node("cn01", 64, 64000)]
        await ctl.record(e.Configured(at=ctl.now, settings=b.Settings(), nodes=nodes, partitions=[b.partition("debug", nodes, default=True)]),
                         b.registered(nodes[0], ctl.now))
        await ctl.run_job()
        assert ctl.journal.outbox_kept().waiting == ctl.cluster.recording.sequence == 0
        await ctl.close()

    play(scene)


def test_the_numbers_on_disk_count_when_another_version_made_other_records_of_the_same_events() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.run_job()
        sequence = ctl.cluster.recording.sequence
        disk = ctl.journal.disk  # type: ignore[attr-defined]
        await ctl.close()
        MemoryJournal(disk).append([], outbox=[Parcel(sequence + 1, disk.outbox[sequence].replace(b"job", b"one"))])
        again = Controller(MemoryJournal(disk), dbd)
        assert again.cluster.recording.sequence == sequence + 1
        await again.close()

    play(scene)


def test_nobody_registers_while_the_disk_takes_nothing() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        dbd.highest = 4711
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        ctl.journal.disk.faults = [Fault.FULL] * 3  # type: ignore[attr-defined]
        submission = ctl.submission()
        recorded = ctl.engine.record(submission)
        await until(lambda: bool(ctl.engine.stalled))
        await ctl.accounting.start()
        await recorded
        await ctl.arrived()
        await until(lambda: ctl.cluster.next_job_id == 4712)
        assert (submission.job.id, len(dbd.registered)) == (1, 1)
        await ctl.close()

    play(scene)
