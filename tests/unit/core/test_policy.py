"""Limits of associations and QOS: what is refused, what waits and why, and what lets it go on."""

from __future__ import annotations

import msgspec
import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.records import job_record
from slurm.core.update import update_job
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.errors import SlurmError
from slurm.model.job import Job
from slurm.model.policy import Account, Association, Limits, PolicyRecord, Qos, UsageReset, Wckey
from slurm.sched import explain
from slurm.sched.plan import plan
from slurm.testing import builders as b

ALL = ["associations", "limits", "qos"]
MINUTE = 60.0


def book(assoc: Limits | None = None, account: Limits | None = None, qos: Limits | None = None, flags: list[str] | None = None,
         **of_qos: object) -> list[PolicyRecord]:
    """alice and bob in research below root; QOS normal for all, high with these limits."""
    return [
        Account(name="root"), Account(name="research"), Qos(id=1, name="normal"),
        Qos(id=2, name="high", limits=qos or {}, flags=flags or [], **of_qos),  # type: ignore[arg-type]
        Association(id=1, cluster="c", account="root", qos=["normal", "high"]),
        Association(id=2, cluster="c", account="research", parent=1, limits=account or {}),
        Association(id=3, cluster="c", account="research", user="alice", parent=2, is_default=True, limits=assoc or {}),
        Association(id=4, cluster="c", account="research", user="bob", parent=2, is_default=True)]


def cluster(records: list[PolicyRecord], **settings: object) -> Cluster:
    c = b.cluster(**{"accounting_enforce": ALL} | settings)  # type: ignore[arg-type]
    c.apply(e.PolicyChanged(at=b.T0, records=records, whole=True))
    return c


def start_all(c: Cluster, at: float = b.T0) -> list[Job]:
    begun = []
    for proposal in plan(c, at).proposals:
        event = c.starting(proposal.job, proposal.task, proposal.allocation, at)
        assert event is not None, "the check of a proposal refuses what the planner proposed"
        c.apply(event)
        begun.append(c.jobs[event.started or event.job])
    return begun


ALONE = ("MaxWallDurationPerJob", "MaxTRESPerJob", "MaxTRESPerNode", "MaxTRESMinsPerJob", "MinTRESPerJob")


@pytest.mark.parametrize(("where", "limits", "request_", "reason"), [
    ("assoc", {"MaxJobs": {"": 1}}, {}, "AssocMaxJobsLimit"),
    ("assoc", {"GrpJobs": {"": 1}}, {}, "AssocGrpJobsLimit"),
    ("account", {"GrpJobs": {"": 1}}, {}, "AssocGrpJobsLimit"),
    ("account", {"MaxJobs": {"": 1}}, {}, "AssocMaxJobsLimit"),
    ("account", {"GrpTRES": {"cpu": 3}}, {"ntasks": 2}, "AssocGrpCpuLimit"),
    ("account", {"GrpTRES": {"mem": 1500}}, {"mem_per_node": 1000}, "AssocGrpMemLimit"),
    ("account", {"GrpTRES": {"node": 1}}, {}, "AssocGrpNodeLimit"),
    ("account", {"GrpTRES": {"gres/gpu": 1}}, {"gres": "gpu:1"}, "AssocGrpGRES"),
    ("account", {"GrpTRESRunMins": {"cpu": 15}}, {"time_limit": 600}, "AssocGrpCPURunMinutesLimit"),
    ("qos", {"GrpJobs": {"": 1}}, {}, "QOSGrpJobsLimit"),
    ("qos", {"GrpTRES": {"cpu": 3}}, {"ntasks": 2}, "QOSGrpCpuLimit"),
    ("qos", {"MaxJobsPerUser": {"": 1}}, {}, "QOSMaxJobsPerUserLimit"),
    ("qos", {"MaxJobsPerAccount": {"": 1}}, {}, "MaxJobsPerAccount"),
    ("qos", {"MaxTRESPerUser": {"cpu": 3}}, {"ntasks": 2}, "QOSMaxCpuPerUserLimit"),
    ("qos", {"MaxTRESPerAccount": {"node": 1}}, {}, "MaxNodePerAccount"),
    ("qos", {"MaxTRESPerUser": {"gres/gpu": 1}}, {"gres": "gpu:1"}, "QOSMaxGRESPerUser"),
    ("qos", {"GrpTRESRunMins": {"cpu": 15}}, {"time_limit": 600}, "QOSGrpCPURunMinutesLimit"),
    ("qos", {"MaxTRESRunMinsPerUser": {"cpu": 15}}, {"time_limit": 600}, "QOSMaxCpuRunMinutesPerUser"),
])
def test_a_second_job_waits_for_a_limit_and_starts_when_the_first_has_ended(where: str, limits: Limits, request_: dict[str, object], reason: str) -> None:
    c = cluster(book(**{where: limits}), nodes=4, gpus=4)  # type: ignore[arg-type]
    qos = {"qos": "high"} if where == "qos" else {}
    first, second = (b.submit(c, **request_, **qos) for _ in range(2))  # type: ignore[arg-type]
    assert start_all(c) == [first]
    verdict = plan(c, b.T0).verdicts[second.id]
    assert verdict.reason == reason
    assert next(iter(limits)) in verdict.sentence
    assert set(verdict.cures) >= {"BatchExited", "PolicyChanged"}
    assert "sacctmgr" in " ".join(explain.explain(c, second, b.T0, refusal=verdict).cures)
    b.finish(c, first, at=b.T0 + 60)
    assert start_all(c, b.T0 + 60) == [second]


