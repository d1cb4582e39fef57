"""What the records say of jobs, steps, nodes and the cluster: as `sacct` of a real cluster showed it for the same lives."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from slurm.core import events as e
from slurm.core import requeue, steps
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Record
from slurm.model import accounting as a
from slurm.model.ids import BATCH_STEP, JobId, NodeName, StepId, Uid
from slurm.model.job import Job, Step
from slurm.model.request import StepRequest
from slurm.model.reservation import Reservation
from slurm.model.states import JobState
from slurm.testing import builders as b


class Scene:
    """A cluster whose records are kept, the last of each key."""

    def __init__(self, nodes: int = 2, gpus: int = 0, **settings: object) -> None:
        self.all: list[a.AccountingRecord] = []
        machines = [b.node(f"cn{n:02d}", 16, 64000, gpus) for n in range(1, nodes + 1)]
        rules = b.Settings(accounting=True, def_mem_per_cpu=500, gres_types=["gpu"], **settings)  # type: ignore[arg-type]
        self.cluster = Cluster()
        self.apply(e.Configured(at=b.T0, settings=rules, nodes=machines, partitions=[b.partition("debug", machines, default=True)]))
        self.apply(*(b.registered(machine) for machine in machines))

    def apply(self, *events: e.Event) -> None:
        for event in events:
            self.take(self.cluster.apply(event))

    def take(self, effects: Iterable[Effect]) -> None:
        self.all += [effect.record for effect in effects if isinstance(effect, Record)]

    def submit(self, **request: object) -> Job:
        event = b.admission.admit(self.cluster, b.JobRequest(**request), b.PayloadRef(), b.ALICE, b.T0).event  # type: ignore[arg-type]
        self.apply(event)
        return self.cluster.jobs[event.job.id]

    def start(self, job: Job, *names: str, task: int | None = None, cpus: int = 1, gpus: int = 0, at: float = b.T0 + 1) -> Job:
        shares = [b.share(self.cluster, name, cpus, 500 * cpus, gpus=gpus) for name in names]
        event = self.cluster.starting(job.id, task, b.Allocation(shares=shares, partition="debug"), at)
        assert event is not None
        self.apply(event)
        job = self.cluster.jobs[event.started or job.id]
        if job.request.kind == "batch":
            self.apply(e.Launched(at=at, job=job.id, attempt=job.attempt))
        return job

    def end(self, job: Job, status: int = 0, at: float = b.T0 + 11, usage: a.Usage | None = None) -> None:
        self.apply(e.BatchExited(at=at, job=job.id, attempt=job.attempt, status=status, usage=usage))
        self.free(job, at)

    def free(self, job: Job, at: float) -> None:
        self.apply(*(e.NodeFreed(at=at, job=job.id, attempt=job.attempt, node=name) for name in list(job.nodes_left)))

    def job(self, job: int, restarts: int = 0) -> a.JobRecord:
        return [r for r in self.all if isinstance(r, a.JobRecord) and (r.id, r.restarts) == (job, restarts)][-1]

    def step(self, job: int, step: int, restarts: int = 0) -> a.StepRecord:
        return [r for r in self.all if isinstance(r, a.StepRecord) and (r.job, r.step, r.restarts) == (job, step, restarts)][-1]

    def of(self, kind: type[a.AccountingRecord]) -> list[a.AccountingRecord]:
        return [record for record in self.all if isinstance(record, kind)]


def test_a_job_from_its_submission_to_its_end() -> None:
    s = Scene()
    job = s.submit(name="hello", time_limit=300, work_dir="/scratch", submit_line="sbatch hello.sh")
    waits = s.job(job.id)
    assert (waits.state, waits.submit_time, waits.eligible_time, waits.start_time, waits.nodes) == (JobState.PENDING, b.T0, b.T0, 0.0, "")
    assert waits.requested == {"cpu": 1, "mem": 500, "node": 1, "billing": 1}
    assert (waits.memory_requested, waits.memory_per_cpu, waits.cpus_requested, waits.nodes_requested) == (500, True, 1, 1)
    assert (waits.stdin, waits.stdout, waits.stderr, waits.partition, waits.qos) == ("/dev/null", "slurm-%j.out", "", "debug", "normal")
    s.start(job, "cn01")
    runs = s.job(job.id)
    assert (runs.state, runs.start_time, runs.nodes, runs.node_count) == (JobState.RUNNING, b.T0 + 1, "cn01", 1)
    assert runs.allocated == {"cpu": 1, "mem": 500, "node": 1, "billing": 1}
    assert s.step(job.id, BATCH_STEP).state is JobState.RUNNING
    s.end(job, 7 << 8)
    ended, script = s.job(job.id), s.step(job.id, BATCH_STEP)
    assert (ended.state, ended.exit_status, ended.derived_status, ended.end_time) == (JobState.FAILED, 7 << 8, 0, b.T0 + 11)
    assert (script.name, script.state, script.exit_status, script.end_time) == ("batch", JobState.FAILED, 7 << 8, b.T0 + 11)
    assert script.allocated == {"cpu": 1, "mem": 500, "node": 1}
    assert len(s.of(a.JobRecord)) == 3, "submitted, started, ended"
    assert len(s.of(a.StepRecord)) == 2


def test_the_batch_step_has_its_nodes_part_and_a_step_all_of_its_nodes() -> None:
    s = Scene()
    job = s.start(s.submit(ntasks=8, nodes_min=2), "cn01", "cn02", cpus=4)
    shares = list(job.allocation.shares) if job.allocation is not None else []
    step = Step(id=StepId(0), name="bash", start_time=b.T0 + 2, shares=shares, ntasks=8, nodes_left=[NodeName("cn01"), NodeName("cn02")],
                request=StepRequest(distribution="cyclic", submit_line="srun bash"))
    s.apply(e.StepCreated(at=b.T0 + 2, job=job.id, step=step))
    assert s.step(job.id, BATCH_STEP).allocated == {"cpu": 4, "mem": 2000, "node": 1}
    began = s.step(job.id, 0)
    assert (began.nodes, began.node_count, began.ntasks, began.layout) == ("cn[01-02]", 2, 8, "Cyclic")
    assert began.allocated == {"cpu": 8, "mem": 4000, "node": 2}

    def used(node: str, task: int, size: int) -> a.Usage:
        one = a.Extreme(size, NodeName(node), task)
        return a.Usage(1.0, 0.5, {"mem": a.TresUsage(size, 1, one, one)})

    s.apply(e.StepExited(at=b.T0 + 3, job=job.id, attempt=1, step=StepId(0), node=NodeName("cn02"), status=3 << 8, usage=used("cn02", 4, 100)))
    assert s.step(job.id, 0) == began, "it has not ended on all its nodes"
    s.apply(e.StepExited(at=b.T0 + 4, job=job.id, attempt=1, step=StepId(0), node=NodeName("cn01"), status=0, usage=used("cn01", 0, 300)))
    ended = s.step(job.id, 0)
    assert (ended.state, ended.exit_status, ended.end_time) == (JobState.FAILED, 3 << 8, b.T0 + 4)
    assert ended.usage is not None
    assert (ended.usage.user_seconds, ended.usage.system_seconds) == (2.0, 1.0)
    assert ended.usage.taken["mem"] == a.TresUsage(400, 2, a.Extreme(300, NodeName("cn01"), 0), a.Extreme(100, NodeName("cn02"), 4))
    assert s.job(job.id).derived_status == 3 << 8


def test_a_job_that_was_cancelled_while_it_waited_never_started() -> None:
    s = Scene()
    job = s.submit()
    s.apply(e.Cancelled(at=b.T0 + 5, job=job.id, by=Uid(0)))
    record = s.job(job.id)
    assert (record.state, record.killed_by, record.start_time, record.end_time) == (JobState.CANCELLED, Uid(0), 0.0, b.T0 + 5)
    assert record.allocated == {}


def test_of_a_job_that_was_cancelled_while_it_ran_its_script_has_the_signal() -> None:
    s = Scene()
    job = s.start(s.submit(), "cn01")
    s.apply(e.Cancelled(at=b.T0 + 5, job=job.id, by=Uid(1001)))
    s.end(job, 15)
    record, script = s.job(job.id), s.step(job.id, BATCH_STEP)
    assert (record.state, record.killed_by, record.exit_status, record.end_time) == (JobState.CANCELLED, Uid(1001), 0, b.T0 + 5)
    assert (script.state, script.exit_status, script.killed_by) == (JobState.CANCELLED, 15, Uid(1001))


def test_a_step_of_which_nobody_reports_has_ended_with_its_job() -> None:
    s = Scene()
    job = s.start(s.submit(), "cn01")
    s.apply(e.TimedOut(at=b.T0 + 60, job=job.id, attempt=1))
    s.free(job, b.T0 + 61)
    assert s.job(job.id).state is JobState.TIMEOUT
    script = s.step(job.id, BATCH_STEP)
    assert (script.state, script.end_time, script.exit_status) == (JobState.CANCELLED, b.T0 + 61, 9)


def test_the_rest_of_an_array_is_one_record_and_each_started_task_its_own() -> None:
    s = Scene()
    master = s.submit(array="0-9%3", name="hello")
    assert (s.job(master.id).array_tasks, s.job(master.id).array_job) == ("0-9%3", master.id)
    assert s.job(master.id).stdout == "slurm-%A_%a.out"
    first = s.start(master, "cn01", task=0)
    assert list(s.cluster.recording.behind) == [master.id]  # once for all that begin before records are sent
    s.apply(e.RecordsMissed(at=b.T0 + 1, jobs=[master.id]))
    assert not s.cluster.recording.behind
    assert s.job(master.id).array_tasks == "1-9%3"
    assert (s.job(first.id).array_job, s.job(first.id).array_task, s.job(first.id).array_tasks) == (master.id, 0, "")
    s.apply(e.Cancelled(at=b.T0 + 2, job=master.id, by=Uid(0), tasks=[(2, 4, 1)]))
    assert s.job(master.id).array_tasks == "1,5-9%3"
    s.apply(e.Cancelled(at=b.T0 + 3, job=master.id, by=Uid(0)))
    assert s.job(master.id).state is JobState.CANCELLED
    s.end(first)
    assert s.job(first.id).state is JobState.COMPLETED


def test_a_requeued_job_keeps_the_record_of_the_life_that_ended() -> None:
    s = Scene(requeue_delay=0)
    job = s.start(s.submit(requeue=True), "cn01")
    s.apply(*requeue.requeue(s.cluster, [str(job.id)], b.ROOT, b.T0 + 5))
    s.end(job, 15, at=b.T0 + 6)
    before, now = s.job(job.id, 0), s.job(job.id, 1)
    assert (before.flags, before.start_time, before.end_time, before.nodes) == (["requeued"], b.T0 + 1, b.T0 + 5, "cn01")
    assert (now.state, now.flags, now.submit_time, now.nodes, now.end_time) == (JobState.PENDING, [], b.T0 + 6, "", 0.0)
    assert s.step(job.id, BATCH_STEP, 0).state is JobState.CANCELLED
    s.start(job, "cn02", at=b.T0 + 7)
    s.end(job, at=b.T0 + 9)
    assert s.job(job.id, 1).state is JobState.COMPLETED
    assert s.step(job.id, BATCH_STEP, 1).state is JobState.COMPLETED
    assert s.job(job.id, 0) == before


def test_a_life_that_its_node_ended_says_so_and_one_that_may_go_on_runs() -> None:
    s = Scene(requeue_delay=0)
    job = s.start(s.submit(requeue=True), "cn01")
    s.apply(e.NodeLost(at=b.T0 + 5, node=NodeName("cn01"), may_run=True))
    silent = s.job(job.id)
    assert (silent.state, silent.nodes, silent.start_time, silent.end_time) == (JobState.RUNNING, "cn01", b.T0 + 1, 0.0)
    s.apply(e.NodeFenced(at=b.T0 + 50, node=NodeName("cn01"), attempts=[(job.id, 1)], why="fenced"))
    assert (s.job(job.id, 0).state, s.job(job.id, 0).end_time, s.job(job.id, 0).failed_node) == (JobState.NODE_FAIL, b.T0 + 50, "cn01")
    assert s.step(job.id, BATCH_STEP, 0).state is JobState.NODE_FAIL
    assert s.job(job.id, 1).state is JobState.PENDING


def test_gpus_count_by_type_where_accounting_storage_tres_lists_it() -> None:
    s = Scene(gpus=2, accounting_tres=["gres/gpu", "gres/gpu:a100"])
    job = s.start(s.submit(gres="gpu:a100:2"), "cn01", gpus=2)
    assert s.job(job.id).requested["gres/gpu:a100"] == 2
    assert (s.job(job.id).allocated["gres/gpu"], s.job(job.id).allocated["gres/gpu:a100"]) == (2, 2)
    plain = Scene(gpus=2)
    job = plain.start(plain.submit(gres="gpu:2"), "cn01", gpus=1)
    assert [name for name in plain.job(job.id).allocated if name.startswith("gres")] == ["gres/gpu"]


def test_account_store_flags_say_what_is_kept() -> None:
    s = Scene(accounting_store=["job_comment", "job_extra", "job_script", "job_env", "no_stdio"])
    request = b.JobRequest(comment="c", extra="x", stdout="out")
    payload = b.PayloadRef(script=b.Digest("1" * 64), environment=b.Digest("2" * 64))
    event = b.admission.admit(s.cluster, request, payload, b.ALICE, b.T0).event
    s.apply(event)
    record = s.job(event.job.id)
    assert (record.comment, record.extra, record.stdout, record.script, record.environment) == ("c", "x", "", "1" * 64, "2" * 64)
    assert [(p.what, p.digest) for p in s.of(a.PayloadRecord) if isinstance(p, a.PayloadRecord)] == [("script", "1" * 64), ("environment", "2" * 64)]
    without = Scene()
    job = without.submit(comment="c", extra="x")
    assert (without.job(job.id).comment, without.job(job.id).extra) == ("", "")
    assert not without.of(a.PayloadRecord)


def test_nodes_out_of_service_and_what_the_cluster_has() -> None:
    s = Scene()
    [cluster] = s.of(a.ClusterRecord)
    assert cluster == a.ClusterRecord(start_time=b.T0, nodes="cn[01-02]", tres={"cpu": 32, "mem": 128000, "node": 2, "billing": 32})

    def update(at: float, state: str, reason: str | None = None) -> None:
        s.apply(e.NodeUpdated(at=at, node=NodeName("cn01"), by=Uid(1001), by_name="alice", state=state, reason=reason))

    update(b.T0 + 1, "drain", "bad dimm")
    update(b.T0 + 2, "drain", "worse dimm")
    s.apply(e.NodeSilent(at=b.T0 + 3, node=NodeName("cn01")), b.registered(s.cluster.nodes[NodeName("cn01")], b.T0 + 4))
    update(b.T0 + 9, "resume")
    found = [(r.start_time - b.T0, r.end_time and r.end_time - b.T0, r.state, r.reason, r.reason_uid) for r in s.of(a.NodeEventRecord)
             if isinstance(r, a.NodeEventRecord)]
    assert found == [
        (1, 0, "DRAIN", "bad dimm", 1001), (1, 2, "DRAIN", "bad dimm", 1001), (2, 0, "DRAIN", "worse dimm", 1001), (2, 9, "DRAIN", "worse dimm", 1001)]
    assert s.cluster.recording.out_of_service == {}


def test_what_runs_is_recorded_when_recording_begins() -> None:
    nodes = [b.node("cn01")]
    cluster = b.build(nodes, [b.partition("debug", nodes, default=True)], b.Settings(def_mem_per_cpu=500))
    job = b.started(cluster, "cn01")
    assert cluster.recording.sequence == 0
    settings = b.Settings(def_mem_per_cpu=500, accounting=True)
    effects = cluster.apply(e.Configured(at=b.T0 + 5, settings=settings, nodes=nodes, partitions=[b.partition("debug", nodes, default=True)]))
    found = [effect.record for effect in effects if isinstance(effect, Record)]
    assert {type(record) for record in found} == {a.JobRecord, a.StepRecord, a.ClusterRecord}
    assert cluster.recording.sequence == len(found) == 3
    assert [record.id for record in found if isinstance(record, a.JobRecord)] == [job.id]


def test_ids_go_on_above_what_the_database_knows_and_never_go_back() -> None:
    cluster = b.cluster(1)
    cluster.apply(e.NumberingContinued(at=b.T0, above=JobId(500)))
    assert b.submit(cluster).id == 501
    cluster.apply(e.NumberingContinued(at=b.T0, above=JobId(7)))
    assert b.submit(cluster).id == 502


def test_a_reservation_is_recorded_from_its_making_on_changed_from_then_on_and_ended_when_it_is_over() -> None:
    scene = Scene()
    night = Reservation(id=1, name="night", start=b.T0 + 100, end=b.T0 + 200, nodes=[NodeName("cn01")], users=["anna"], denied=["users"])
    whole = a.ReservationRecord(
        id=1, start_time=b.T0 + 100, since=b.T0 + 100, end_time=b.T0 + 200, name="night", nodes="cn01", users=["-anna"], tres={"cpu": 16})

    def told(*events: e.Event) -> list[a.AccountingRecord]:
        scene.all.clear()
        scene.apply(*events)
        return [record for record in scene.all if isinstance(record, a.ReservationRecord)]

    assert told(e.ReservationCreated(at=b.T0, reservation=night)) == [whole]
    later = replace(night, start=b.T0 + 120)
    moved = replace(whole, start_time=b.T0 + 120, since=b.T0 + 120)
    assert told(e.ReservationUpdated(at=b.T0 + 10, reservation=later)) == [replace(whole, end_time=b.T0 + 100), moved]
    assert told(e.ReservationBegun(at=b.T0 + 120, name="night")) == []
    both = replace(later, nodes=[NodeName("cn01"), NodeName("cn02")], begun=True)
    assert told(e.ReservationUpdated(at=b.T0 + 130, reservation=both)) == [
        replace(moved, since=b.T0 + 130, nodes="cn[01-02]", tres={"cpu": 32})]
    (over,) = told(e.ReservationEnded(at=b.T0 + 150, name="night", by=Uid(0)))
    assert isinstance(over, a.ReservationRecord) and (over.start_time, over.since, over.end_time) == (b.T0 + 120, b.T0 + 150, b.T0 + 150)
    assert told(e.ReservationCreated(at=b.T0, reservation=replace(night, id=2, name="any", flags=["TIME_FLOAT"], start=0, end=60))) == []


def test_each_occurrence_of_a_reservation_that_repeats_is_recorded() -> None:
    scene = Scene()
    daily = Reservation(id=1, name="daily", start=b.T0 + 100, end=b.T0 + 200, nodes=[NodeName("cn01")], flags=["DAILY"])
    scene.apply(e.ReservationCreated(at=b.T0, reservation=daily), e.ReservationBegun(at=b.T0 + 100, name="daily"))
    scene.apply(e.ReservationEnded(at=b.T0 + 200, name="daily", next=(b.T0 + 86_500, b.T0 + 86_600)))
    found = [record for record in scene.all if isinstance(record, a.ReservationRecord)]
    assert [(one.start_time, one.since, one.end_time) for one in found] == [
        (b.T0 + 100, b.T0 + 100, b.T0 + 200), (b.T0 + 86_500, b.T0 + 86_500, b.T0 + 86_600)]


@pytest.mark.parametrize(("why", "state"), [("timeout", JobState.TIMEOUT), ("cancelled", JobState.CANCELLED)])
def test_a_step_that_came_to_its_own_limit_timed_out(why: str, state: JobState) -> None:
    c = b.cluster()
    job = b.started(c)
    step = steps.plan_step(c, job, StepRequest(), b.T0)
    c.apply(e.StepCreated(at=b.T0, job=job.id, step=step))
    kept = job.steps[step.id]
    c.apply(e.StepEnding(at=b.T0, job=job.id, attempt=1, step=step.id, why=why))
    c.apply(e.StepExited(at=b.T0, job=job.id, attempt=1, step=step.id, node=step.nodes_left[0], status=15))
    assert (kept.state, job.state) == (state, JobState.RUNNING)
