"""No limit is exceeded at any instant, whatever trees, limits and jobs there are; and everybody starts when nothing is in the way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slurm.core import events as e
from slurm.core import tres
from slurm.core.cluster import Cluster
from slurm.model.policy import Association, Limits, PolicyRecord, Qos
from slurm.sched.plan import plan
from slurm.testing import builders as b

amounts = st.integers(0, 6)
assoc_limits = st.dictionaries(st.sampled_from(["GrpJobs", "MaxJobs"]), st.fixed_dictionaries({"": amounts}), max_size=2)
grp_tres = st.dictionaries(st.just("GrpTRES"), st.dictionaries(st.sampled_from(["cpu", "node", "mem"]), st.sampled_from([1, 2, 4, 8, 2000]), max_size=2), max_size=1)
qos_limits = st.dictionaries(st.sampled_from(["GrpJobs", "MaxJobsPerUser", "MaxJobsPerAccount"]), st.fixed_dictionaries({"": amounts}), max_size=3)
per_user = st.dictionaries(st.just("MaxTRESPerUser"), st.fixed_dictionaries({"cpu": st.integers(1, 8)}), max_size=1)
PEOPLE = {"alice": b.ALICE, "bob": b.BOB}


@st.composite
def policies(draw: st.DrawFn) -> list[PolicyRecord]:
    """A random tree of three accounts, with alice and bob in two of them each, and two QOS."""
    def limits() -> Limits:
        return draw(assoc_limits) | draw(grp_tres)

    parents = [1, draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2, 3]))]
    records: list[PolicyRecord] = [Association(id=1, cluster="c", account="root", qos=["normal", "high"])]
    records += [Association(id=2 + place, cluster="c", account=f"a{place}", parent=parent, limits=limits()) for place, parent in enumerate(parents)]
    records += [Association(id=10 + 3 * one + place, cluster="c", account=f"a{place}", user=name, parent=2 + place, limits=limits())
                for one, name in enumerate(PEOPLE) for place in range(3)]
    records += [Qos(id=1, name="normal", limits=draw(qos_limits) | draw(per_user)),
                Qos(id=2, name="high", limits=draw(qos_limits) | draw(per_user), flags=draw(st.sampled_from([[], ["OverPartQOS"]])))]
    return records


jobs = st.tuples(st.sampled_from(list(PEOPLE)), st.integers(0, 2), st.sampled_from(["normal", "high"]), st.integers(1, 4), st.booleans())


@settings(max_examples=60, deadline=None)
@given(policies(), st.lists(jobs, min_size=1, max_size=14), st.data())
def test_no_limit_is_exceeded_at_any_instant_and_nobody_is_forgotten(records: list[PolicyRecord], wanted: list[tuple[str, int, str, int, bool]], data: st.DataObject) -> None:
    c = b.cluster(nodes=3, cpus=8, accounting_enforce=["associations", "limits", "qos"])
    c.apply(e.PolicyChanged(at=b.T0, records=records, whole=True))
    for user, account, qos, ntasks, array in wanted:
        b.submit(c, by=PEOPLE[user], account=f"a{account}", qos=qos, ntasks=ntasks, array="0-2" if array else "")
    at = b.T0
    while True:
        outcome = plan(c, at)
        for proposal in outcome.proposals:
            event = c.starting(proposal.job, proposal.task, proposal.allocation, at)
            assert event is not None, "a pass by itself would exceed a limit"
            c.apply(event)
            _nothing_is_exceeded(c)
        running = list(c.active.values())
        if not running:
            break
        at += 1
        b.finish(c, data.draw(st.sampled_from(running)), at=at)
    for job in c.pending.values():
        verdict = plan(c, at).verdicts[job.id]
        assert c.active or verdict.reason.startswith(("Assoc", "QOS", "Max")), verdict


def _nothing_is_exceeded(c: Cluster) -> None:
    """Counted anew from the running jobs, not from the tally."""
    book = c.policy.book
    for one in book.associations.values():
        below = [job for job in c.active.values() if one.id in book.standing(job.association).lineage]
        own = [job for job in c.active.values() if job.association == one.id]
        qos_sets_jobs = {name for name, qos in book.qos.items() if "GrpJobs" in qos.limits}
        qos_sets_own = {name for name, qos in book.qos.items() if "MaxJobsPerUser" in qos.limits}
        most = one.limits.get("GrpJobs", {}).get("")
        if most is not None and not any(job.request.qos in qos_sets_jobs for job in below):
            assert len(below) <= most
        most = book.standing(one.id).limits.get("MaxJobs", {}).get("") if one.user else None
        if most is not None and not any(job.request.qos in qos_sets_own for job in own):
            assert len(own) <= most
        for name, limit in one.limits.get("GrpTRES", {}).items():
            assert sum(tres.held(c, job.allocation).get(name, 0) for job in below) <= limit
    for qos in book.qos.values():
        inside = [job for job in c.active.values() if job.request.qos == qos.name]
        assert len(inside) <= qos.limits.get("GrpJobs", {}).get("", 1 << 30)
        for group, key in ((lambda job: job.owner.user, "MaxJobsPerUser"), (lambda job: job.request.account, "MaxJobsPerAccount")):
            for who in {group(job) for job in inside}:
                assert sum(group(job) == who for job in inside) <= qos.limits.get(key, {}).get("", 1 << 30)
        for who in {job.owner.user for job in inside}:
            held = sum(tres.held(c, job.allocation)["cpu"] for job in inside if job.owner.user == who)
            assert held <= qos.limits.get("MaxTRESPerUser", {}).get("cpu", 1 << 30)
