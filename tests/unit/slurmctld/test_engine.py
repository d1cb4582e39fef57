"""The engine: nothing leaves before the disk has it, whatever the disk does meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Announce, Effect
from slurm.core.illegal import IllegalTransition
from slurm.model import msgpack
from slurm.model.errors import StoreError
from slurm.model.ids import JobId, Uid
from slurm.slurmctld import engine
from slurm.slurmctld.engine import Engine
from slurm.store.group_commit import GroupCommit
from slurm.store.memory import Fault, MemoryDisk, MemoryJournal
from slurm.testing import builders as b


class Scene:
    """An engine on a disk in memory, with what it did. `carry_out` may be replaced."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()
        self.done: list[Effect] = []
        self.noticed: list[str] = []
        self.broken: list[StoreError] = []
        self.carry_out: Callable[[Effect], None] = self.done.append
        self.commit = GroupCommit(MemoryJournal(self.disk), asyncio.get_running_loop())
        self.engine = Engine(
            b.cluster(2), self.commit, lambda effect: self.carry_out(effect), self._noticed, self.broken.append, retry_seconds=0.01)

    def _noticed(self, event: e.Event | None) -> None:
        self.noticed.append(type(event).__name__ if event is not None else "")

    def submitted(self) -> e.Submitted:
        """The event of one more job."""
        other = b.cluster(2)
        other.next_job_id = self.engine.cluster.next_job_id
        job = b.submit(other)
        return e.Submitted(at=b.T0, job=job)

    @property
    def written(self) -> list[str]:
        """Kinds of the events on the disk, in order."""
        return [record.kind for _, record in sorted(self.disk.events.items())]


