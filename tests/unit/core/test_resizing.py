"""scontrol update jobid= NumNodes= and ReqNodeList= of a job that runs."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import update
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Terminate
from slurm.core.invariants import assert_valid
from slurm.model.errors import SlurmError
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.testing import builders as b


def change(c: Cluster, job: Job, by: e.Caller = b.ALICE, **changes: str) -> list[Effect]:
    effects: list[Effect] = []
    for event in update.update_job(c, str(job.id), changes, by, b.T0 + 5):
        effects += c.apply(event)
    assert_valid(c)
    return effects


def refused(c: Cluster, job: Job, **changes: str) -> SlurmError:
    with pytest.raises(SlurmError) as raised:
        change(c, job, **changes)
    return raised.value


def test_a_job_keeps_its_first_nodes_and_what_runs_on_the_others_is_ended() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02", "cn03")
    effects = change(c, job, NumNodes="1")
    assert job.allocation is not None and job.allocation.nodes == ["cn01"] and job.state is JobState.RUNNING
    assert [effect.nodes for effect in effects if isinstance(effect, Terminate)] == [("cn02",), ("cn03",)]
    given = c.nodes[NodeName("cn02")]
    assert not given.cpus_used and not given.usable
    c.apply(e.NodeFreed(at=b.T0 + 6, job=job.id, attempt=job.attempt, node=NodeName("cn02")))
    assert given.usable and job.resize_time == b.T0 + 5


def test_a_job_keeps_the_nodes_that_are_named_and_the_one_of_its_script_stays() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02", "cn03")
    assert "script" in refused(c, job, ReqNodeList="cn02").hints[0]
    assert "none of" in refused(c, job, ReqNodeList="cn01,cn04").hints[0]
    change(c, job, ReqNodeList="cn[01,03]", Comment="smaller")
    assert (job.allocation and job.allocation.nodes, job.request.comment) == (["cn01", "cn03"], "smaller")


def test_a_running_job_gets_no_more_nodes_and_is_not_without_any() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02")
    assert refused(c, job, NumNodes="3").name == "ESLURM_NOT_SUPPORTED"
    assert refused(c, job, NumNodes="0").name in ("ESLURM_INVALID_NODE_COUNT", "ESLURM_INVALID_OPTION")
    assert change(c, job, NumNodes="2") == [] and change(c, job, NumNodes="ALL") == []


def test_a_job_that_waits_is_asked_for_other_nodes_as_before() -> None:
    c = b.cluster()
    job = b.submit(c)
    change(c, job, NumNodes="3")
    assert job.request.nodes_min == 3


def test_a_job_that_became_smaller_ends_as_any() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02")
    change(c, job, NumNodes="1")
    b.finish(c, job, at=b.T0 + 9)
    assert job.state is JobState.COMPLETED
    assert_valid(c)
