"""What `slurm explain` says of waiting jobs is true: goldens of field cases T, U and V, and of what a node lacks and who holds it."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.ids import NodeName, Uid
from slurm.model.job import Job
from slurm.notation import moment
from slurm.render.explanation import lines
from slurm.sched.explain import explain, most_telling
from slurm.sched.plan import plan
from slurm.sched.queue import Queue
from slurm.testing import builders as b

UNTIL = moment.show(b.T0 + 600)


def told(c: Cluster, job: Job, at: float = b.T0) -> list[str]:
    """What is said of a job after a full pass."""
    queue = Queue()
    found = plan(c, at, queue=queue)
    return lines(explain(c, job, at, refusal=found.verdicts.get(job.id), forecast=found.forecasts.get(job.id), queue=queue.first(c, at)))


def element(c: Cluster, array: Job, task: int, *, code: int | None = 0) -> Job:
    """An element that ran; with `code` None it still does."""
    job, _ = b.start(c, array, "cn01", task=task)
    if code is not None:
        b.finish(c, job, code)
    return job


def test_t_the_element_that_failed_is_named_and_nothing_that_is_over_is_to_be_cancelled() -> None:
    c = b.cluster(2)
    array = b.submit(c, array="0-2", name="sweep")
    for task, code in ((0, 0), (1, 3), (2, 0)):
        element(c, array, task, code=code)
    after = b.submit(c, name="post", dependency=f"afterok:{array.id}")
    assert told(c, after) == [
        f"Job {after.id} (post, alice) is PENDING: a job that it depends on ended in a way that it does not accept (DependencyNeverSatisfied)",
        "  afterok:1: failed",
        "  job 1_1 (sweep, alice), FAILED",
        "It can start when its dependency is changed (scontrol update dependency=): as it is it never will"]


def test_t_the_elements_that_are_waited_for_are_those_that_are_not_over() -> None:
    c = b.cluster(2)
    array = b.submit(c, array="0-2", name="sweep", time_limit=600)
    element(c, array, 0)
    element(c, array, 1, code=None)
    after = b.submit(c, name="post", dependency=f"afterok:{array.id}")
    assert told(c, after)[2:4] == [f"  job 1_1 (sweep, alice), RUNNING on cn01, until {UNTIL} at the latest", "  job 1_[2] (sweep, alice), PENDING"]
    one = b.submit(c, name="one", dependency=f"afterok:{array.id}_2")
    assert told(c, one)[2] == "  job 1_[2] (sweep, alice), PENDING"


def test_t_of_an_array_the_element_that_waits_is_explained() -> None:
    c = b.cluster(2)
    array = b.submit(c, array="0-1", name="sweep", requeue=True)
    first, last = element(c, array, 0, code=None), element(c, array, 1, code=None)
    assert most_telling(c.tasks_of(array.id)).id in (first.id, last.id)
    b.finish(c, last, 1)
    assert most_telling(c.tasks_of(array.id)) is first
    b.finish(c, first, 0)
    assert most_telling(c.tasks_of(array.id)) is last, "the one that failed"
    again = b.submit(c, array="0-5%1")
    element(c, again, 0, code=None)
    assert most_telling(c.tasks_of(again.id)).array_part is not None


def gpus(c: Cluster) -> tuple[Job, Job]:
    """cn04's GPUs are held, a job waits for all CPUs of the others, and behind it one for a GPU."""
    for name in ("cn01", "cn02", "cn03"):
        b.start(c, b.submit(c, name="fill", ntasks=8, time_limit=600), name, cpus=8)
    b.start(c, b.submit(c, name="train", gres="gpu:2", time_limit=600), "cn04", gpus=2)
    head = b.submit(c, name="head", nodes_min=3, exclusive="node", features="intel", time_limit=300)
    return head, b.submit(c, name="tune", gres="gpu:1", time_limit=300)


def test_u_who_waits_for_a_device_on_another_node_is_told_of_the_device_and_who_has_it() -> None:
    c = b.lab_cluster()
    _, job = gpus(c)
    said = told(c, job)
    assert said[0] == (f"Job {job.id} (tune, alice) is PENDING: not enough is free for it on the nodes that suit it, and jobs of higher priority wait for this partition "
                       "(Priority)")
    assert f"  cn04: 0 of 2 gpus free, held by job 4 until {UNTIL}" in said
    assert any(line.startswith("It can start when") and "a job that runs there ends" in line for line in said)


