"""A history with something of everything: what the kept journals hold. It is replayed by the program of each version, so it asks for little.

Whoever adds a kind of event or record has it happen here, before the journal of the new version is kept.
"""

from __future__ import annotations

import msgspec

from slurm.core import cancel, hold, node_update, requeue, steps, update
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.model.accounting import Extreme, TresUsage, Usage
from slurm.model.cpu_set import CpuSet
from slurm.model.crontab import CronEntry
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.policy import Account, Association, Qos, Resource, UsageReset, User, Wckey
from slurm.model.request import JobRequest, StepRequest
from slurm.model.reservation import Reservation
from slurm.model.states import JobState, NodeState, Power
from slurm.model.topology import Topology, Unit
from slurm.model.trigger import Pull, Trigger
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter

NODES = [b.node(f"cn{i:02d}", 16, 64000, 2 if i > 4 else 0, position=i, features=["intel"] if i < 4 else ["amd", "gpu"]) for i in range(1, 8)]
SCRIPT, ENVIRONMENT = b"#!/bin/sh\nsleep 60\n", b"A=b"


class Recorded(Cluster):
    """A cluster that remembers its events as they were before they were applied, put into bytes by `encode`."""

    def __init__(self, encode: object) -> None:
        super().__init__()
        self.encode = encode
        self.written: list[tuple[float, str, bytes]] = []

    def apply(self, event: e.Event) -> list[Effect]:
        body = self.encode(event)  # type: ignore[operator]
        effects = super().apply(event)
        self.written.append((event.at, type(event).__name__, body))
        return effects


def ask(c: Cluster, operation: object, *arguments: object, at: float, **options: object) -> None:
    for event in operation(c, *arguments, at, **options):  # type: ignore[operator]
        c.apply(event)


def begin(c: Cluster) -> None:
    """A first half, after which the kept journals have a snapshot."""
    rules = b.Settings(
        cluster_name="kept", def_mem_per_cpu=500, gres_types=["gpu"], min_job_age=300, requeue_delay=30, return_to_service=2, config_overrides=True,
        max_array_size=10001, job_defaults="DefCpuPerGPU=2", spec_usage=True, requeue_exit=[42], kill_on_invalid_dep=True, cascade_at_once=100, backfill_max_user=7, backfill_reservations=3, licenses={"matlab": 4})
    gpu = [node for node in NODES if node.gres]
    c.apply(e.Configured(at=b.T0, settings=rules, nodes=NODES, partitions=[
        b.partition("debug", NODES, default=True, nodes_text="ALL", max_time=86400, default_time=600), b.partition("gpu", gpu, priority_tier=5, position=1)]))
    c.apply(e.EpochStarted(at=b.T0, epoch=3, holder="ctl1"))
    for node in NODES:
        c.apply(b.registered(node))
    running = b.started(c, "cn01", "cn02", name="running", time_limit=3600, signal="USR1@60", comment="grüße")
    for ntasks in (1, 2):
        c.apply(e.StepCreated(at=b.T0 + 2, job=running.id, step=steps.plan_step(c, running, StepRequest(ntasks=ntasks, name=f"s{ntasks}", overlap=True), b.T0 + 2)))
    array = b.submit(c, array="0-9%3", name="array")
    for task, code in ((0, 0), (1, 1)):
        b.finish(c, b.start(c, array, "cn03", task=task)[0], code, at=b.T0 + 5)
    for task in (2, 3):
        done, _ = b.start(c, array, "cn03", task=task)
        c.apply(e.Launched(at=b.T0 + 6, job=done.id, attempt=done.attempt))
    b.submit(c, name="after", dependency=f"afterok:{running.id},after:{array.id}_2+5")
    b.submit(c, name="again", dependency="singleton")
    b.submit(c, name="again", dependency="singleton", by=b.BOB)
    held = b.submit(c, name="held", hold=True)
    ask(c, hold.hold, [str(held.id)], b.ROOT, at=b.T0 + 7)
    b.submit(c, name="later", begin=b.T0 + 5000, deadline=b.T0 + 90000)
    old = b.started(c, "cn04", name="old")
    b.finish(c, old, at=b.T0 + 8)
    c.jobs[old.id].key = "key-of-old"
    c.keys.add(old.owner.uid, "key-of-old", old.id)
    c.apply(e.Purged(at=b.T0 + 400, jobs=[old.id]))


