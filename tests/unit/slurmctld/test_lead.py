"""The lead of a slurmctld that was stopped and woke up, that cannot reach its store, that hands over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from slurm.config.config import parse
from slurm.daemon.logs import Verbosity
from slurm.model.errors import StoreError
from slurm.slurmctld import lead, service
from slurm.slurmctld.lead import Lead, beat_seconds
from slurm.store.journal import StoreBusy
from slurm.store.lease import Deposed, Term
from slurm.store.memory import MemoryDisk, MemoryLease
from slurm.store.state import State

TIMEOUT = 6.0


class Scene:
    """A lease on a disk, who holds it, and a clock that the test sets."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()
        self.lease = MemoryLease(self.disk)
        self.now = 0.0
        self.lost: list[Deposed] = []
        self.lead = Lead(self.lease, self.lease.claim("a", "a", 0), TIMEOUT, self.lost.append, clock=lambda: self.now)

    @property
    def term(self) -> Term:
        assert self.disk.term is not None
        return self.disk.term


def played(scene: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        made = Scene()
        try:
            await scene(made)
        finally:
            made.lead.close()

    asyncio.run(main())


def test_a_leader_beats_until_another_one_claims_and_is_told_once() -> None:
    async def scene(s: Scene) -> None:
        keeping = asyncio.create_task(s.lead.keep())
        while s.term.beats < 1:
            await asyncio.sleep(0.01)
        MemoryLease(s.disk).claim("b", "b", 1)
        await s.lead.still_leads()
        await s.lead.still_leads()
        assert [error.message for error in s.lost] == ["this slurmctld does not lead any more: its epoch was 1, b leads since epoch 2"]
        keeping.cancel()

    played(scene)


def test_one_that_slept_makes_sure_before_it_answers_anybody() -> None:
    async def scene(s: Scene) -> None:
        assert not s.lead.doubtful
        s.now = TIMEOUT + 1
        assert s.lead.doubtful
        await s.lead.make_sure()
        assert not s.lead.doubtful
        s.now += TIMEOUT + 1
        MemoryLease(s.disk).claim("b", "b", 1)
        with pytest.raises(Deposed):
            await s.lead.make_sure()
        assert len(s.lost) == 1

    played(scene)


def test_a_store_that_does_not_answer_deposes_nobody() -> None:
    async def scene(s: Scene) -> None:
        def away(term: Term) -> None:
            raise StoreBusy(message="the database does not answer")

        s.lease.beat = away  # type: ignore[method-assign]
        s.now = TIMEOUT + 1
        await s.lead.make_sure()
        assert s.lead.doubtful
        assert not s.lost

    played(scene)


def test_who_hands_over_writes_no_more_in_its_term() -> None:
    async def scene(s: Scene) -> None:
        await s.lead.release()
        assert s.term.released
        assert not s.lost

    played(scene)


@pytest.mark.parametrize(("timeout", "seconds"), [(120.0, 5.0), (12.0, 2.0), (0.3, 0.1)])
def test_there_are_several_beats_within_slurmctld_timeout(timeout: float, seconds: float) -> None:
    assert beat_seconds(timeout) == seconds


def test_one_that_is_alone_beats_too_where_others_reach_its_state() -> None:
    """`slurm state copy` took the lead from a slurmctld that nobody stood by for: it saw no beat."""
    async def scene(s: Scene) -> None:
        s.lead.close()
        s.lead = Lead(s.lease, s.term, 0.0, s.lost.append, clock=lambda: s.now, beats=True)
        keeping = asyncio.create_task(s.lead.keep())
        while s.term.beats < 1:
            await asyncio.sleep(0.01)
        s.now += 10_000
        assert not s.lead.doubtful and not s.lost
        keeping.cancel()

    played(scene)


@pytest.mark.parametrize(("holder", "beats", "claims"), [("a", True, True), ("b", False, True), ("b", True, False)])
def test_one_that_is_alone_takes_a_shared_state_from_nobody_who_lives(
        monkeypatch: pytest.MonkeyPatch, holder: str, beats: bool, claims: bool) -> None:
    """Two that were started by hand deposed each other."""
    monkeypatch.setattr(lead, "LONGEST_BEAT", -0.95)
    conf = parse("ClusterName=x\nSlurmctldHost=a\nStateSaveLocation=postgresql:///x\nNodeName=n1 CPUs=1\nPartitionName=p Nodes=ALL\n", "slurm.conf")
    disk = MemoryDisk()
    lease = MemoryLease(disk)
    term = lease.claim(holder, "", 0)

    class Beating:
        """The state, whose leader beats each time that somebody looks."""

        def __init__(self) -> None:
            self.location = "PostgreSQL"
            self.lease = self

        def read(self) -> Term | None:
            found = lease.read()
            if beats:
                lease.beat(term)
            return found

        def claim(self, *asked: Any) -> Term:
            return lease.claim(*asked)

    made = service.Service(conf, lambda _: Verbosity(20), "")
    claiming = made._term(cast(State, Beating()), lambda: None)
    if claims:
        assert asyncio.run(claiming).epoch == 2  # type: ignore[union-attr]
    else:
        with pytest.raises(StoreError, match="b leads with its state at PostgreSQL"):
            asyncio.run(claiming)
