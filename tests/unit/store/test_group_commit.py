"""Group commit: order, grouping, errors that nobody is spared, and the same behaviour on the fake and on SQLite."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store import group_commit
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal, Record, StoreBusy
from slurm.store.memory import Crashed, Fault, MemoryDisk, MemoryJournal
from slurm.store.parcels import NO_NOTES, Notes, Parcel
from slurm.store.payloads import digest
from slurm.store.sqlite_journal import SqliteJournal


def record(text: str) -> Record:
    return Record(at=1.0, kind="Submitted", body=text.encode())


class Slow(MemoryJournal):
    """A journal whose writes wait for the test."""

    def __init__(self, disk: MemoryDisk) -> None:
        super().__init__(disk)
        self.go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)

    def append(self, records: Sequence[Record], payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (), taken: int = 0,
               notes: Notes = NO_NOTES) -> int:
        """Say that it began, and wait."""
        self.begun.release()
        assert self.go.acquire(timeout=10)
        return super().append(records, payloads, outbox, taken, notes)


def run(journal: Journal, test: Callable[[GroupCommit], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        commit = GroupCommit(journal, asyncio.get_running_loop())
        await asyncio.wait_for(test(commit), 20)
        await commit.close()

    asyncio.run(main())


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    return MemoryJournal() if request.param == "memory" else SqliteJournal(str(tmp_path / "journal.db"))


def test_callbacks_come_in_order_after_the_events_are_on_disk(journal: Journal) -> None:
    told: list[int] = []

    async def test(commit: GroupCommit) -> None:
        for number in range(1, 101):
            def on_durable(error: StoreError | None, number: int = number) -> None:
                assert error is None
                assert journal.last_seq >= number
                told.append(number)

            assert commit.submit([record(str(number))], on_durable) == number
        await commit.drain()
        assert commit.outstanding == 0
        assert commit.submitted_seq == 100

    run(journal, test)
    assert told == list(range(1, 101))
    assert [entry.body for entry in journal.replay()] == [str(n).encode() for n in range(1, 101)]
    journal.close()


def test_what_comes_during_a_write_shares_the_next_one() -> None:
    disk = MemoryDisk()
    journal = Slow(disk)

    async def test(commit: GroupCommit) -> None:
        commit.submit([record("a")], lambda error: None)
        assert journal.begun.acquire(timeout=10)
        for text in "bcdefg":
            commit.submit([record(text)], lambda error: None)
        journal.go.release(2)
        await commit.drain()
        assert commit.writes == 2

    run(journal, test)
    assert disk.syncs == 2
    assert [entry.body for entry in disk.events.values()] == [b"a", b"b", b"c", b"d", b"e", b"f", b"g"]


def test_an_error_is_told_to_everything_behind_it_in_order_and_nothing_is_written() -> None:
    disk = MemoryDisk()
    disk.faults = [Fault.FULL]
    journal = Slow(disk)
    told: list[tuple[str, type[StoreError] | None]] = []

    async def test(commit: GroupCommit) -> None:
        def submit(text: str, then: Callable[[], None] = lambda: None) -> None:
            def on_durable(error: StoreError | None) -> None:
                told.append((text, type(error) if error else None))
                then()

            commit.submit([record(text)], on_durable)

        submit("a", lambda: submit("in the callback"))
        assert journal.begun.acquire(timeout=10)
        submit("b")
        submit("c")
        journal.go.release()
        await commit.drain()
        assert told == [("a", StoreBusy), ("b", StoreBusy), ("c", StoreBusy), ("in the callback", StoreBusy)]
        assert commit.submitted_seq == 0
        journal.go.release()
        submit("later")
        await commit.drain()
        assert told[-1] == ("later", None)

    run(journal, test)
    assert [entry.body for entry in disk.events.values()] == [b"later"]


def test_large_contents_go_in_several_writes_and_are_counted_until_they_are_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of scripts of 4 MiB that had waited for a database were more than it takes at once, and slurmctld ended."""
    monkeypatch.setattr(group_commit, "MAX_BYTES", 1000)
    journal = Slow(MemoryDisk())

    async def test(commit: GroupCommit) -> None:
        told: list[object] = []
        commit.submit([record("a")], told.append)
        await asyncio.to_thread(journal.begun.acquire)
        for size in (600, 300, 300, 5000, 10):
            commit.submit([record("")], told.append, payloads=[b"x" * size])
        assert commit.waiting == 6211
        for _ in range(5):
            journal.go.release()
        await commit.drain()
        assert (told, commit.writes, commit.waiting) == ([None] * 6, 5, 0)

    run(journal, test)