def go_on(c: Cluster) -> None:
    """What happens after the snapshot."""
    on_gpu = b.submit(c, name="on-gpu", partition="gpu", gres="gpu:1", at=b.T0 + 410)
    b.start(c, on_gpu, "cn05", gpus=1, cpus=4, memory=2000, at=b.T0 + 411)
    c.apply(e.Launched(at=b.T0 + 412, job=on_gpu.id, attempt=1, lease=60))
    lost = b.started(c, "cn06", name="lost", at=b.T0 + 412, requeue=True)
    left = b.started(c, "cn06", name="left", at=b.T0 + 412, requeue=False)
    c.apply(e.NodeSilent(at=b.T0 + 413, node=NodeName("cn06")))
    c.apply(e.NodeLost(at=b.T0 + 713, node=NodeName("cn06"), may_run=True, together=[NodeName("cn06")]))
    assert lost.lost is not None and left.id in {remains.job for remains in c.nodes[NodeName("cn06")].remains}
    ending = b.started(c, "cn04", name="ending", at=b.T0 + 714)
    b.exit_batch(c, ending, 3, at=b.T0 + 720)
    timeout = b.started(c, "cn04", name="timeout", time_limit=60, at=b.T0 + 714)
    c.apply(e.TimedOut(at=b.T0 + 774, job=timeout.id, attempt=1))
    b.free(c, timeout, at=b.T0 + 775)
    again = b.started(c, "cn04", name="requeued", at=b.T0 + 780)
    ask(c, requeue.requeue, [str(again.id)], b.ROOT, at=b.T0 + 781)
    b.free(c, again, at=b.T0 + 782)
    c.apply(e.Eligible(at=b.T0 + 812, job=again.id))
    changed = b.submit(c, name="changed", at=b.T0 + 815)
    ask(c, update.update_job, str(changed.id), {"TimeLimit": "30", "JobName": "renamed", "Dependency": f"afterany:{on_gpu.id}", "Nice": "5"}, b.ROOT, at=b.T0 + 816)
    ask(c, update.update_job, "2_5", {"TimeLimit": "20"}, b.ROOT, at=b.T0 + 816)
    holder = b.submit(c, name="holder", kind="alloc", at=b.T0 + 817)
    b.start(c, holder, "cn04", at=b.T0 + 817)
    for event in cancel.cancel(c, JobFilter(ids=["2_[8-9]"]), b.ALICE, b.T0 + 818).events:
        c.apply(event)
    ask(c, node_update.update_nodes, "cn07", {"State": "drain", "Reason": "bad dimm"}, b.ROOT, at=b.T0 + 819)
    c.apply(e.PartitionUpdated(at=b.T0 + 820, partition="gpu", changes=_changes({"max_time": 7200, "state": "UP"})))
    step = next(step for step in c.jobs[JobId(1)].steps.values() if step.name == "s1")
    c.apply(e.StepExited(at=b.T0 + 821, job=JobId(1), attempt=1, step=step.id, node=step.nodes[0], status=256))
    since_version_2(c)
    since_version_4(c)
    licensed = b.submit(c, name="licensed", licenses="matlab:2", time_limit=600, time_min=120, at=b.T0 + 840)
    event = c.starting(licensed.id, None, b.Allocation(shares=[b.share(c, "cn04")], partition="debug", licenses={"matlab": 2}), b.T0 + 840, 240)
    assert event is not None
    c.apply(event)
    b.finish(c, licensed, at=b.T0 + 841)
    reservations_of(c)
    since_version_8(c)
    since_version_10(c)
    since_version_11(c)
    since_version_12(c)
    since_version_14(c)
    triggers_of(c)
    switched_of(c)
    since_version_19(c)
    c.apply(e.ClockSet(at=b.T0 + 8171, by=7200.0))
    c.apply(e.EpochStarted(at=b.T0 + 8172, epoch=7, holder="ctl2"))
    since_version_17(c)
    since_version_20(c)
    ports_of(c)


