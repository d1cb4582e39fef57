"""What is said of a waiting job."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.explanation import Explanation
from slurm.model.job import Job
from slurm.notation import moment
from slurm.render.explanation import lines
from slurm.sched.explain import EVENTS, explain
from slurm.sched.plan import plan
from slurm.sched.queue import Queue
from slurm.testing import builders as b


def explained(c: Cluster, job: Job) -> Explanation:
    """The job after one full pass."""
    queue = Queue()
    outcome = plan(c, b.T0, queue=queue)
    return explain(c, job, b.T0, refusal=outcome.verdicts.get(job.id), forecast=outcome.forecasts.get(job.id), queue=queue.first(c, b.T0))


def test_the_next_job_is_explained_with_evidence_cure_start_and_who_has_to_leave() -> None:
    c = b.cluster(1)
    b.start(c, b.submit(c, ntasks=16, time_limit=600), "cn01", cpus=16)
    found = explained(c, b.submit(c, ntasks=4))
    assert (found.reason, found.sentence) == ("Resources", "not enough is free on the nodes that suit it")
    assert found.evidence == [("cn01", f"0 of 16 CPUs free, held by job 1 until {moment.show(b.T0 + 600)}")]
    assert found.cures == ["a job that runs there ends"]
    assert (found.start, found.nodes, [one.job for one in found.holders]) == (b.T0 + 600, "cn01", ["1"])
    assert lines(found)[-2].startswith("It is expected to start in 10:00, at ") and lines(found)[-2].endswith(" on cn01, after")
    assert lines(found)[-1].startswith("  job 1 (") and lines(found)[-1].endswith(" at the latest")


def test_those_behind_it_are_told_how_many_are_before_them_and_which_is_next() -> None:
    c = b.lab_cluster()
    for name in ("cn01", "cn02", "cn03"):
        b.start(c, b.submit(c, partition="batch", time_limit=600), name, cpus=16)
    waiting = [b.submit(c, partition="batch", ntasks=4) for _ in range(3)]
    b.submit(c, partition="gpu", hold=True)
    found = explained(c, waiting[2])
    assert found.reason == "Priority" and found.before == 2 and found.first is not None and found.first.job == str(waiting[0].id)
    assert any(line.startswith("2 jobs are before it in partition batch; the next one is job 4 ") for line in lines(found))


def test_no_start_is_promised_behind_jobs_without_a_time_limit() -> None:
    c = b.cluster(1)
    b.start(c, b.submit(c, ntasks=16, time_limit=-1), "cn01", cpus=16)
    found = explained(c, b.submit(c, ntasks=4))
    assert found.start == 0 and [one.job for one in found.holders] == ["1"]
    assert lines(found)[-2:] == ["When it will start cannot be told: these jobs have no time limit", f"  {lines(found)[-1].strip()}"]


def test_what_keeps_it_from_being_looked_at_is_known_without_a_pass() -> None:
    c = b.cluster(1)
    first = b.submit(c, hold=True)
    second = b.submit(c, dependency=f"afterok:{first.id}")
    assert explain(c, first, b.T0).reason == "JobHeldUser" and explain(c, first, b.T0).cures == [EVENTS["Released"]]
    found = explain(c, second, b.T0)
    assert found.reason == "Dependency" and [(one.job, one.state) for one in found.waits_for] == [("1", "PENDING")]
    assert lines(found)[-1] == "It can start when those have started or ended as it asks"
    assert f"  job 1 ({first.request.name}, {first.owner.user}), PENDING" in lines(found)


def test_nodes_that_do_not_come_into_question_are_told_by_reason() -> None:
    c = b.lab_cluster()
    c.apply(e.NodeUpdated(at=b.T0, node=b.NodeName("cn04"), by=b.Uid(0), state="drain", reason="bad dimm"))
    found = explained(c, b.submit(c, features="amd"))
    assert found.evidence == [("cn04", "idle, drained: bad dimm")], "once is enough"
    assert found.unsuited == [("cn[01-03]", "its features intel,ib do not satisfy amd")]
    assert {"  cn[01-03]: its features intel,ib do not satisfy amd", "  cn04: idle, drained: bad dimm"} <= set(lines(found))


def test_nodes_are_counted_by_what_refuses_them_when_there_are_more_than_can_be_told_one_by_one() -> None:
    c = b.cluster(30)
    b.start(c, b.submit(c, exclusive="node", nodes_min=20, time_limit=600), *(f"cn{i:02d}" for i in range(1, 21)), cpus=16)
    for name in ("cn29", "cn30"):
        c.apply(e.NodeUpdated(at=b.T0, node=b.NodeName(name), by=b.Uid(0), state="drain", reason="bad dimm"))
    found = explained(c, b.submit(c, nodes_min=16, exclusive="node"))
    assert found.refused == [("idle, drained: bad dimm", 2), ("not empty", 20)] and found.partition_nodes == 30
    assert "Of the 30 nodes of partition debug 2 are refused: idle, drained: bad dimm; 20 are refused: not empty" in lines(found)


def test_a_job_that_was_not_looked_at_is_said_to_be_so() -> None:
    c = b.cluster(1)
    assert lines(explain(c, b.submit(c, name="new"), b.T0))[0].endswith("is PENDING: the scheduler has not looked at it yet")


def test_a_job_that_does_not_wait_has_only_its_place_and_end() -> None:
    c = b.cluster(1)
    job = b.submit(c, ntasks=4, time_limit=600)
    b.start(c, job, "cn01", cpus=4)
    [line] = lines(explain(c, job, b.T0))
    assert "is RUNNING: it has had cn01 since " in line and line.endswith(" at the latest")


def test_every_cure_that_a_verdict_names_is_explained() -> None:
    c = b.lab_cluster()
    for request in ({"hold": True}, {"begin": b.T0 + 60}, {"nodes_min": 5}, {"array": "0-3%1"}, {"dependency": "singleton"}, {"ntasks": 64}, {}):
        b.submit(c, time_limit=60, **request)
    c.nodes[b.NodeName("cn03")].drain = True
    b.submit(c, nodelist="cn03")
    verdicts = plan(c, b.T0).verdicts.values()
    assert len(verdicts) >= 6
    assert {cure for verdict in verdicts for cure in verdict.cures} <= EVENTS.keys()


def test_an_expected_start_does_not_move_while_nothing_happens() -> None:
    for resolution in (1, 60, 600):
        c = b.cluster(2, backfill_resolution=resolution)
        for name in ("cn01", "cn02"):
            b.start(c, b.submit(c, ntasks=16, time_limit=3600 if name == "cn01" else 7000), name, cpus=16)
        for number in range(6):
            b.submit(c, ntasks=(8, 16, 32)[number % 3], time_limit=1800)
        first = {job: forecast.start for job, forecast in plan(c, b.T0).forecasts.items()}
        assert len(first) == 6
        for later in (7, 30, 61, 599, 1801):
            assert {job: forecast.start for job, forecast in plan(c, b.T0 + later).forecasts.items()} == first
