"""Whatever is reserved and whatever is submitted: no stranger ever runs on reserved nodes while they are reserved, and a restart finds the same."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm.core import admission, invariants, timers
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.reserving import making, windows
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model import msgpack
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import SlurmError
from slurm.model.job import Job
from slurm.model.request import JobRequest, PayloadRef
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.model.states import JobState
from slurm.sched.plan import plan
from slurm.testing import builders as b

DECODE = msgpack.decoder(e.AnyEvent).decode
FEW = settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLAGS = ["", "", "FLEX", "MAGNETIC", "OVERLAP", "MAINT", "HOURLY", "DAILY", "PURGE_COMP=2", "REPLACE_DOWN", "STATIC", "NO_HOLD_JOBS_AFTER", "TIME_FLOAT"]
UPDATES = [{"Duration+": "10"}, {"Duration-": "10"}, {"Users+": "bob"}, {"Users-": "alice"}, {"NodeCnt": "1"}, {"NodeCnt": "2"}, {"Flags": "DAILY"}, {"Skip": "1"},
           {"StartTime": "now+20minutes"}, {"Nodes": "cn02"}]


class Journal:
    """A cluster, all its events as they would be on disk, and who was on the nodes before a reservation was made or changed."""

    def __init__(self, chance: Random) -> None:
        nodes = [b.node(f"cn{i:02d}", 4, 4000, position=i) for i in range(1, chance.randint(2, 4) + 1)]
        self.cluster = Cluster()
        self.written: list[bytes] = []
        self.before: dict[int, set[int]] = {}  # reservation → jobs that it found on its nodes
        self.now = b.T0
        self.record(e.Configured(at=b.T0, settings=Settings(def_mem_per_cpu=10, reservation_over_run=chance.choice([0, 0, 300])), nodes=nodes,
                                 partitions=[b.partition("debug", nodes, default=True)]))
        for node in nodes:
            self.record(b.registered(node))

    def record(self, event: e.Event) -> None:
        self.written.append(msgpack.encode(event))
        self.cluster.apply(DECODE(self.written[-1]))
        if isinstance(event, e.ReservationCreated | e.ReservationUpdated | e.ReservationEnded):
            name = event.name if isinstance(event, e.ReservationEnded) else event.reservation.name
            of = self.cluster.reservations.get(name)
            if of is not None:
                self.before.setdefault(of.id, set()).update(self.cluster.active)

    def go_on(self, seconds: float) -> None:
        """Time passes; jobs that were ended for their time are gone at once."""
        until = self.now + seconds
        while (moment := timers.next_due(self.cluster)) is not None and moment <= until:
            self.now = max(self.now, moment)
            for event in timers.due(self.cluster, self.now):
                self.record(event)
            for job in [job for job in self.cluster.active.values() if job.completing]:
                self.over(job)
            check(self)
        self.now = until

    def over(self, job: Job) -> None:
        """It ends by itself, or is on its way out, and its nodes are clean."""
        if not job.completing:
            self.record(e.BatchExited(at=self.now, job=job.id, attempt=job.attempt, status=0))
        for name in list(job.nodes_left):
            self.record(e.NodeFreed(at=self.now, job=job.id, attempt=job.attempt, node=name))

    def plan(self, *, backfill: bool) -> None:
        """A pass, all of which must hold."""
        outcome = plan(self.cluster, self.now, backfill=backfill)
        assert not outcome.faults, outcome.faults
        for one in outcome.proposals:
            event = self.cluster.starting(one.job, one.task, one.allocation, self.now)
            assert event is not None, f"{one} is refused"
            self.record(event)
            if one.allocation.reservation == "":
                assert not self.cluster.jobs[event.started or one.job].request.reservation
        check(self)


def strangers(journal: Journal, of: Reservation) -> list[Job]:
    """Jobs on reserved CPUs in its time that are not its own, were not there before, and are in no reservation of the same rank or a higher one."""
    c, found = journal.cluster, []
    for job in c.active.values():
        allocation = job.holding
        if job.completing or allocation is None or allocation.reservation == of.name or job.id in journal.before.get(of.id, ()):
            continue
        inside = c.reservations.get(allocation.reservation)
        if (inside is not None and inside.rank >= of.rank) or (allocation.reservation and inside is None):
            continue  # the second: it goes on for ResvOverRun after the end of its own
        for share in allocation.shares:
            if share.node in of.nodes and not share.cpus.isdisjoint(of.cpus.get(share.node, CpuSet.run(c.nodes[share.node].cpus))):
                found.append(job)
    return found


def check(journal: Journal) -> None:
    """Nobody is where he must not be, and nothing was given twice."""
    c = journal.cluster
    invariants.assert_valid(c)
    for of in c.reservations.values():
        if windows.active(of, journal.now) and "TIME_FLOAT" not in of.flags:
            wrong = strangers(journal, of)
            assert not wrong, f"jobs {[job.id for job in wrong]} are on nodes of {of} at {journal.now}"
    for job in c.active.values():
        if job.state is JobState.RUNNING and not job.completing and job.end_by:
            assert journal.now <= job.end_by


def reserve(journal: Journal, chance: Random) -> None:
    keys = {"StartTime": f"now+{chance.choice([0, 0, 5, 30])}minutes", "Duration": str(chance.choice([5, 20, 50])), "Users": chance.choice(["alice", "-bob", "alice,bob"]),
            "Flags": ",".join(filter(None, {chance.choice(FLAGS), chance.choice(["", "IGNORE_JOBS"])}))}
    keys |= chance.choice([{"Nodes": "cn01"}, {"Nodes": "ALL"}, {"NodeCnt": "1"}, {"NodeCnt": "2"}, {"CoreCnt": "3"}, {"Nodes": "cn02", "CoreCnt": "2"}])
    journal.record(making.create(journal.cluster, keys, b.ROOT, b.People(), journal.now))


def change(journal: Journal, chance: Random) -> None:
    name = chance.choice(list(journal.cluster.reservations) or ["none"])
    made = chance.random() < 0.7
    journal.record(making.update(journal.cluster, name, chance.choice(UPDATES), b.ROOT, b.People(), journal.now) if made
                   else making.delete(journal.cluster, name, b.ROOT, journal.now))


def submit(journal: Journal, chance: Random) -> None:
    names = [*journal.cluster.reservations, ""]
    request = JobRequest(name="job", work_dir="/scratch", ntasks=chance.choice([1, 2, 4, 6]), time_limit=chance.choice([60, 600, 3000, -1]), array=chance.choice(["", "", "0-2"]),
                         exclusive=chance.choice(["", "", "node"]), reservation=chance.choice([chance.choice(names), "", ",".join(names[:-1])]))
    journal.record(admission.admit(journal.cluster, request, PayloadRef(), chance.choice([b.ALICE, b.BOB]), journal.now).event)


@FEW
@given(st.integers(0, 2**32 - 1))
def test_no_stranger_runs_on_reserved_nodes_and_a_replay_is_equal(seed: int) -> None:
    chance = Random(seed)
    journal = Journal(chance)
    for _ in range(25):
        with suppress(SlurmError):
            chance.choice([reserve, change, submit, submit, submit])(journal, chance)
        check(journal)
        journal.plan(backfill=chance.random() < 0.5)
        if chance.random() < 0.3:
            running = [job for job in journal.cluster.active.values() if not job.completing]
            if running:
                journal.over(chance.choice(running))
        journal.go_on(chance.choice([1, 60, 400, 2000]))
    again = Cluster()
    for body in journal.written:
        again.apply(DECODE(body))
    assert rows.whole(again) == rows.whole(journal.cluster)
    back = restored(rows.whole(again).values(), Reader({}))
    assert back is not None and rows.whole(back) == rows.whole(again)
    assert reservations_due(back, journal.now + 1e6) == reservations_due(again, journal.now + 1e6)


def reservations_due(c: Cluster, now: float) -> set[str]:
    return {f"{type(event).__name__} {event.name}" for event in timers.due(c, now) if isinstance(event, e.ReservationBegun | e.ReservationEnded)}