def since_version_20(c: Cluster) -> None:
    """How much memory a step held."""
    step = next(step for step in c.jobs[JobId(1)].steps.values() if step.name == "s2")
    held = TresUsage(20 << 20, 1, Extreme(20 << 20, "cn02", 1), Extreme(20 << 20, "cn02", 1))
    for node in list(step.nodes_left):
        c.apply(e.StepExited(at=b.T0 + 8173, job=JobId(1), attempt=1, step=step.id, node=node, status=0, usage=Usage(taken={"mem": held})))


def since_version_2(c: Cluster) -> None:
    """What a step used, and how accounting speaks to the controller."""
    step = next(step for step in c.jobs[JobId(1)].steps.values() if step.name == "s2")
    cpu = TresUsage(1500, 1, Extreme(1500, "cn01", 0), Extreme(1500, "cn01", 0))
    c.apply(e.StepExited(
        at=b.T0 + 822, job=JobId(1), attempt=1, step=step.id, node=NodeName("cn01"), status=0, usage=Usage(user_seconds=1.5, taken={"cpu": cpu})))
    one = c.jobs[JobId(13)]
    for event in (
            e.StepEnding(at=b.T0 + 823, job=JobId(1), attempt=1, step=step.id), e.Warned(at=b.T0 + 823, job=JobId(1), attempt=1),
            e.Stopped(at=b.T0 + 823, job=one.id, attempt=1, stopped=True), e.NodeReturned(at=b.T0 + 823, job=one.id, attempt=1, node=one.batch_host),
            e.ProofWaived(at=b.T0 + 823, job=JobId(18), attempt=1, why="lease"), e.NodeFenced(at=b.T0 + 823, node=NodeName("cn07"), attempts=[(JobId(99), 1)])):
        c.apply(event)
    ask(c, hold.release, [str(b.submit(c, name="released", hold=True, at=b.T0 + 823).id)], b.ROOT, at=b.T0 + 823)
    c.apply(e.DeadlinePassed(at=b.T0 + 823, job=b.submit(c, name="missed", deadline=b.T0 + 2000, at=b.T0 + 823).id))
    failed, _ = b.start(c, b.submit(c, name="failed", at=b.T0 + 823), "cn04", at=b.T0 + 823)
    c.apply(e.LaunchFailed(at=b.T0 + 823, job=failed.id, attempt=1, node=NodeName("cn04"), why="no such user"))
    given, _ = b.start(c, b.submit(c, name="given back", kind="alloc", at=b.T0 + 823), "cn04", at=b.T0 + 823)
    c.apply(e.AllocationRelinquished(at=b.T0 + 823, job=given.id, status=256))
    b.free(c, given, at=b.T0 + 823)
    c.apply(e.PolicyChanged(at=b.T0 + 823, whole=True, resets=[UsageReset(association=2)], records=[
        Account(name="physics", description="physics"), User(name="alice", admin_level="Operator"),
        Qos(id=1, name="normal", limits={"grp_tres": {"cpu": 100}}), Association(id=1, cluster="kept", account="root"), Association(id=2, cluster="kept", account="physics", user="alice", parent=1),
        Wckey(id=1, name="red", user="alice", cluster="kept", is_default=True),
        Resource(id=1, name="abaqus", server="flex", count=100, flags=["Absolute"], last_consumed=3, allowed={"kept": 40})]))
    c.apply(e.RecordsMissed(at=b.T0 + 823, jobs=[JobId(1)], nodes=True))
    c.apply(e.NumberingContinued(at=b.T0 + 824, above=JobId(40)))