@pytest.mark.parametrize(("where", "limits", "request_", "reason"), [
    ("assoc", {"MaxWallDurationPerJob": {"": 10}}, {"time_limit": 700}, "AssocMaxWallDurationPerJobLimit"),
    ("account", {"MaxTRESPerJob": {"cpu": 2}}, {"ntasks": 3}, "AssocMaxCpuPerJobLimit"),
    ("account", {"MaxTRESPerJob": {"node": 1}}, {"nodes_min": 2, "nodes_max": 2}, "AssocMaxNodePerJobLimit"),
    ("account", {"MaxTRESPerNode": {"cpu": 2}}, {"ntasks": 3, "nodes_min": 1, "nodes_max": 1}, "AssocMaxCpuPerNode"),
    ("account", {"MaxTRESMinsPerJob": {"cpu": 10}}, {"time_limit": 660}, "AssocMaxCpuMinutesPerJobLimit"),
    ("qos", {"MaxWallDurationPerJob": {"": 10}}, {"time_limit": 700}, "QOSMaxWallDurationPerJobLimit"),
    ("qos", {"MaxTRESPerJob": {"mem": 1000}}, {"mem_per_node": 1001}, "QOSMaxMemoryPerJob"),
    ("qos", {"MaxTRESMinsPerJob": {"cpu": 10}}, {"time_limit": 660}, "QOSMaxCpuMinutesPerJobLimit"),
    ("qos", {"MinTRESPerJob": {"cpu": 4}}, {"ntasks": 3}, "QOSMinCpuNotSatisfied"),
])
def test_a_job_that_is_too_much_for_a_limit_by_itself_waits_or_is_refused(where: str, limits: Limits, request_: dict[str, object], reason: str) -> None:
    records = book(**{where: limits})  # type: ignore[arg-type]
    c = cluster(records)
    qos = {"qos": "high"} if where == "qos" else {}
    job = b.submit(c, **request_, **qos)  # type: ignore[arg-type]
    verdict = plan(c, b.T0).verdicts[job.id]
    assert (verdict.reason, "BatchExited" in verdict.cures) == (reason, False)
    c.apply(e.PolicyChanged(at=b.T0, records=book(), whole=True))
    assert start_all(c) == [job]
    strict = [msgspec.structs.replace(one, flags=["DenyOnLimit"]) if isinstance(one, Qos) else one for one in records]
    with pytest.raises(SlurmError, match="accounting/QOS policy"):
        b.submit(cluster(strict), **request_, **qos)  # type: ignore[arg-type]


@pytest.mark.parametrize(("where", "limits"), [
    ("assoc", {"MaxSubmitJobs": {"": 4}}), ("account", {"GrpSubmitJobs": {"": 4}}), ("qos", {"GrpSubmitJobs": {"": 4}}),
    ("qos", {"MaxSubmitJobsPerUser": {"": 4}}), ("qos", {"MaxSubmitJobsPerAccount": {"": 4}})])
def test_submissions_over_a_limit_are_refused_and_tasks_of_arrays_count_one_by_one(where: str, limits: Limits) -> None:
    c = cluster(book(**{where: limits}))  # type: ignore[arg-type]
    qos = {"qos": "high"} if where == "qos" else {}
    array = b.submit(c, array="0-2", **qos)
    with pytest.raises(SlurmError, match="accounting/QOS policy") as refused:
        b.submit(c, array="0-1", **qos)
    assert "3 are there and 2 more come" in " ".join(refused.value.hints)
    b.submit(c, **qos)
    first = b.start(c, array)[0]
    with pytest.raises(SlurmError, match="accounting/QOS policy"):
        b.submit(c, **qos)
    b.finish(c, first)
    b.submit(c, **qos)


