"""What limits do beside refusing a start: whose age counts, whose jobs are ended, for whom resources are kept, what a QOS exempts from."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.policy import accrual, using_up
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.errors import SlurmError
from slurm.model.job import Job
from slurm.model.policy import Limits, PolicyRecord, Qos
from slurm.sched import priority
from slurm.sched.plan import plan
from slurm.testing import builders as b
from tests.unit.core.test_policy import ALL, MINUTE, book, cluster, start_all


def let_age(c: Cluster, at: float) -> list[Job]:
    found = accrual.due(c, list(c.pending.values()))
    c.apply(e.Accrued(at=at, jobs=found))
    return [c.jobs[job_id] for job_id in found]


@pytest.mark.parametrize(("where", "key"), [
    ("assoc", "MaxJobsAccrue"), ("account", "GrpJobsAccrue"), ("qos", "GrpJobsAccrue"), ("qos", "MaxJobsAccruePerUser"), ("qos", "MaxJobsAccruePerAccount")])
def test_only_so_many_waiting_jobs_age_and_the_next_begins_when_one_of_them_starts(where: str, key: str) -> None:
    c = cluster(book(**{where: {key: {"": 2}}}), priority_weight_age=1000, priority_max_age=1000)  # type: ignore[arg-type]
    jobs = [b.submit(c, **({"qos": "high"} if where == "qos" else {})) for _ in range(4)]
    assert let_age(c, b.T0) == jobs[:2]
    assert let_age(c, b.T0 + 1) == []
    ages = [priority.Scale(c, b.T0 + 500).of(job).age for job in jobs]
    assert ages == [0.5, 0.5, 0.0, 0.0]
    b.start(c, jobs[0], at=b.T0 + 100)
    assert let_age(c, b.T0 + 100) == [jobs[2]]
    again = restored(rows.whole(c).values(), Reader({}))
    assert again is not None
    assert accrual.due(again, list(again.pending.values())) == []
    assert not again.policy.ages


def test_jobs_age_from_then_on_when_no_limit_says_otherwise_any_more() -> None:
    c = cluster(book(assoc={"MaxJobsAccrue": {"": 0}}))
    job = b.submit(c)
    assert let_age(c, b.T0) == [] and job.accrue_time == 0
    c.apply(e.PolicyChanged(at=b.T0 + 60, records=book(), whole=True))
    assert job.accrue_time == b.T0 + 60
    assert b.submit(c, at=b.T0 + 61).accrue_time == b.T0 + 61


@pytest.mark.parametrize(("where", "limits", "reason"), [
    ("account", {"GrpTRESMins": {"cpu": 10}}, "AssocGrpCPUMinutesLimit"), ("account", {"GrpWall": {"": 5}}, "AssocGrpWallLimit"),
    ("qos", {"GrpTRESMins": {"cpu": 10}}, "QOSGrpCPUMinutesLimit"), ("qos", {"GrpWall": {"": 5}}, "QOSGrpWallLimit")])
def test_running_jobs_end_when_their_group_has_used_up_its_minutes_but_not_with_safe(where: str, limits: Limits, reason: str) -> None:
    qos = {"qos": "high"} if where == "qos" else {}
    c = cluster(book(**{where: limits}))  # type: ignore[arg-type]
    job = b.submit(c, ntasks=2, time_limit=3600, **qos)  # type: ignore[arg-type]
    assert start_all(c) == [job]
    keys = using_up.limited(c.policy.book)
    assert list(using_up.ended(c, keys, b.T0 + 4 * MINUTE)) == []
    [event] = using_up.ended(c, keys, b.T0 + 5.1 * MINUTE)
    c.apply(event)
    assert (job.state.name, job.reason) == ("TIMEOUT", reason)
    assert list(using_up.ended(c, keys, b.T0 + 6 * MINUTE)) == [], "it is ending already"
    safe = cluster(book(**{where: limits}), accounting_enforce=[*ALL, "safe"])  # type: ignore[arg-type]
    b.submit(safe, ntasks=2, time_limit=300, **qos)  # type: ignore[arg-type]
    assert len(start_all(safe)) == 1
    assert list(using_up.ended(safe, using_up.limited(safe.policy.book), b.T0 + 60 * MINUTE)) == []


def test_a_qos_below_whose_usage_threshold_a_fair_share_is_keeps_jobs_waiting() -> None:
    c = cluster(book(flags=["EnforceUsageThreshold"], usage_threshold=0.6))
    job = b.submit(c, qos="high")
    assert plan(c, b.T0).verdicts.get(job.id) is None, "nothing was used yet"
    b.start(c, b.submit(c), at=b.T0)
    verdict = plan(c, b.T0 + 60).verdicts[job.id]
    assert verdict.reason == "QOSUsageThreshold"
    assert "0.6" in verdict.sentence and "0.500000" in verdict.sentence
    c.apply(e.UsagePeriodEnded(at=b.T0 + 60))
    assert c.policy.usage_since == b.T0 + 60
    assert plan(c, b.T0 + 60).verdicts.get(job.id) is None


@pytest.mark.parametrize("records", [
    book(flags=["NoReserve"]), book(qos={"MinPrioThreshold": {"": 5000}}), book(assoc={"MinPrioThreshold": {"": 5000}})])
def test_nothing_is_kept_for_a_job_that_may_not_reserve(records: list[PolicyRecord]) -> None:
    c = cluster(records, nodes=1)
    b.start(c, b.submit(c, ntasks=2, time_limit=600))
    large = b.submit(c, ntasks=next(iter(c.nodes.values())).cpus, qos="high", time_limit=600)
    small = b.submit(c, ntasks=1, by=b.BOB, time_limit=86400)
    found = plan(c, b.T0)
    assert [proposal.job for proposal in found.proposals] == [small.id], "it starts although it delays the larger one"
    assert large.id in found.verdicts and large.id not in found.forecasts
    c.apply(e.PolicyChanged(at=b.T0, records=book(), whole=True))
    assert plan(c, b.T0).proposals == []


def test_a_qos_exempts_from_the_limits_of_a_partition_that_its_flags_name() -> None:
    for flag, request, changes in (
            ("PartitionTimeLimit", {"time_limit": 7200}, {"max_time": 3600}), ("PartitionMaxNodes", {"nodes_min": 2, "nodes_max": 2}, {"max_nodes": 1}),
            ("PartitionMinNodes", {"nodes_min": 1, "nodes_max": 1}, {"min_nodes": 2})):
        for flags, starts in (([], False), ([flag], True)):
            c = cluster(book(flags=flags), enforce_part_limits="NO")
            for field, value in changes.items():
                setattr(next(iter(c.partitions.values())), field, value)
            job = b.submit(c, qos="high", **request)  # type: ignore[arg-type]
            assert (start_all(c) == [job]) is starts, flag


def test_limits_of_a_relative_qos_are_percent_of_the_cluster_or_of_the_partition_whose_qos_it_is() -> None:
    c = cluster(book(qos={"GrpTRES": {"cpu": 50}}, flags=["Relative"]), nodes=2)
    total = sum(node.cpus for node in c.nodes.values())
    fits, over = b.submit(c, ntasks=total // 2, qos="high"), b.submit(c, ntasks=1, qos="high")
    assert start_all(c) == [fits]
    assert f"cpu={total // 2}" in plan(c, b.T0).verdicts[over.id].sentence


def test_the_qos_of_a_partition_limits_its_jobs_before_their_own_unless_that_goes_over_it() -> None:
    for flags, starts in (([], False), (["OverPartQOS"], True)):
        strict = Qos(id=7, name="strict", limits={"MaxTRESPerJob": {"cpu": 1}})
        c = cluster([*book(flags=flags, qos={"MaxTRESPerJob": {"cpu": 4}}), strict])
        next(iter(c.partitions.values())).qos = "strict"
        job = b.submit(c, qos="high", ntasks=2)
        assert (start_all(c) == [job]) is starts
        if not starts:
            assert plan(c, b.T0).verdicts[job.id].reason == "QOSMaxCpuPerJobLimit"


def test_a_partition_that_is_changed_keeps_accounts_and_qos_out_that_it_does_not_allow_and_lets_them_in_again() -> None:
    for changes, reason in (({"allow_accounts": "other"}, "AccountNotAllowed"), ({"deny_accounts": "Research"}, "AccountNotAllowed"),
                            ({"allow_qos": "normal"}, "QOSNotAllowed"), ({"deny_qos": "high,x"}, "QOSNotAllowed")):
        c = cluster(book())
        job = b.submit(c, qos="high")
        partition = next(iter(c.partitions.values()))
        before = {field: getattr(partition, field) for field in changes}
        for field, value in changes.items():
            setattr(partition, field, value)
        assert plan(c, b.T0).verdicts[job.id].reason == reason
        with pytest.raises(SlurmError) as refused:
            b.submit(c, qos="high")
        assert next(iter(changes)).replace("_", "") in str(refused.value.hints).lower()
        for field, value in before.items():
            setattr(partition, field, value)
        assert start_all(c) == [job]


def test_with_the_flag_usage_factor_safe_the_factor_counts_ahead() -> None:
    for flags, starts in (([], True), (["UsageFactorSafe"], False)):
        c = cluster(book(account={"GrpTRESMins": {"cpu": 10}}, flags=flags, usage_factor=2.0), accounting_enforce=[*ALL, "safe"])
        job = b.submit(c, qos="high", time_limit=600)
        assert (start_all(c) == [job]) is starts


def test_a_limit_factor_scales_what_associations_may_hold() -> None:
    c = cluster(book(account={"GrpTRES": {"cpu": 2}}, limit_factor=2.0))
    job = b.submit(c, qos="high", ntasks=4)
    assert b.submit(c, ntasks=4).id in plan(c, b.T0).verdicts
    assert start_all(c) == [job]