def reservations_of(c: Cluster) -> None:
    """Reservations: one of some cores that runs, with a job in it; one that repeats and has repeated; one that is over, which a job still asks for."""
    at = b.T0 + 830
    made = {
        "some": Reservation(id=1, name="some", start=at, end=at + 3600, nodes=[NodeName("cn03")], cpus={NodeName("cn03"): CpuSet.run(4)}, cores=4, core_count=4,
                            partition="debug", users=["alice", "bob"], flags=["PURGE_COMP"], purge_after=600),
        "weekly": Reservation(id=2, name="weekly", start=at, end=at + 60, nodes=[NodeName("cn04"), NodeName("cn05")], node_count=2, accounts=["guests"],
                              denied=["accounts"], flags=["WEEKLY", "REPLACE_DOWN"]),
        "over": Reservation(id=3, name="over", start=at, end=at + 60, nodes=[NodeName("cn07")], groups=["staff"], members=["alice"], comment="mends")}
    for record in made.values():
        c.apply(e.ReservationCreated(at=at, reservation=record))
        c.apply(e.ReservationBegun(at=at, name=record.name))
    c.apply(e.ReservationUpdated(at=at, reservation=msgspec.structs.replace(made["some"], end=at + 7200, begun=True)))
    inside = b.submit(c, name="inside", reservation="some", at=at)
    b.submit(c, name="bereft", reservation="over", at=at)
    shares = [NodeShare(node=NodeName("cn03"), cpus=CpuSet.of([2]))]
    c.apply(e.Started(at=at, job=inside.id, allocation=Allocation(shares=shares, partition="debug", reservation="some", reservation_id=1)))
    c.apply(e.ReservationEnded(at=at + 60, name="weekly", next=(at + 604800, at + 604860)))
    c.apply(e.ReservationEnded(at=at + 60, name="over", by=b.ROOT.uid))


def since_version_4(c: Cluster) -> None:
    """Limits of groups end jobs, ages begin to count, usage is set back."""
    spent = b.started(c, "cn04", name="spent", at=b.T0 + 830)
    c.apply(e.TimedOut(at=b.T0 + 831, job=spent.id, attempt=1, why="AssocGrpCPUMinutesLimit"))
    b.free(c, spent, at=b.T0 + 832)
    c.apply(e.Accrued(at=b.T0 + 833, jobs=[b.submit(c, name="ages", at=b.T0 + 833).id]))
    c.apply(e.UsagePeriodEnded(at=b.T0 + 834))


def since_version_8(c: Cluster) -> None:
    """Jobs that wait for their prologs and for an epilog."""
    one = c.jobs[JobId(1)]
    c.apply(e.StepCreated(at=b.T0 + 850, job=one.id, step=steps.plan_step(c, one, StepRequest(interactive=True), b.T0 + 850)))
    before = c.settings
    rules = msgspec.structs.replace(
        before, node_prolog=True, node_epilog=True, controller_prolog=True, controller_epilog=True, prolog_flags=["alloc", "deferbatch"], hold_on_prolog_fail=True)
    c.apply(e.Configured(at=b.T0 + 851, settings=rules, nodes=NODES, partitions=list(c.partitions.values()), may_run=True))
    ready, _ = b.start(c, b.submit(c, name="prepared", at=b.T0 + 851), "cn04", at=b.T0 + 851)
    for node in ("", "cn04"):
        c.apply(e.Prepared(at=b.T0 + 852, job=ready.id, attempt=1, node=NodeName(node)))
    failed, _ = b.start(c, b.submit(c, name="not prepared", at=b.T0 + 852), "cn04", at=b.T0 + 852)
    c.apply(e.Prepared(at=b.T0 + 852, job=failed.id, attempt=1, node=NodeName("")))
    c.apply(e.PreparationFailed(at=b.T0 + 853, job=failed.id, attempt=1, node=NodeName("cn04"), why="Prolog error"))
    c.apply(e.EpilogEnded(at=b.T0 + 854, job=failed.id, attempt=1))
    cut_short, _ = b.start(c, b.submit(c, name="being prepared", at=b.T0 + 855), "cn04", at=b.T0 + 855)
    for job in (ready, cut_short):
        c.apply(e.Cancelled(at=b.T0 + 856, job=job.id, by=b.ROOT.uid))
        c.apply(e.EpilogEnded(at=b.T0 + 857, job=job.id, attempt=1, why="EpilogSlurmctld failed"))
    for job in (ready, failed, cut_short):
        b.free(c, job, at=b.T0 + 858)
    c.apply(e.Configured(at=b.T0 + 859, settings=before, nodes=NODES, partitions=list(c.partitions.values()), may_run=True))