@pytest.mark.parametrize(("where", "limits", "each"), [
    ("account", {"GrpSubmitJobs": {"": 2}}, ({}, {"qos": "high"}, {})), ("account", {"GrpSubmitJobs": {"": 2}}, ({"account": "sub"}, {}, {})),
    ("assoc", {"MaxSubmitJobs": {"": 2}}, ({}, {"qos": "high"}, {})),
    ("qos", {"GrpSubmitJobs": {"": 2}}, ({"qos": "high", "account": "sub"}, {"qos": "high"}, {"qos": "high"})),
    ("qos", {"MaxSubmitJobsPerUser": {"": 2}}, ({"qos": "high", "account": "sub"}, {"qos": "high"}, {"qos": "high"}))])
def test_components_count_as_jobs_under_all_that_they_have_in_common(where: str, limits: Limits, each: tuple[dict[str, object], ...]) -> None:
    below = [
        Account(name="sub"), Association(id=5, cluster="c", account="sub", parent=2),
        Association(id=6, cluster="c", account="sub", user="alice", parent=5)]
    c = cluster([*book(**{where: limits}), *below])  # type: ignore[arg-type]
    with pytest.raises(SlurmError, match="accounting/QOS policy") as refused:
        b.submit_het(c, *each)
    assert "2 are there and 1 more come" in " ".join(refused.value.hints)
    assert len(b.submit_het(c, *each[:2])) == 2


def test_what_a_qos_limits_counts_before_what_the_association_says() -> None:
    c = cluster(book(assoc={"MaxWallDurationPerJob": {"": 10}}, qos={"MaxWallDurationPerJob": {"": 100}}))
    assert start_all(c) == []
    job = b.submit(c, qos="high", time_limit=6000)
    assert start_all(c) == [job]


def test_groups_of_accounts_count_all_below_them() -> None:
    c = cluster(book(account={"GrpJobs": {"": 1}}))
    first, other = b.submit(c), b.submit(c, by=b.BOB)
    assert start_all(c) == [first]
    assert plan(c, b.T0).verdicts[other.id].reason == "AssocGrpJobsLimit"


def test_used_minutes_count_while_jobs_run_and_decay() -> None:
    c = cluster(book(account={"GrpTRESMins": {"cpu": 10}}), priority_decay_half_life=3600)
    first, second = b.submit(c, ntasks=2, time_limit=36000), b.submit(c, time_limit=60)
    assert len(start_all(c)) == 2
    third = b.submit(c, time_limit=60)
    c.apply(e.TimedOut(at=b.T0 + 1, job=second.id, attempt=1))
    soon, later = b.T0 + 2 * MINUTE, b.T0 + 8 * MINUTE
    assert plan(c, soon).verdicts.get(third.id) is None
    assert plan(c, later).verdicts[third.id].reason == "AssocGrpCPUMinutesLimit"
    b.finish(c, first, at=later)
    assert plan(c, later).verdicts[third.id].reason == "AssocGrpCPUMinutesLimit"
    assert plan(c, later + 7200).verdicts.get(third.id) is None, "after two half-lives a quarter is left"
    c.apply(e.PolicyChanged(at=later, resets=[UsageReset(association=2)]))
    assert plan(c, later).verdicts.get(third.id) is None


def test_with_safe_only_what_can_run_to_its_end_within_the_minutes_starts() -> None:
    c = cluster(book(account={"GrpTRESMins": {"cpu": 10}}), accounting_enforce=[*ALL, "safe"])
    small, large = b.submit(c, time_limit=600), b.submit(c, time_limit=660)
    assert start_all(c) == [small]
    assert plan(c, b.T0).verdicts[large.id].reason == "AssocGrpCPUMinutesLimit"


@pytest.mark.parametrize(("asked", "words"), [
    ({"account": "nosuch"}, "account/partition combination"), ({"qos": "nosuch"}, "Invalid qos"), ({"qos": "secret"}, "Invalid qos")])
def test_nobody_uses_an_account_or_qos_that_is_not_his(asked: dict[str, object], words: str) -> None:
    c = cluster([*book(), Qos(id=9, name="secret")])
    with pytest.raises(SlurmError, match=words) as refused:
        b.submit(c, **asked)  # type: ignore[arg-type]
    assert "research" in str(refused.value.hints) or "normal" in str(refused.value.hints)
    assert b.submit(c).request.account == "research", "the default account"
    assert b.submit(c, account="Research", qos="high").association == 3