def play(scene: Callable[[Scene], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        stage = Scene()
        await asyncio.wait_for(scene(stage), 10)
        await stage.commit.close()

    asyncio.run(main())


def test_effects_leave_and_the_reply_comes_once_the_event_is_on_disk() -> None:
    async def scene(s: Scene) -> None:
        durable = s.engine.record(s.submitted())
        assert s.noticed == ["Submitted"]
        assert not s.done and not durable.done()
        await durable
        assert s.written == ["Submitted"]
        assert all(isinstance(effect, Announce) for effect in s.done)

    play(scene)


def test_the_journal_gets_an_event_as_it_happened_and_not_what_became_of_its_record() -> None:
    async def scene(s: Scene) -> None:
        event = s.submitted()
        before = msgpack.encode(event)
        durable = s.engine.record(event)
        event.job.priority = 77
        await durable
        assert s.disk.events[1].body == before

    play(scene)


def test_an_impossible_event_leaves_those_before_it_and_none_behind_it() -> None:
    async def scene(s: Scene) -> None:
        event = s.submitted()
        with pytest.raises(IllegalTransition):
            s.engine.record(
                event, e.Cancelled(at=b.T0, job=JobId(999), by=Uid(0)), e.Cancelled(at=b.T0, job=event.job.id, by=Uid(0)))
        await s.engine.settled()
        assert s.written == ["Submitted"]
        assert event.job.id in s.engine.cluster.pending
        assert s.noticed == ["Submitted"]

    play(scene)


def test_recording_nothing_is_durable_at_once() -> None:
    async def scene(s: Scene) -> None:
        assert s.engine.record().done()

    play(scene)


def test_settled_waits_for_everything_recorded_before() -> None:
    async def scene(s: Scene) -> None:
        await s.engine.settled()
        for _ in range(5):
            s.engine.record(s.submitted())
        await s.engine.settled()
        assert len(s.written) == 5

    play(scene)


def test_one_who_gives_up_waiting_does_not_disturb_the_others() -> None:
    async def scene(s: Scene) -> None:
        durable = s.engine.record(s.submitted())
        waiting = asyncio.ensure_future(s.engine.settled())
        await asyncio.sleep(0)
        waiting.cancel()
        await durable
        assert s.written == ["Submitted"]

    play(scene)


def test_while_much_waits_for_a_slow_disk_no_new_change_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who submits large scripts while the database hangs fills this process's memory otherwise."""
    monkeypatch.setattr(engine, "MOST_WAITING", 100)

    async def scene(s: Scene) -> None:
        durable = s.engine.record(s.submitted(), payloads=[b"x" * 200])
        with pytest.raises(StoreError) as caught:
            s.engine.refuse_when_stalled()
        assert "wait to be written" in caught.value.hints[0]
        await durable
        s.engine.refuse_when_stalled()

    play(scene)


def test_a_full_disk_keeps_events_in_order_and_acknowledges_none_until_there_is_space() -> None:
    async def scene(s: Scene) -> None:
        s.disk.faults = [Fault.FULL, Fault.FULL]
        first = s.engine.record(s.submitted())
        while not s.engine.stalled:
            await asyncio.sleep(0.001)
        second = s.engine.record(e.Held(at=b.T0, job=JobId(1)))
        assert not first.done() and not second.done() and not s.done
        with pytest.raises(StoreError, match="Unable to write the state"):
            s.engine.refuse_when_stalled()
        await asyncio.gather(first, second)
        assert s.written == ["Submitted", "Held"]
        assert not s.engine.stalled
        assert s.noticed == ["Submitted", "Held", ""]
        s.engine.refuse_when_stalled()
        assert not s.broken

    play(scene)


def test_whoever_asked_is_told_when_the_disk_is_full_and_not_kept_waiting() -> None:
    async def scene(s: Scene) -> None:
        s.disk.faults = [Fault.FULL, Fault.FULL]
        first = s.engine.record(s.submitted())
        with pytest.raises(StoreError) as raised:
            await s.engine.promised(first, "ask again")
        assert raised.value.hints[-1] == "ask again"
        assert not first.done()
        await first
        await s.engine.promised(s.engine.record(e.Held(at=b.T0, job=JobId(1))))
        assert s.written == ["Submitted", "Held"]

    play(scene)


def test_what_was_recorded_between_a_failed_write_and_the_news_of_it_keeps_its_place() -> None:
    async def scene(s: Scene) -> None:
        s.disk.faults = [Fault.FULL]
        durables = [s.engine.record(s.submitted())]
        for _ in range(20):
            durables.append(s.engine.record(s.submitted()))
            await asyncio.sleep(0)
        await asyncio.gather(*durables)
        ids = [msgpack.decode(record.body, type=e.AnyEvent).job.id for _, record in sorted(s.disk.events.items())]
        assert ids == list(range(1, 22))

    play(scene)


def test_a_disk_that_fails_for_good_is_told_once_and_never_written_again() -> None:
    async def scene(s: Scene) -> None:
        s.disk.faults = [Fault.BROKEN]
        durable = s.engine.record(s.submitted())
        while not s.broken:
            await asyncio.sleep(0.001)
        s.engine.record(s.submitted())
        await asyncio.sleep(0.05)
        assert len(s.broken) == 1
        assert s.written == [] and not durable.done()
        s.engine.close()

    play(scene)


def test_one_effect_that_fails_keeps_neither_the_others_nor_the_reply() -> None:
    async def scene(s: Scene) -> None:
        def carry_out(effect: Effect) -> None:
            s.done.append(effect)
            raise RuntimeError("this one fails")

        s.carry_out = carry_out
        await s.engine.record(s.submitted())
        await s.engine.record(e.Held(at=b.T0, job=JobId(1)), e.Cancelled(at=b.T0, job=JobId(1), by=Uid(0)))
        assert len(s.done) >= 2

    play(scene)


def test_events_given_up_at_the_end_are_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Scene) -> None:
        s.disk.faults = [Fault.FULL] * 100
        s.engine.record(s.submitted())
        while not s.engine.stalled:
            await asyncio.sleep(0.001)
        s.engine.close()
        await asyncio.sleep(0.03)
        assert s.written == []

    play(scene)
    assert "1 events could not be written" in caplog.text


def test_memory_is_the_fold_of_what_was_written() -> None:
    async def scene(s: Scene) -> None:
        for _ in range(3):
            s.engine.record(s.submitted())
        s.engine.record(e.Held(at=b.T0, job=JobId(2)), e.Cancelled(at=b.T0, job=JobId(1), by=Uid(0)))
        await s.engine.settled()
        again: Cluster = b.cluster(2)
        for _, record in sorted(s.disk.events.items()):
            again.apply(msgpack.decode(record.body, type=e.AnyEvent))
        assert again.jobs == s.engine.cluster.jobs

    play(scene)