def since_version_10(c: Cluster) -> None:
    """A crontab of two jobs, of which one has run and one was cancelled."""
    made = []
    for line in (1, 2):
        record = msgspec.structs.replace(
            c.jobs[JobId(1)], id=c.next_job_id, request=JobRequest(name=f"cron{line}"), state=JobState.PENDING, allocation=None, batch_host=NodeName(""), nodes_left=[], steps={},
            launched=False, attempt=0, start_time=0.0, submit_time=b.T0 + 860, signalled=False, not_before=b.T0 + 900, partition="debug",
            cron=CronEntry(spec="*/5 * * * *", first_line=line, last_line=line, planned=b.T0 + 900))
        c.apply(e.Submitted(at=b.T0 + 860, job=record))
        made.append(c.jobs[record.id])
    one, other = made
    owner = one.owner
    c.apply(e.CrontabReplaced(at=b.T0 + 860, uid=owner.uid, user=owner.user, by=owner.uid, text="*/5 * * * * one\n*/5 * * * * two\n", jobs=[one.id, other.id]))
    c.apply(e.Cancelled(at=b.T0 + 861, job=other.id, by=owner.uid))
    c.apply(e.Eligible(at=b.T0 + 900, job=one.id))
    b.start(c, one, "cn04", at=b.T0 + 901)
    b.finish(c, one, at=b.T0 + 902)
    c.apply(e.CronPlanned(at=b.T0 + 903, job=one.id, moment=b.T0 + 1200))


def since_version_11(c: Cluster) -> None:
    """Nodes that set cores and memory aside, a partition with sockets of its own, jobs that say how much they leave to the system."""
    nodes = [msgspec.structs.replace(node, spec_cores=1, spec_cpus=CpuSet.of([15]), spec_memory=500) for node in NODES]
    partitions = [msgspec.structs.replace(one, select_type="CR_SOCKET", job_defaults="DefMemPerGPU=900") for one in c.partitions.values()]
    c.apply(e.Configured(at=b.T0 + 950, settings=c.settings, nodes=nodes, partitions=partitions, may_run=True))
    for name, asked in (("sparing", {"core_spec": 1}), ("sparing threads", {"thread_spec": 2})):
        one = b.submit(c, name=name, at=b.T0 + 951, **asked)
        c.apply(e.Cancelled(at=b.T0 + 952, job=one.id, by=b.ROOT.uid))
    whole = [msgspec.structs.replace(one, select_type="") for one in c.partitions.values()]
    c.apply(e.Configured(at=b.T0 + 953, settings=c.settings, nodes=nodes, partitions=whole, may_run=True))


def since_version_12(c: Cluster) -> None:
    """Nodes under switches, a partition that names its topology, a job that waits for few switches and one in segments."""
    tree = Topology(kind="tree", units=[Unit("s0", "cn[01-04]"), Unit("s1", "cn[05-07]", speed="100"), Unit("top", children="s[0-1]")])
    blocks = Topology(name="blocks", kind="block", units=[Unit("b0", "cn[01-03]"), Unit("b1", "cn[04-07]")], sizes=[3, 6], default=False, optional=True)
    rules = msgspec.structs.replace(c.settings, topologies=[tree, blocks], max_switch_wait=600)
    partitions = [msgspec.structs.replace(one, topology="blocks" if one.name == "gpu" else "") for one in c.partitions.values()]
    c.apply(e.Configured(at=b.T0 + 960, settings=rules, nodes=list(c.nodes.values()), partitions=partitions, may_run=True))
    for name, asked in (("near", {"switches": 1, "switch_wait": 60}), ("segments", {"segment": 1, "spread_segments": True, "partition": "gpu"})):
        one = b.submit(c, name=name, at=b.T0 + 961, **asked)
        c.apply(e.Cancelled(at=b.T0 + 962, job=one.id, by=b.ROOT.uid))