def test_a_job_whose_account_or_qos_is_taken_away_waits_until_it_is_back() -> None:
    c = cluster(book())
    job = b.submit(c, qos="high")
    without = [one for one in book() if not (isinstance(one, Association) and one.user == "alice")]
    c.apply(e.PolicyChanged(at=b.T0, records=without, whole=True))
    assert plan(c, b.T0).verdicts[job.id].reason == "InvalidAccount"
    c.apply(e.PolicyChanged(at=b.T0, records=[*book(), Association(id=1, cluster="c", account="root", qos=["normal"])], whole=True))
    assert plan(c, b.T0).verdicts[job.id].reason == "InvalidQOS"
    c.apply(e.PolicyChanged(at=b.T0, records=book(), whole=True))
    assert start_all(c) == [job]


WCKEYS = [Wckey(id=1, name="red", user="alice", cluster="c", is_default=True), Wckey(id=2, name="blue", user="alice", cluster="c")]


def test_a_job_has_its_users_default_wckey_and_where_they_are_enforced_one_of_his_own() -> None:
    tracked = cluster([*book(), *WCKEYS], track_wckey=True)
    assert [b.submit(tracked, wckey=name).request.wckey for name in ("", "blue", "other")] == ["*red", "blue", "other"]
    assert b.submit(cluster([*book(), *WCKEYS]), wckey="").request.wckey == "", "nobody tracks them"
    c = cluster([*book(), *WCKEYS], track_wckey=True, accounting_enforce=["associations", "wckeys"])
    for name, hint in (("gren", "wckeys of alice: blue, red"), ("rd", "did you mean \"red\"?")):
        with pytest.raises(SlurmError, match="Invalid wckey specification") as refused:
            b.submit(c, wckey=name)
        assert hint in refused.value.hints
    job = b.submit(c, wckey="Blue")
    with pytest.raises(SlurmError, match="Invalid wckey specification"):
        update_job(c, str(job.id), {"WCKey": "green"}, b.ROOT, b.T0)
    for event in update_job(c, str(job.id), {"WCKey": "red"}, b.ROOT, b.T0):
        c.apply(event)
    assert c.jobs[job.id].request.wckey == "red"
    assert job_record(c, c.jobs[job.id]).wckey_id == 1
    c.apply(e.PolicyChanged(at=b.T0, records=[Wckey(id=1, name="red", user="alice", cluster="c", deleted=True)]))
    assert plan(c, b.T0).verdicts[job.id].reason == "InvalidWCKey"
    c.apply(e.PolicyChanged(at=b.T0, records=[WCKEYS[0]]))
    assert start_all(c) == [c.jobs[job.id]]


def test_who_has_no_wckey_reads_how_to_get_one() -> None:
    c = cluster(book(), track_wckey=True, accounting_enforce=["associations", "wckeys"])
    with pytest.raises(SlurmError, match="Invalid wckey specification") as refused:
        b.submit(c)
    assert "sacctmgr add user alice wckey=NAME" in refused.value.hints[0]


def test_a_whole_policy_in_parts_holds_at_once_with_its_last_part() -> None:
    c = cluster(book())
    records = book(assoc={"MaxJobs": {"": 7}})
    c.apply(e.PolicyChanged(at=b.T0, records=records[:4], staged=True))
    assert c.policy.book.standing(3).limits == {}
    c.apply(e.PolicyChanged(at=b.T0, records=records[4:], whole=True))
    assert c.policy.book.standing(3).limits == {"MaxJobs": {"": 7}}


def test_a_restart_knows_policy_counts_and_usage_to_the_last_bit() -> None:
    c = cluster(book(account={"GrpTRES": {"cpu": 3}}, qos={"MaxJobsPerUser": {"": 1}}, usage_factor=1.5), priority_decay_half_life=1234)
    b.submit(c, ntasks=2, qos="high")
    b.submit(c, array="0-5")
    start_all(c)
    again = restored(rows.whole(c).values(), Reader({}))
    assert again is not None
    later = b.T0 + 777.7
    for key in c.policy.tally.counted():
        one, other = c.policy.tally.of(key), again.policy.tally.of(key)
        assert (one.submitted, one.running, one.tres) == (other.submitted, other.running, other.tres)
    for key, counters in c.policy.usage.counters.items():
        for name in counters:
            assert c.policy.usage.of(key, name, later) == again.policy.usage.of(key, name, later)
    assert sorted(map(repr, c.policy.book.records())) == sorted(map(repr, again.policy.book.records()))
