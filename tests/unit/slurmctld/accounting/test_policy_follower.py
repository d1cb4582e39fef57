"""Policy from slurmdbd: holds at once, after a restart without slurmdbd too, is acknowledged once it is on disk, and keeps nobody waiting."""

import asyncio

from slurm.model.policy import Account, Association, PolicyRecord, Qos, UsageReset, User
from slurm.slurmctld.accounting.policy_follower import AT_ONCE
from slurm.store.memory import MemoryJournal
from slurm.wire.dbd_messages import TakePolicy
from tests.unit.slurmctld.accounting.slurmdbd import Slurmdbd
from tests.unit.slurmctld.accounting.test_sender import Controller, play, until

ROOT = Association(id=1, cluster="alpha", account="root", qos=["normal"])
FIRST: list[PolicyRecord] = [
    Account(name="root"), User(name="root"), Qos(id=1, name="normal"), ROOT, Account(name="physics"), User(name="anna"),
    Association(id=2, cluster="alpha", account="physics", parent=1), Association(id=3, cluster="alpha", account="physics", user="anna", parent=2, is_default=True)]


def whole(version: int, *records: PolicyRecord) -> list[TakePolicy]:
    """A whole policy in two parts."""
    half = len(records) // 2
    return [TakePolicy(version=version, records=list(records[:half]), part=True), TakePolicy(version=version, records=list(records[half:]), part=True, last=True)]


def test_the_policy_holds_when_it_is_acknowledged_and_after_a_restart_without_slurmdbd() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        dbd.policy = whole(4, *FIRST)
        journal = MemoryJournal()
        ctl = Controller(journal, dbd)
        await ctl.configure()
        await ctl.accounting.start()
        await until(lambda: dbd.taken == [4])
        assert ctl.cluster.policy.book.default_account("anna") == "physics"
        await ctl.accounting.close()
        await ctl.commit.close()
        again = Controller(journal, Slurmdbd())
        assert again.cluster.policy.book.default_account("anna") == "physics"
        again.link.reachable = False
        await again.close()

    play(scene)


def test_a_change_holds_when_it_is_acknowledged() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        dbd.policy = whole(4, *FIRST)
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.accounting.start()
        await until(lambda: dbd.taken == [4])
        bert = Association(id=5, cluster="alpha", account="physics", user="bert", parent=2, limits={"MaxJobs": {"": 1}})
        ctl.link.tell(TakePolicy(version=9, records=[User(name="bert"), bert], resets=[UsageReset(association=3)]))
        await until(lambda: dbd.taken == [4, 9])
        assert ctl.cluster.policy.book.find("bert", "physics") == bert
        ctl.link.tell(TakePolicy(version=10, records=[Association(id=5, cluster="alpha", account="physics", user="bert", parent=2, deleted=True)]))
        await until(lambda: dbd.taken == [4, 9, 10])
        assert ctl.cluster.policy.book.find("bert", "physics") is None
        await ctl.close()

    play(scene)


def test_a_whole_policy_that_is_known_writes_nothing_and_one_that_differs_only_the_difference() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        dbd.policy = whole(4, *FIRST)
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.accounting.start()
        await until(lambda: dbd.taken == [4])
        recorded = ctl.engine.events_recorded
        ctl.link.reconnect("the cable")
        await until(lambda: dbd.taken == [4, 4])
        assert ctl.engine.events_recorded == recorded
        dbd.policy = whole(7, *FIRST[:5], Account(name="chemistry"))
        ctl.link.reconnect("the cable again")
        await until(lambda: dbd.taken == [4, 4, 7])
        assert ctl.engine.events_recorded == recorded + 1
        assert set(ctl.cluster.policy.book.associations) == {1} and "chemistry" in ctl.cluster.policy.book.accounts
        await ctl.close()

    play(scene)


def test_parts_of_a_whole_policy_whose_end_never_came_are_forgotten() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        dbd.policy = [TakePolicy(version=3, records=[Account(name="gone")], part=True)]
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.accounting.start()
        await until(lambda: dbd.followed == 1)
        dbd.policy = whole(4, *FIRST)
        ctl.link.reconnect("the cable")
        await until(lambda: dbd.taken == [4])
        assert "gone" not in ctl.cluster.policy.book.accounts
        await ctl.close()

    play(scene)


def test_many_records_are_compared_in_slices() -> None:
    async def scene() -> None:
        dbd = Slurmdbd()
        many: list[PolicyRecord] = [*FIRST, *(
            Association(id=10 + place, cluster="alpha", account="physics", user=f"u{place}", parent=2) for place in range(20_000))]
        dbd.policy = [TakePolicy(version=4, records=many[start:start + AT_ONCE], part=True, last=start + AT_ONCE >= len(many)) for start in range(0, len(many), AT_ONCE)]
        ctl = Controller(MemoryJournal(), dbd)
        await ctl.configure()
        await ctl.accounting.start()
        await until(lambda: dbd.taken == [4])
        assert len(ctl.cluster.policy.book.associations) == 20_003
        recorded = ctl.engine.events_recorded
        turns = 0

        async def watch() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += len(ctl.link.dbd.taken) == 1

        watching = asyncio.ensure_future(watch())
        ctl.link.reconnect("the cable")
        await until(lambda: dbd.taken == [4, 4])
        watching.cancel()
        assert ctl.engine.events_recorded == recorded
        assert turns >= 2 * len(many) // AT_ONCE, "what was told, and what is known, are looked at so many records a turn"
        await ctl.close()

    play(scene)