def since_version_14(c: Cluster) -> None:
    """Heterogeneous jobs: one that runs, one that waits."""
    at = b.T0 + 970
    first, second = b.submit_het(c, {"name": "server"}, {"name": "clients", "partition": "gpu"}, at=at)
    event = c.starting(
        first.id, None, Allocation(shares=[b.share(c, "cn02")], partition="debug"), at, None,
        [e.Start(job=second.id, allocation=Allocation(shares=[b.share(c, "cn05")], partition="gpu"))])
    assert event is not None
    c.apply(event)
    b.submit_het(c, {"name": "waits"}, {"name": "waits", "hold": True}, at=at)


def since_version_19(c: Cluster) -> None:
    """Jobs that were suspended and went on, that are suspended, that give way in time, with grace and by holding still; a promise."""
    at = b.T0 + 980
    rules = msgspec.structs.replace(
        c.settings, preempt_type="qos", preempt_modes=["requeue", "gang"], preempt_exempt_time=60, preempt_min_exempt_priority=1000)
    c.apply(e.Configured(at=at, settings=rules, nodes=list(c.nodes.values()), partitions=list(c.partitions.values()), may_run=True))
    jobs = [b.started(c, "cn02", name=name, at=at, requeue=True) for name in ("went on", "stands still", "was in time", "has grace", "made room")]
    on, still, *victims = jobs
    for job in (on, still):
        c.apply(e.Suspended(at=at + 1, job=job.id, attempt=1, by=b.ROOT.uid))
    c.apply(e.Resumed(at=at + 3, job=on.id, attempt=1, by=b.ROOT.uid))
    waiting = b.submit(c, name="wins", at=at + 4)
    modes = (("requeue", 0), ("cancel", 60), ("suspend", 0))
    c.apply(e.Preempted(
        at=at + 5, job=waiting.id, allocation=Allocation(shares=[b.share(c, "cn03")], partition="debug"),
        victims=[e.Victim(job=job.id, mode=mode, grace=grace) for job, (mode, grace) in zip(victims, modes, strict=True)]))
    b.free(c, victims[0], at=at + 6)
    other = b.submit(c, name="lost its promise", at=at + 6)
    early = b.started(c, "cn04", name="gives way at once", at=at + 6, requeue=True)
    c.apply(e.Preempted(
        at=at + 7, job=other.id, allocation=Allocation(shares=[b.share(c, "cn03")], partition="debug"),
        victims=[e.Victim(job=early.id, mode="cancel", grace=1)]))
    c.apply(e.PromiseEnded(at=at + 7, job=other.id))
    c.apply(e.GraceEnded(at=at + 8, job=early.id, attempt=1))


def ports_of(c: Cluster) -> None:
    """A step for which ports are kept."""
    rules = msgspec.structs.replace(c.settings, mpi_ports=[12000, 12009])
    c.apply(e.Configured(at=b.T0 + 990, settings=rules, nodes=list(c.nodes.values()), partitions=list(c.partitions.values()), may_run=True))
    job = c.jobs[JobId(1)]
    made = steps.plan_step(c, job, StepRequest(ntasks=1, resv_ports=3, name="has ports", overlap=True), b.T0 + 991)
    c.apply(e.StepCreated(at=b.T0 + 991, job=job.id, step=made))


