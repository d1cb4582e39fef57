"""What sshare and sprio are told: the numbers that the planner reckons with, in an order in which a tree can be drawn."""

from slurm.core import admission
from slurm.core import events as e
from slurm.model.policy import Account, Association, Qos, User
from slurm.model.request import JobRequest, PayloadRef
from slurm.sched.priority import Scale
from slurm.slurmctld.handlers.priorities import priorities_of, shares_now
from slurm.testing import builders as b

RECORDS = [
    Account(name="root"), Account(name="physics"), Account(name="arts"), User(name="alice"), Qos(id=1, name="normal"), Qos(id=2, name="high", priority=10),
    Association(id=1, cluster="c", account="root", qos=["normal", "high"]), Association(id=2, cluster="c", account="root", user="root", parent=1),
    Association(id=3, cluster="c", account="physics", parent=1, shares=3), Association(id=4, cluster="c", account="arts", parent=1),
    Association(id=5, cluster="c", account="physics", user="alice", parent=3, is_default=True), Association(id=6, cluster="c", account="arts", user="zoe", parent=4)]


def cluster() -> b.Cluster:
    settings = b.Settings(
        accounting=True, priority_weight_fair_share=1000, priority_weight_partition=100, priority_weight_qos=500, def_mem_per_cpu=1)
    nodes = [b.node("cn01", 4, 4000)]
    made = b.Cluster()
    made.apply(e.Configured(at=b.T0, settings=settings, nodes=nodes, partitions=[
        b.partition("debug", nodes, default=True, priority_job_factor=1), b.partition("batch", nodes, priority_job_factor=4)]))
    made.apply(e.PolicyChanged(at=b.T0, records=list(RECORDS), whole=True))
    return made


def test_parents_come_before_those_below_them_and_users_before_accounts() -> None:
    shares = list(shares_now(cluster(), b.T0, [], []))
    assert [(one.account, one.user) for one in shares] == [
        ("root", ""), ("root", "root"), ("arts", ""), ("arts", "zoe"), ("physics", ""), ("physics", "alice")]
    assert [one.norm_shares for one in shares if not one.user] == [0.0, 0.2, 0.6]
    assert all(one.level_fs is None for one in shares if one.user) and all(one.factor is not None for one in shares if one.user)


def test_users_and_accounts_that_are_not_wanted_are_left_out() -> None:
    shares = list(shares_now(cluster(), b.T0, ["ALICE"], []))
    assert [one.user for one in shares if one.user] == ["alice"] and len([one for one in shares if not one.user]) == 3
    assert {one.account for one in shares_now(cluster(), b.T0, [], ["arts"])} == {"arts"}


def test_a_job_has_a_line_for_each_partition_and_its_sum_is_what_the_planner_sorts_by() -> None:
    made = cluster()
    event = admission.admit(made, JobRequest(name="j", time_limit=600, work_dir="/tmp", partition="debug,batch", qos="high", nice=7), PayloadRef(), b.ALICE, b.T0).event
    made.apply(event)
    scale = Scale(made, b.T0)
    lines = list(priorities_of(scale, made.jobs[event.job.id], []))
    assert [(line.partition, line.weighted["partition"]) for line in lines] == [("debug", 25.0), ("batch", 100.0)]
    first = lines[0]
    assert first.priority == scale.value(made.jobs[event.job.id]) and first.nice == 7
    assert first.factors["fairshare"] * 1000 == first.weighted["fairshare"] > 0 and first.weighted["qos"] == 500
    assert [line.partition for line in priorities_of(scale, made.jobs[event.job.id], ["batch"])] == ["batch"]
