"""Random lives of a small cluster: invariants and replay after every event, whatever people, nodes and time do."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from slurm.core import cancel, hold, invariants, node_update, recovery, requeue, steps, suspend, timers, update
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Record, Terminate
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.journal.row import Name, Row
from slurm.model import msgpack
from slurm.model.errors import SlurmError
from slurm.model.job import Allocation, Job
from slurm.model.request import JobRequest, PayloadRef, StepRequest
from slurm.model.states import JobState
from slurm.notation import licenses as notation
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter
from tests.properties.database import Database

ENCODE = msgpack.encode
DECODE = msgpack.decoder(e.AnyEvent).decode
CALLERS = st.sampled_from([b.ALICE, b.ALICE, b.BOB])
ACTORS = st.sampled_from([b.ROOT, b.ROOT, b.ROOT, b.ALICE])
NODES = st.sampled_from(["cn01", "cn02", "cn03"])
KINDS = st.sampled_from(["after", "afterok", "afternotok", "afterany", "aftercorr"])
ARRAYS = st.sampled_from(["", "", "", "0-3", "1-6:2%1", "2,5,7-8%2"])
UPDATES = st.sampled_from([
    {"TimeLimit": "5"}, {"TimeLimit": "UNLIMITED"}, {"JobName": "a"}, {"JobName": "b"}, {"Priority": "0"}, {"Priority": "7"},
    {"StartTime": "now+60"}, {"StartTime": "now"}, {"ArrayTaskThrottle": "1"}, {"Dependency": "singleton"}, {"Dependency": ""},
    {"Nice": "5"}, {"NumTasks": "2"}, {"Comment": "x"}, {"Licenses": "other"},
])


class ClusterLife(RuleBasedStateMachine):
    """Two folds of one journal in lockstep, one of them now and then restarted from a snapshot."""

    def __init__(self) -> None:
        super().__init__()
        nodes = [b.node(f"cn{i:02d}", 4, 4000, 1, position=i) for i in (1, 2, 3)]
        rules = b.Settings(
            def_mem_per_cpu=100, gres_types=["gpu"], min_job_age=200, requeue_delay=30, max_batch_requeue=2, requeue_exit=[42],
            requeue_exit_hold=[43], return_to_service=2, config_overrides=True, accounting=True,
            licenses={"one": 2, "other": 1})
        self.now = b.T0
        self.live = Cluster()
        self.mirror = Cluster()
        self.saved: dict[Name, Row] = {}
        self.mirror.recording.silent = True
        self.database = Database()
        self.alive: dict[tuple[int, int], set[str]] = {}  # attempt → where processes of it may be, whatever the controller thinks
        self.waived: set[tuple[int, int]] = set()
        self.record(e.Configured(at=self.now, settings=rules, nodes=nodes, partitions=[b.partition("debug", nodes, default=True)]))
        for node in nodes:
            self.record(b.registered(node, self.now))

    def record(self, *events: e.Event) -> None:
        for event in events:
            before = ENCODE(event)
            effects = self.live.apply(event)
            assert ENCODE(event) == before, "the fold changed its event"
            assert not any(isinstance(effect, Record) for effect in self.mirror.apply(DECODE(before))), "a replay sends nothing"
            self.database.take(effects)
            self.database.check(self.live)
            invariants.assert_valid(self.live)
            assert rows.whole(self.mirror) == rows.whole(self.live)
            self.save()
            self.watch_processes(event)

    def watch_processes(self, event: e.Event) -> None:
        """What machines do, told by the events that prove something: no attempt begins while an earlier one may run, unless that was waived."""
        if isinstance(event, e.Started):
            job = self.live.jobs[event.started or event.job]
            earlier = [key for key, nodes in self.alive.items() if key[0] == job.id and nodes and key not in self.waived]
            assert not earlier, f"attempt {job.attempt} of {job.id} starts while {earlier} may run"
            self.alive[job.id, job.attempt] = set(event.allocation.nodes)
        elif isinstance(event, e.NodeFreed | e.LaunchFailed):
            self.alive.get((event.job, event.attempt), set()).discard(event.node)
        elif isinstance(event, e.ProofWaived):
            self.waived.add((event.job, event.attempt))
        elif isinstance(event, e.NodeFenced):
            for key in event.attempts:
                self.alive.get(key, set()).discard(event.node)
        elif (isinstance(event, e.NodeRegistered) and event.rebooted) or (
                isinstance(event, e.NodeUpdated) and event.state == "DOWN" and str(event.reason).startswith("fenced")):
            for nodes in self.alive.values():
                nodes.discard(event.node)

    def ask(self, operation: object, *arguments: object, **options: object) -> None:
        """An operation may refuse with a SlurmError; whatever it returns instead must be applicable."""
        try:
            events = operation(self.live, *arguments, self.now, **options)  # type: ignore[operator]
        except SlurmError:
            return
        self.record(*events)

    def ids(self) -> list[str]:
        found = [str(job_id) for job_id in self.live.jobs]
        for array, ledger in self.live.arrays.items():
            found += [f"{array}_{ledger.shape.lowest}", f"{array}_[{ledger.shape.lowest}-{ledger.shape.highest}]"]
        return found

    def active(self, *, completing: bool) -> list[Job]:
        return [job for job in self.live.active.values() if job.completing == completing and job.lost is None]

    @rule(data=st.data(), by=CALLERS, name=st.sampled_from(["a", "b"]), array=ARRAYS, hold=st.sampled_from([False, False, True]), begin=st.sampled_from([0, 0, 0, 20]), deadline=st.sampled_from([0, 0, 0, 90]),
          singleton=st.sampled_from([False, False, True]), kill=st.booleans(), requeue=st.booleans(), limit=st.sampled_from([30, 60, None]), any_=st.booleans(),
          kind=st.sampled_from(["batch", "batch", "alloc"]), licenses=st.sampled_from(["", "", "one", "one:2|other", "one,other"]))
    def submit(self, data: st.DataObject, by: e.Caller, name: str, array: str, hold: bool, begin: int, singleton: bool, kill: bool,
               requeue: bool, limit: int | None, any_: bool, kind: str, deadline: int, licenses: str) -> None:
        clauses = ["singleton"] if singleton else []
        if self.live.jobs and data.draw(st.booleans()):
            for target in data.draw(st.lists(st.sampled_from(sorted(self.live.jobs)), max_size=2)):
                clauses.append(f"{data.draw(KINDS)}:{target}")
        asked = JobRequest(
            name=name, array=array if kind == "batch" else "", hold=hold, begin=self.now + begin if begin else 0.0, kind=kind,
            dependency=("?" if any_ else ",").join(clauses), kill_on_invalid_dep=kill, requeue=requeue, time_limit=limit, deadline=self.now + deadline if deadline else 0.0,
            signal="B:USR1@20" if limit == 60 else "", licenses=licenses)
        try:
            admitted = b.admission.admit(self.live, asked, PayloadRef(), by, self.now)
        except SlurmError:
            return
        self.record(admitted.event)

    @rule()
    def heal(self) -> None:
        for node in self.live.nodes.values():
            self.ask(node_update.update_nodes, node.name, {"State": "resume"}, b.ROOT)
            self.record(b.registered(node, self.now))

    @rule(limit=st.integers(2, 5))
    def plan_many(self, limit: int) -> None:
        self.plan_some(1, limit)

    @rule(spread=st.integers(1, 2), limit=st.integers(1, 4))
    def plan(self, spread: int, limit: int) -> None:
        self.plan_some(spread, limit)

    def plan_some(self, spread: int, limit: int) -> None:
        for job in list(self.live.pending.values())[:limit]:
            names = [node.name for node in self.live.nodes.values() if node.usable and len(node.cpus_used) < node.cpus][:spread]
            if not names:
                return
            task = job.array_part.ranges[0][0] if job.array_part is not None else None
            shares = [b.share(self.live, name, 1, 100) for name in names]
            given = dict(next(iter(notation.parse(job.request.licenses)), ()))
            event = self.live.starting(job.id, task, Allocation(shares=shares, partition="debug", licenses=given), self.now)
            if event is not None:
                self.record(event)

    @precondition(lambda self: self.active(completing=False))
    @rule(data=st.data(), what=st.sampled_from(["launched", "launched", "exit", "exit", "exit", "failed", "relinquished"]),
          status=st.sampled_from([0, 0, 0, 256, 9, 42 << 8, 43 << 8]))
    def news_of_running(self, data: st.DataObject, what: str, status: int) -> None:
        job = data.draw(st.sampled_from(self.active(completing=False)))
        common = {"at": self.now, "job": job.id, "attempt": job.attempt}
        if what == "relinquished" or job.request.kind == "alloc":
            if job.request.kind == "alloc":
                self.record(e.AllocationRelinquished(at=self.now, job=job.id, status=status))
        elif what == "launched":
            self.record(e.Launched(**common))
        elif what == "exit":
            self.record(e.BatchExited(**common, status=status))
        else:
            self.record(e.LaunchFailed(**common, node=job.batch_host, why="no such user"))

    @precondition(lambda self: self.active(completing=True))
    @rule(data=st.data(), late=st.sampled_from(["", "", "", "exit", "failed"]))
    def node_is_clean(self, data: st.DataObject, late: str) -> None:
        job = data.draw(st.sampled_from(self.active(completing=True)))
        common = {"at": self.now, "job": job.id, "attempt": job.attempt}
        if late == "exit":
            self.record(e.BatchExited(**common, status=0))
        elif late == "failed":
            self.record(e.LaunchFailed(**common, node=job.batch_host, why="late"))
            return
        self.record(e.NodeFreed(at=self.now, job=job.id, attempt=job.attempt, node=data.draw(st.sampled_from(job.nodes_left))))

    @precondition(lambda self: self.live.jobs)
    @rule(data=st.data(), node=NODES)
    def late_news_changes_nothing(self, data: st.DataObject, node: str) -> None:
        job = data.draw(st.sampled_from(list(self.live.jobs.values())))
        attempt = max(0, job.attempt - 1)
        before = rows.whole(self.live)
        if attempt == job.attempt or any((r.job, r.attempt) == (job.id, attempt) for n in self.live.nodes.values() for r in n.remains):
            return
        self.record(e.BatchExited(at=self.now, job=job.id, attempt=attempt, status=0))
        self.record(e.NodeFreed(at=self.now, job=job.id, attempt=attempt, node=node))
        self.record(e.Launched(at=self.now, job=job.id, attempt=attempt))
        assert rows.whole(self.live) == before

    @precondition(lambda self: self.live.jobs)
    @rule(data=st.data(), by=ACTORS, what=st.sampled_from(["hold", "release", "requeue", "requeuehold", "cancel", "update"]), change=UPDATES)
    def people(self, data: st.DataObject, by: e.Caller, what: str, change: dict[str, str]) -> None:
        text = data.draw(st.sampled_from(self.ids()))
        if what == "hold":
            self.ask(hold.hold, [text], by)
        elif what == "release":
            self.ask(hold.release, [text], by)
        elif what == "cancel":
            self.record(*cancel.cancel(self.live, JobFilter(ids=[text]), by, self.now).events)
        elif what == "update":
            self.ask(update.update_job, text, change, by)
        else:
            self.ask(requeue.requeue, [text], by, hold=what == "requeuehold")

    @precondition(lambda self: self.active(completing=False))
    @rule(data=st.data(), ntasks=st.integers(0, 3), overlap=st.booleans(), ends=st.booleans())
    def step(self, data: st.DataObject, ntasks: int, overlap: bool, ends: bool) -> None:
        job = data.draw(st.sampled_from(self.active(completing=False)))
        try:
            step = steps.plan_step(self.live, job, StepRequest(ntasks=ntasks, overlap=overlap), self.now)
        except SlurmError:
            return
        self.record(e.StepCreated(at=self.now, job=job.id, step=step))
        for node in step.nodes if ends else ():
            self.record(e.StepExited(at=self.now, job=job.id, attempt=job.attempt, step=step.id, node=node, status=256))

    @rule(by=ACTORS, data=st.data(), what=st.sampled_from(["user", "state", "twice"]))
    def people_with_many_jobs(self, by: e.Caller, data: st.DataObject, what: str) -> None:
        if what == "user":
            self.record(*cancel.cancel(self.live, JobFilter(users=[data.draw(st.sampled_from(["alice", "bob"]))]), by, self.now).events)
        elif what == "state":
            self.record(*cancel.cancel(self.live, JobFilter(states=["pending"], names=["a"]), by, self.now).events)
        elif self.live.jobs:
            texts = [*data.draw(st.lists(st.sampled_from(self.ids()), min_size=1, max_size=2))] * 2
            self.ask(data.draw(st.sampled_from([hold.hold, hold.release, requeue.requeue])), texts, by)
            self.record(*cancel.cancel(self.live, JobFilter(ids=texts[:1] * 2, states=["running"]), by, self.now).events)

    @rule(data=st.data(), by=ACTORS, change=UPDATES, what=st.sampled_from(["requeue", "requeue", "cancel", "update", "signal"]))
    def people_with_started_jobs(self, data: st.DataObject, by: e.Caller, change: dict[str, str], what: str) -> None:
        started = [str(job.id) for job in self.live.jobs.values() if job.attempt and job.id not in self.live.pending]
        if not started:
            return
        text = data.draw(st.sampled_from(started))
        if what == "requeue":
            self.ask(requeue.requeue, [text], by)
        elif what == "update":
            self.ask(update.update_job, text, change, by)
        else:
            self.record(*cancel.cancel(self.live, JobFilter(ids=[text]), by, self.now, signal=10 if what == "signal" else 0).events)

    @rule(node=NODES, what=st.sampled_from(["lost", "silent", "registered", "registered", "rebooted", "drain", "down", "fenced", "resume"]))
    def machines(self, node: str, what: str) -> None:
        record = self.live.nodes[b.NodeName(node)]
        if what == "lost" and any(not other.usable for other in self.live.nodes.values()):
            what = "resume"
        if what == "lost":
            self.record(e.NodeSilent(at=self.now, node=record.name), e.NodeLost(at=self.now, node=record.name, may_run=True))
        elif what == "fenced":
            self.ask(node_update.update_nodes, node, {"State": "down", "Reason": "fenced: unplugged"}, b.ROOT)
        elif what == "silent":
            self.record(e.NodeSilent(at=self.now, node=record.name))
        elif what in ("registered", "rebooted"):
            self.record(b.registered(record, self.now, rebooted=what == "rebooted"))
        else:
            self.ask(node_update.update_nodes, node, {"State": what, "Reason": "test"}, b.ROOT)

    @rule(node=NODES, data=st.data())
    def a_node_returns_with_what_it_holds(self, node: str, data: st.DataObject) -> None:
        jobs = sorted(self.live.jobs)
        held = data.draw(st.lists(st.sampled_from(jobs), max_size=3)) if jobs else []
        holdings = [recovery.Held(job, self.live.jobs[job].attempt, b.JobId(-5)) for job in held]  # type: ignore[arg-type]
        self.record(*recovery.reconcile(self.live, b.NodeName(node), holdings, self.now).events)

    @precondition(lambda self: self.active(completing=False))
    @rule(data=st.data(), what=st.sampled_from(["suspend", "suspend", "resume", "resume", "gang", "preempt", "preempt"]), by=ACTORS,
          mode=st.sampled_from(["cancel", "requeue", "requeue", "suspend"]), grace=st.sampled_from([0, 0, 20]))
    def some_hold_still_or_give_way(self, data: st.DataObject, what: str, by: e.Caller, mode: str, grace: int) -> None:
        job = data.draw(st.sampled_from(self.active(completing=False)))
        if what == "suspend":
            self.ask(suspend.suspend, [str(job.id)], by)
        elif what == "resume":
            self.ask(suspend.resume, [str(job.id)], by)
        elif what == "gang":
            if job.state is JobState.RUNNING:
                self.record(e.Suspended(at=self.now, job=job.id, attempt=job.attempt, why="gang"))
        elif self.live.pending:
            waiting = data.draw(st.sampled_from(list(self.live.pending.values())))
            assert job.allocation is not None
            task = waiting.array_part.ranges[0][0] if waiting.array_part is not None else None
            if waiting.promise is None:
                self.record(e.Preempted(
                    at=self.now, job=waiting.id, allocation=Allocation(shares=job.allocation.shares, partition="debug"), task=task,
                    victims=[e.Victim(job=job.id, mode=mode, grace=grace)]))

    @precondition(lambda self: self.live.promised)
    @rule(data=st.data(), keep=st.booleans())
    def a_promise_is_kept_or_broken(self, data: st.DataObject, keep: bool) -> None:
        job = data.draw(st.sampled_from(list(self.live.promised.values())))
        assert job.promise is not None
        event = self.live.starting(job.id, None, job.promise.allocation, self.now) if keep else None
        self.record(event or e.PromiseEnded(at=self.now, job=job.id))

    @rule(data=st.data(), others=st.booleans())
    def a_switch_fails_and_its_nodes_return(self, data: st.DataObject, others: bool) -> None:
        """Two nodes are lost at one moment; with what they really hold they come back, one after the other, or later."""
        names = data.draw(st.lists(NODES, min_size=1, max_size=2, unique=True))
        together = [b.NodeName(name) for name in names]
        self.record(*(e.NodeLost(at=self.now, node=name, may_run=True, together=together) for name in together))
        for name in together[:1] if others else together:
            self.comes_back(name)

    @rule(node=NODES)
    def a_node_comes_back_as_it_is(self, node: str) -> None:
        self.comes_back(b.NodeName(node))

    def comes_back(self, name: b.NodeName) -> None:
        held = [recovery.Held(job, attempt, b.JobId(-5)) for (job, attempt), nodes in self.alive.items() if name in nodes]  # type: ignore[arg-type]
        self.record(b.registered(self.live.nodes[name], self.now))
        found = recovery.reconcile(self.live, name, held, self.now)
        self.record(*found.events)
        for effect in found.effects:
            if isinstance(effect, Terminate):
                self.record(e.NodeFreed(at=self.now, job=effect.job, attempt=effect.attempt, node=name))
        for job, attempt in found.unknown:
            self.alive[job, attempt].discard(name)

    @precondition(lambda self: any(job.lost for job in self.live.active.values()))
    @rule(data=st.data(), what=st.sampled_from(["exit", "lease", "timeout", "launched", "failed", "gone"]), status=st.sampled_from([0, 256, 42 << 8]))
    def news_of_lost(self, data: st.DataObject, what: str, status: int) -> None:
        job = data.draw(st.sampled_from([job for job in self.live.active.values() if job.lost is not None]))
        assert job.lost is not None
        common = {"at": self.now, "job": job.id, "attempt": job.attempt}
        if what == "launched":
            self.record(e.Launched(**common, lease=60))
        elif what == "failed":
            self.record(e.LaunchFailed(**common, node=data.draw(st.sampled_from(job.nodes_left)), why="no trace"))
        elif what == "gone":
            self.record(e.NodeFreed(**common, node=data.draw(st.sampled_from(job.nodes_left))))
        else:
            self.record(e.BatchExited(**common, status=status, limit=what if what != "exit" else ""))

    @rule(data=st.data(), how=st.sampled_from(["fenced", "waived"]))
    def proofs(self, data: st.DataObject, how: str) -> None:
        waiting = [job for job in self.live.jobs.values() if job.awaited]
        if not waiting:
            return
        job = data.draw(st.sampled_from(waiting))
        if how == "waived":
            self.record(e.ProofWaived(at=self.now, job=job.id, attempt=job.attempt, why="requeue_unproven"))
        else:
            self.record(e.NodeFenced(at=self.now, node=job.awaited[0], attempts=[(job.id, n) for n in range(job.attempt + 1)]))

    @rule(seconds=st.sampled_from([1, 10, 30, 60, 250]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        for _ in range(10):
            self.record(*timers.due(self.live, self.now))
            following = timers.next_due(self.live)
            if following is None or following > self.now:
                break
        else:
            raise AssertionError("what is due never comes to an end")
        for job in self.live.pending.values():
            assert not job.not_before or job.not_before > self.now

    def save(self) -> None:
        """A snapshot: the rows that changed make, with those that were kept before, the whole state."""
        for row in (*rows.unsaved(self.live), rows.own(self.live)):
            self.saved[row.name] = row
            if row.body is None:
                del self.saved[row.name]
        assert self.saved == rows.whole(self.live)
        assert len(self.saved) == rows.count(self.live)

    @rule()
    def restart(self) -> None:
        again = restored(self.saved.values(), Reader({}))
        assert again is not None
        self.live = again
        invariants.assert_valid(self.live)
        assert rows.whole(self.live) == rows.whole(self.mirror)
        for effect in recovery.pending_effects(self.live):
            assert recovery.still_due(self.live, effect)
        self.record(e.EpochStarted(at=self.now, epoch=self.live.epoch + 1, holder="ctl"))

    def teardown(self) -> None:
        for job in self.live.jobs.values():
            if job.state is JobState.RUNNING:
                assert job.allocation is not None


ClusterLife.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
TestClusterLife = ClusterLife.TestCase