def triggers_of(c: Cluster) -> None:
    """Triggers: one that waits, one that is permanent and was pulled, one that is done, one that was cleared."""
    at = b.T0 + 960
    for number, what in enumerate(("down", "idle", "reconfig", "up"), start=1):
        c.apply(e.TriggerSet(at=at, trigger=Trigger(
            id=number, uid=b.ROOT.uid, gid=b.ROOT.gid, user="root", kind="node", what=what, program="/bin/true", nodes="cn0[1-2]", offset=number, permanent=what == "idle")))
    for number in (2, 3):
        c.apply(e.TriggerPulled(at=at, trigger=number, pull=Pull("cn01", at + number)))
    c.apply(e.TriggerDone(at=at, trigger=3))
    c.apply(e.TriggersCleared(at=at, triggers=[4]))


def since_version_17(c: Cluster) -> None:
    """A job that gave a node back while it ran."""
    wide = b.started(c, "cn04", "cn02", name="wide", at=b.T0 + 990)
    c.apply(e.JobShrunk(at=b.T0 + 991, job=wide.id, attempt=1, nodes=[NodeName("cn02")]))


def switched_of(c: Cluster) -> None:
    """Nodes that were made and switched, one that did not come up, one that was started anew; partitions that were made and deleted."""
    at = b.T0 + 980
    made = [b.node(name, 4, 8000, line=f"NodeName={name} CPUs=4 RealMemory=8000 State=CLOUD", cloud=True, power=Power.OFF, state=NodeState.IDLE)
        for name in ("cloud1", "cloud2", "cloud3")]
    c.apply(e.NodesCreated(at=at, nodes=made, members={"debug": [node.name for node in made]}))
    c.apply(e.NodesDeleted(at=at, nodes=[NodeName("cloud3")]))
    for name in ("cloud1", "cloud2"):
        c.apply(e.NodeUpdated(at=at, node=NodeName(name), by=b.ROOT.uid, state="POWER_UP", address="10.0.0.9", hostname=name, resume_after=at + 900))
        c.apply(e.PowerChanged(at=at + 1, node=NodeName(name), power=Power.COMING_UP))
    c.apply(e.ResumeFailed(at=at + 2, node=NodeName("cloud2")))
    c.apply(e.PowerChanged(at=at + 3, node=NodeName("cloud1"), power=Power.ON))
    for name, reason in (("cn05", "kernel"), ("cn06", ""), ("cn07", "")):
        c.apply(e.RebootAsked(at=at, node=NodeName(name), by=b.ROOT.uid, by_name="root", asap=name == "cn06", next="RESUME", reason=reason))
    c.apply(e.RebootIssued(at=at + 1, node=NodeName("cn05")))
    c.apply(e.RebootCancelled(at=at + 1, node=NodeName("cn06")))
    for name in ("night", "gone"):
        c.apply(e.PartitionCreated(at=at, partition=b.partition(name, NODES[:2], suspend_time=600, suspend_timeout=20, resume_timeout=300, power_down_on_idle=True)))
    c.apply(e.PartitionDeleted(at=at, partition="gone"))


def _changes(fields: dict[str, object]) -> dict[str, object]:
    from slurm.core import configuration

    return configuration.encode(fields)  # type: ignore[return-value]