def test_payloads_that_cannot_be_dropped_do_not_hold_up_events() -> None:
    disk = MemoryDisk()
    disk.faults = [Fault.FULL]
    done: list[str] = []

    async def test(commit: GroupCommit) -> None:
        commit.forget([Digest("00")], lambda error: done.append(str(error)))
        commit.submit([record("a")], lambda error: done.append(str(error)))
        await commit.drain()

    run(MemoryJournal(disk), test)
    assert done == ["no space is left for the journal", "None"]


def test_a_payload_that_is_submitted_after_it_was_forgotten_is_kept(journal: Journal) -> None:
    async def test(commit: GroupCommit) -> None:
        commit.submit([record("a")], lambda error: None, payloads=[b"script", b"old"])
        commit.forget([digest(b"script"), digest(b"old")], lambda error: None)
        commit.submit([record("b")], lambda error: None, payloads=[b"script"])
        await commit.drain()

    run(journal, test)
    assert journal.payload(digest(b"script")) == b"script"
    with pytest.raises(StoreError):
        journal.payload(digest(b"old"))
    journal.close()


def test_a_callback_that_raises_does_not_silence_the_others() -> None:
    told: list[int] = []
    raised: list[object] = []

    async def test(commit: GroupCommit) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context.get("exception")))

        def broken(error: StoreError | None) -> None:
            raise ValueError("a bug in a handler")

        commit.submit([record("a")], broken)
        commit.submit([record("b")], lambda error: told.append(2))
        await commit.drain()

    run(MemoryJournal(), test)
    assert told == [2]
    assert isinstance(raised[0], ValueError)


def test_a_bug_in_a_backend_is_told_as_an_error_and_the_writer_lives_on() -> None:
    class Buggy(MemoryJournal):
        def append(self, records: Sequence[Record], payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (), taken: int = 0,
                   notes: Notes = NO_NOTES) -> int:
            """Fail on one body."""
            if records[0].body == b"bad":
                raise ZeroDivisionError
            return super().append(records, payloads, outbox, taken, notes)

    told: list[str] = []

    async def test(commit: GroupCommit) -> None:
        commit.submit([record("bad")], lambda error: told.append(str(error)))
        await commit.drain()
        commit.submit([record("good")], lambda error: told.append(str(error)))
        await commit.drain()

    run(Buggy(), test)
    assert told == ["the writer of the journal failed: ZeroDivisionError()", "None"]


@pytest.mark.parametrize(("fault", "kept"), [(Fault.CRASH_BEFORE, []), (Fault.CRASH_AFTER, [b"a"])])
def test_a_played_crash_tells_nobody_and_leaves_the_disk(fault: Fault, kept: list[bytes]) -> None:
    disk = MemoryDisk()
    disk.faults = [fault]
    told: list[object] = []

    async def main() -> None:
        commit = GroupCommit(MemoryJournal(disk), asyncio.get_running_loop())
        commit.submit([record("a")], told.append)
        with pytest.raises(Crashed):
            await asyncio.wait_for(commit.drain(), 10)
        assert isinstance(commit.died, Crashed)

    asyncio.run(main())
    assert not told
    assert [entry.body for entry in MemoryJournal(disk).replay()] == kept