def test_u_who_would_fit_is_told_so_and_where() -> None:
    c = b.lab_cluster()
    head, _ = gpus(c)
    job = b.submit(c, name="small", ntasks=4, nodelist="cn01", time_limit=3000)
    said = told(c, job)
    assert said[0] == (f"Job {job.id} (small, alice) is PENDING: it would fit now on cn01, but jobs of higher priority wait for this partition and it would keep something "
                       "from them (Priority)")
    assert any(f"the next one is job {head.id} (head, alice)" in line for line in said)


def test_v_a_node_whose_cpus_are_all_held_and_that_drains_is_allocated_and_draining() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, ntasks=16, time_limit=600), "cn04", cpus=16)
    c.apply(e.NodeUpdated(at=b.T0, node=NodeName("cn04"), by=Uid(0), state="drain", reason="bad dimm"))
    job = b.submit(c, name="amd", features="amd")
    assert "  cn04: allocated, draining: bad dimm" in told(c, job)


def test_v_nodes_that_the_job_itself_leaves_out_are_not_told() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, ntasks=16, time_limit=600), "cn01", cpus=16)
    job = b.submit(c, nodelist="cn01", nodes_min=1, nodes_max=1)
    assert told(c, job)[1:] == [
        f"  cn01: 0 of 16 CPUs free, held by job 1 until {UNTIL}", "It can start when a job that runs there ends",
        f"It is expected to start in 10:00, at {UNTIL}, on cn01, after", f"  job 1 (job, alice), RUNNING on cn01, until {UNTIL} at the latest"]


def test_v_who_names_a_node_that_is_held_is_not_told_of_room_on_others() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, ntasks=16, time_limit=600), "cn01", cpus=16)
    job = b.submit(c, nodelist="cn01")
    said = told(c, job)
    assert f"  cn01: 0 of 16 CPUs free, held by job 1 until {UNTIL}" in said
    assert not any("has room for it" in line for line in said)


@pytest.mark.parametrize(("holds", "wants", "text"), [
    ({"mem_per_node": 60000}, {"mem_per_node": 8000}, "4000 of 64000 MB free, held by job 1 until {}"),
    ({"ntasks": 14}, {"ntasks": 4}, "room for 2 of its 4 tasks, held otherwise, held by job 1 until {}"),
    ({"ntasks": 14}, {"cpus_per_task": 4}, "2 of 16 CPUs free, held by job 1 until {}"),
    ({}, {"exclusive": "node"}, "it is not empty, held by job 1 until {}"),
])
def test_what_a_node_lacks_is_told_with_who_holds_it(holds: dict[str, object], wants: dict[str, object], text: str) -> None:
    c = b.cluster(1)
    first = b.submit(c, **({"time_limit": 600} | holds))
    b.start(c, first, "cn01", cpus=int(str(holds.get("ntasks", 1))), memory=int(str(holds.get("mem_per_node", 0))))
    assert told(c, b.submit(c, **wants))[1] == "  cn01: " + text.format(UNTIL)


def test_who_waits_for_licences_is_told_who_has_them_and_when_they_come_back() -> None:
    c = b.cluster(2, licenses={"matlab": 4})
    b.submit(c, name="solve", licenses="matlab:3", time_limit=600)
    [proposal] = plan(c, b.T0).proposals
    event = c.starting(proposal.job, None, proposal.allocation, b.T0)
    assert event is not None
    c.apply(event)
    said = told(c, b.submit(c, name="next", licenses="matlab:2"))
    assert said[:2] == ["Job 2 (next, alice) is PENDING: too few of the licences that it asks for are free (matlab:2) (Licenses)",
                        f"  matlab: 3 of 4 in use, held by job 1 until {UNTIL}"]
    assert any(line.startswith(f"It is expected to start in 10:00, at {UNTIL}") for line in said)


def test_estimates_stay_while_nothing_changes() -> None:
    c = b.cluster(1, backfill_resolution=60)
    b.start(c, b.submit(c, ntasks=16, time_limit=600), "cn01", cpus=16)
    waiting = [b.submit(c, ntasks=16, time_limit=600).id for _ in range(4)]
    first = {job: found.start for job, found in plan(c, b.T0).forecasts.items()}
    assert sorted(first) == waiting
    for seconds in (1, 59, 300, 599):
        assert {job: found.start for job, found in plan(c, b.T0 + seconds).forecasts.items()} == first


def test_evidence_names_no_job_that_the_asker_may_not_know_of() -> None:
    c = b.cluster(1)
    b.start(c, b.submit(c, ntasks=16, time_limit=600, by=b.BOB), "cn01", cpus=16)
    job = b.submit(c, ntasks=4)
    found = explain(c, job, b.T0, refusal=plan(c, b.T0).verdicts[job.id], sees=lambda other: other.owner.uid == job.owner.uid)
    assert found.evidence == [("cn01", f"0 of 16 CPUs free, held by another job until {UNTIL}")]