def described(c: Cluster) -> str:
    """The state in words that do not change with its structs. What earlier versions did not have is told only where there is some."""
    lines = [_job(c, job) for _, job in sorted(c.jobs.items())]
    for name, node in sorted(c.nodes.items()):
        lines.append(
            f"node {name} {node.state.name} drain={node.drain} responding={node.responding} reason={node.reason!r} jobs={sorted(node.jobs)} "
            f"completing={sorted(node.completing)} cpus={node.cpus} memory_used={node.memory_used} gres={[(p.name, p.type, p.count) for p in node.gres]} "
            f"remains={[(r.job, r.attempt) for r in node.remains]} features={node.features}")
    for name, partition in sorted(c.partitions.items()):
        lines.append(f"partition {name} {partition.state} nodes={partition.nodes} max_time={partition.max_time} tier={partition.priority_tier} default={partition.default}")
    for name, of in sorted(getattr(c, "reservations", {}).items()):
        lines.append(f"reservation {of.id} {name} {of.start}-{of.end} nodes={of.nodes} cpus={[(node, _numbers(held)) for node, held in of.cpus.items()]} "
                     f"for={of.users, of.groups, of.members, of.accounts, of.denied} flags={of.flags} begun={of.begun} idle_since={of.idle_since}")
    lines += [f"in reservation {job.holding.reservation}: {job.id} until {job.end_by}" for job in c.jobs.values() if getattr(job.holding, "reservation", "")]
    for array, ledger in sorted(c.arrays.items()):
        lines.append(f"array {array} count={ledger.shape.count} running={ledger.running} well={list(ledger.done_well)} badly={list(ledger.done_badly)} "
                     f"records={sorted(ledger.records.items())}")
    lines += [f"components of {job.id}: {job.het}" for job in c.jobs.values() if getattr(job, "het", ()) and job.het[0] == job.id]
    lines += [f"usage {job.id}.{step.id} user={step.usage.user_seconds} {[(name, one.total, one.tasks, one.most.node) for name, one in step.usage.taken.items()]}" for job in c.jobs.values() for step in job.steps.values() if step.usage is not None]
    lines += [f"crontab of {one.user}: {one.text!r} jobs={one.jobs}" for one in getattr(c, "crontabs", {}).values()]
    lines += [f"trigger {one.id} {one.what} {one.pulled}" for one in getattr(c, "triggers", {}).values()]
    lines += [f"switched {name} {node.power.value} since={node.power_since} asked={node.power_asked} reboot={node.reboot} next={node.reboot_next} line={node.line!r} "
        f"resumes={node.resume_after}" for name, node in sorted(c.nodes.items()) if getattr(node, "power_since", 0) or getattr(node, "reboot", "")]
    lines += [f"again {job.id}: {job.cron}" for job in c.jobs.values() if getattr(job, "cron", None) is not None]
    lines += [f"memory of {job.id}: {job.memory_peak} MB" for job in c.jobs.values() if getattr(job, "memory_peak", 0)]
    lines += [f"ports of {job.id}.{step.id}: {step.ports}" for job in c.jobs.values() for step in job.steps.values() if getattr(step, "ports", ())]
    lines += [f"policy {name}" for name in sorted(c.policy.book.names())]
    lines += [f"epoch {c.epoch} of {c.leader}" for _ in range(bool(getattr(c, "epoch", 0)))]
    lines.append(f"queue {list(c.pending)}")
    lines.append(f"next {c.next_job_id} key-of-old={c.keys.find(b.ALICE.uid, 'key-of-old')}")
    return "\n".join(lines) + "\n"


def _job(c: Cluster, job: Job) -> str:
    holding = [(share.node, _numbers(share.cpus), share.memory, sorted((name, _numbers(held)) for name, held in share.gres.items())) for share in job.holding.shares] \
        if job.holding is not None else []
    job_steps = [(step.id, step.name, step.nodes, step.ntasks, step.nodes_left) for step in (job.lost.steps if job.lost else job.steps).values()]
    return (
        f"job {job.id} {job.request.name!r} of {job.owner.user} {job.state.name}{sorted(job.flags)} {job.reason} {job.reason_text!r} held={job.held!r} partition={job.partition} "
        f"limit={job.time_limit} attempt={job.attempt} restarts={job.restarts} array={job.array_job}_{job.array_task} "
        f"waiting={job.array_part.ranges if job.array_part else None} holds={holding} left={job.nodes_left} lost={job.lost is not None} unproven={job.unproven} "
        f"steps={job_steps} depends={[(d.kind, d.job, d.task, d.state, d.delay) for d in job.dependency]} begin={job.not_before} start={job.start_time} end={job.end_time} "
        f"exit={job.exit_status} lease={job.lease} comment={job.request.comment!r} nice={job.request.nice} signal={job.request.signal!r} script={job.payload.script[:4]}")


def _numbers(members: object) -> list[int]:
    """CPU or device numbers, also of the programs in which they were the bits of a whole number."""
    return [i for i in range(members.bit_length()) if members >> i & 1] if isinstance(members, int) else list(members)  # type: ignore[call-overload, no-any-return]
