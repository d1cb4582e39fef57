"""What a person is told about a waiting job."""

from __future__ import annotations

from slurm.sched.explain import EVENTS, explain
from slurm.sched.plan import plan
from slurm.testing import builders as b


def test_a_waiting_job_is_explained_with_nodes_cures_and_expected_start() -> None:
    c = b.cluster(1)
    b.start(c, b.submit(c, ntasks=16, time_limit=600), "cn01", cpus=16)
    job = b.submit(c, ntasks=4)
    outcome = plan(c, b.T0)
    lines = explain(job, outcome.verdicts[job.id], outcome.forecasts[job.id])
    assert lines[:3] == [
        "job 2 waits (Resources): not enough is free on the nodes that suit it",
        "  cn01: 0 of 16 CPUs, 64000 of 64000 MB free",
        "it can start when a job that runs there ends"]
    assert lines[3].startswith("it is expected to start at ") and lines[3].endswith(" on cn01")


def test_a_job_that_was_not_looked_at_is_said_to_be_so() -> None:
    c = b.cluster(1)
    assert explain(b.submit(c), None, None) == ["job 1 has not been looked at since it was submitted or changed"]


def test_every_cure_that_a_verdict_names_is_explained() -> None:
    c = b.lab_cluster()
    for request in ({"hold": True}, {"begin": b.T0 + 60}, {"nodes_min": 5}, {"array": "0-3%1"}, {"dependency": "singleton"}, {"ntasks": 64}, {}):
        b.submit(c, time_limit=60, **request)
    c.nodes[b.NodeName("cn03")].drain = True
    b.submit(c, nodelist="cn03")
    verdicts = plan(c, b.T0).verdicts.values()
    assert len(verdicts) >= 6
    assert {cure for verdict in verdicts for cure in verdict.cures} <= EVENTS.keys()
