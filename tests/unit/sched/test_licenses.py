"""Licences: waited for, given, given back, and planned in time."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import update
from slurm.core.cluster import Cluster
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.errors import InvalidRequest
from slurm.model.job import Job
from slurm.model.policy import Association, PolicyRecord, Qos, Resource
from slurm.sched.plan import plan, plan_one
from slurm.sched.proposal import Plan
from slurm.sched.terrain import Terrain
from slurm.testing import builders as b


def cluster(nodes: int = 4, **settings: object) -> Cluster:
    return b.cluster(nodes, licenses={"matlab": 4, "ansys": 2}, **settings)


def run(c: Cluster, found: Plan, at: float = b.T0) -> list[int]:
    """Carry out what was proposed; the jobs that were started."""
    done = []
    for proposal in found.proposals:
        event = c.starting(proposal.job, proposal.task, proposal.allocation, at)
        assert event is not None
        c.apply(event)
        done.append(proposal.job)
    return done


def passed(c: Cluster, at: float = b.T0, *, full: bool = True) -> list[int]:
    return run(c, plan(c, at) if full else plan(c, at, depth=100, backfill=False), at)


@pytest.mark.parametrize("full", [True, False])
def test_a_job_waits_for_licences_and_says_how_many_are_in_use(full: bool) -> None:
    c = cluster()
    first, second = b.submit(c, licenses="matlab:3", time_limit=600), b.submit(c, licenses="matlab:2", time_limit=600)
    assert passed(c, full=full) == [first.id]
    assert c.licenses.used == {"matlab": 3} and first.allocation is not None and first.allocation.licenses == {"matlab": 3}
    refusal = plan(c, b.T0).verdicts[second.id]
    assert (refusal.reason, refusal.evidence) == ("Licenses", (("matlab", "3 of 4 in use"),))
    b.finish(c, first, at=b.T0 + 9)
    assert c.licenses.used == {} and passed(c, b.T0 + 9, full=full) == [second.id]


def test_of_one_or_the_other_the_first_that_is_free_is_taken() -> None:
    c = cluster()
    jobs = [b.submit(c, licenses="ansys:2|matlab:2") for _ in range(4)]
    assert passed(c) == [job.id for job in jobs[:3]]
    assert [job.allocation.licenses for job in jobs[:3] if job.allocation] == [{"ansys": 2}, {"matlab": 2}, {"matlab": 2}]


@pytest.mark.parametrize("text", ["matlab:1,ansys:2", "matlab;ansys:2"])
def test_what_is_asked_for_together_is_held_together(text: str) -> None:
    c = cluster()
    job = b.submit(c, licenses=text)
    passed(c)
    assert job.allocation is not None and job.allocation.licenses == {"matlab": 1, "ansys": 2}


def test_jobs_without_licences_pass_those_that_wait_for_some() -> None:
    c = cluster()
    b.submit(c, licenses="matlab:4")
    waiting, plain = b.submit(c, licenses="matlab:1"), b.submit(c)
    for full in (True, False):
        assert [one.job for one in (plan(c, b.T0) if full else plan(c, b.T0, depth=9, backfill=False)).proposals] == [1, plain.id]
    assert waiting.id in plan(c, b.T0).verdicts


def test_a_job_that_needs_many_is_not_put_off_by_those_that_need_few() -> None:
    c = cluster()
    b.start(c, b.submit(c, time_limit=600), "cn01")
    holder = b.submit(c, licenses="matlab:2", time_limit=1000)
    assert passed(c) == [holder.id]
    many = b.submit(c, licenses="matlab:4", time_limit=100)
    short, long = b.submit(c, licenses="matlab:1", time_limit=1000), b.submit(c, licenses="matlab:1", time_limit=1001)
    found = plan(c, b.T0)
    assert found.forecasts[many.id].start == b.T0 + 1000
    assert [one.job for one in found.proposals] == [short.id]
    assert found.verdicts[long.id].reason == "Licenses"
    assert plan(c, b.T0, depth=9, backfill=False).proposals == []


def test_an_array_starts_as_many_tasks_as_there_are_licences() -> None:
    c = cluster()
    b.submit(c, array="0-9", licenses="matlab")
    found = plan(c, b.T0)
    assert len(found.proposals) == 4 and found.verdicts[next(iter(found.verdicts))].reason == "Licenses"


def test_a_job_that_would_be_submitted_is_told_when_the_licences_are_free() -> None:
    c = cluster()
    b.submit(c, licenses="matlab:4", time_limit=300)
    passed(c)
    asked = b.submit(c, licenses="matlab", time_limit=60)
    found = plan_one(Terrain(c), asked, b.T0)
    assert found is not None and found.start == b.T0 + 300


@pytest.mark.parametrize("text", ["nosuch:1", "matlab:99", "matlab:", "matlab:x", "matlab|ansys,matlab", "matlab,matlab:2", ",", "ma tlab", "matlab:-1"])
def test_licences_that_do_not_exist_or_are_too_many_are_refused_as_slurm_does(text: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid license specification"):
        b.submit(cluster(), licenses=text)


def update_to(c: Cluster, job: Job, text: str) -> None:
    for event in update.update_job(c, str(job.id), {"Licenses": text}, b.ALICE, b.T0):
        c.apply(event)


def test_the_licences_of_a_waiting_job_are_changed_and_checked() -> None:
    c = cluster()
    b.submit(c, licenses="matlab:4")
    passed(c)
    job = b.submit(c, licenses="matlab")
    with pytest.raises(InvalidRequest, match="Invalid license specification"):
        update_to(c, job, "nosuch")
    update_to(c, job, "ansys")
    assert passed(c) == [job.id] and c.licenses.used == {"matlab": 4, "ansys": 1}


def test_fewer_licences_after_a_change_of_the_configuration_are_waited_for() -> None:
    c = cluster()
    job = b.submit(c, licenses="matlab:4")
    passed(c)
    rules = b.Settings(def_mem_per_cpu=500, licenses={"matlab": 2})
    c.apply(e.Configured(at=b.T0, settings=rules, nodes=list(c.nodes.values()), partitions=list(c.partitions.values())))
    waits = b.submit(c, licenses="matlab:1")
    assert passed(c) == [] and plan(c, b.T0).verdicts[waits.id].evidence == (("matlab", "4 of 2 in use"),)
    b.finish(c, job)
    assert passed(c) == [waits.id]


def test_an_attempt_that_nobody_hears_of_keeps_its_licences() -> None:
    c = cluster(2)
    job = b.submit(c, licenses="matlab:4", requeue=True)
    [proposal] = plan(c, b.T0).proposals
    run(c, plan(c, b.T0))
    name = proposal.allocation.nodes[0]
    for event in (e.NodeSilent(at=b.T0 + 1, node=name), e.NodeLost(at=b.T0 + 2, node=name, may_run=True, together=[name])):
        c.apply(event)
    assert job.lost is not None and c.licenses.used == {"matlab": 4}
    c.apply(e.NodeFenced(at=b.T0 + 3, node=name, attempts=[(job.id, job.attempt)]))
    assert job.lost is None and c.licenses.used == {}


def remote(count: int, allowed: int, **settings: object) -> Cluster:
    """A cluster that may use so many percent of abaqus@flex, and has matlab of its own."""
    c = b.cluster(4, cluster_name="lab", licenses={"matlab": 4}, **settings)
    c.apply(e.PolicyChanged(at=b.T0, whole=True, records=[*policy(), Resource(id=1, name="abaqus", server="flex", count=count, allowed={"lab": allowed, "other": 10})]))
    return c


def policy() -> list[PolicyRecord]:
    return [Qos(id=1, name="normal"), Association(id=1, cluster="lab", account="root", qos=["normal"])]


def test_licences_of_a_server_are_those_that_the_cluster_is_allowed_of_it() -> None:
    c = remote(10, 55)
    with pytest.raises(InvalidRequest, match="Invalid license specification") as refused:
        b.submit(c, licenses="abaqus@flex:6")
    assert refused.value.hints == ("6 of abaqus@flex are asked for, there are 5",)
    first, second = b.submit(c, licenses="abaqus@flex:3"), b.submit(c, licenses="abaqus@flex:3,matlab")
    assert passed(c) == [first.id]
    refusal = plan(c, b.T0).verdicts[second.id]
    assert refusal.evidence == (("abaqus@flex", "3 of 5 in use"), ("matlab", "0 of 4 in use")) and "PolicyChanged" in refusal.cures
    c.apply(e.PolicyChanged(at=b.T0, records=[Resource(id=1, name="abaqus", server="flex", count=6, allowed={"lab": 6}, flags=["Absolute"])]))
    assert passed(c) == [second.id]


def test_what_others_use_at_the_server_beyond_their_part_is_not_given_out() -> None:
    c = remote(10, 50)

    def server_says(used: int) -> None:
        c.apply(e.PolicyChanged(at=b.T0, records=[Resource(id=1, name="abaqus", server="flex", count=10, allowed={"lab": 50}, last_consumed=used)]))

    free = [(server_says(used), c.licenses.free(c.settings, c.policy.book)["abaqus@flex"])[1] for used in (0, 5, 7, 10)]
    assert free == [5, 5, 3, 0], "5 of the 10 are others' in any case"
    waits = b.submit(c, licenses="abaqus@flex:1")
    assert passed(c) == [] and plan(c, b.T0).verdicts[waits.id].evidence == (("abaqus@flex", "0 of 5 in use, 5 at the server by others"),)
    server_says(9)
    assert passed(c) == [waits.id]


def test_a_restart_knows_the_licences_of_servers() -> None:
    c = remote(10, 50)
    again = restored(rows.whole(c).values(), Reader({}))
    assert again.licenses.totals(again.settings, again.policy.book) == {"matlab": 4, "abaqus@flex": 5}
