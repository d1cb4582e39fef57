"""Who may do what: nobody acts on what belongs to another, only operators on what belongs to all. What a client writes down proves nothing."""

import pytest

from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import ALICE, BOB, ROOT, Play, Stage

ON_A_JOB = [
    ("HoldJobs", {"ids": ["{job}"]}), ("ReleaseJobs", {"ids": ["{job}"]}), ("RequeueJobs", {"ids": ["{job}"]}), ("MoveToTop", {"ids": ["{job}"]}),
    ("UpdateJob", {"ids": "{job}", "changes": {"TimeLimit": "5"}}), ("BatchScript", {"job_id": "{job}"}),
    ("CreateStep", {"job_id": 1, "request": {"name": "s", "ntasks": 1}}), ("FinishStep", {"job_id": 1, "step_id": 0, "status": 0}),
    ("Relinquish", {"job_id": 1, "status": 0}), ("AttachAllocation", {"job_id": 1})]
ON_THE_CLUSTER = [
    ("UpdateNode", {"nodes": "cn01", "changes": {"State": "DRAIN", "Reason": "x"}}),
    ("UpdatePartition", {"name": "debug", "changes": {"State": "DOWN"}}), ("Reconfigure", {}), ("SetDebug", {"level": "debug5"}), ("Shutdown", {}), ("Quiesce", {"seconds": 5})]


@pytest.mark.parametrize(("kind", "fields"), ON_A_JOB)
def test_nobody_acts_on_the_job_of_another(play: Play, kind: str, fields: dict[str, object]) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client(ALICE).submit()
        assert job == 1
        await s.until(lambda: node.of(n.LaunchBatch))
        before = s.ctl.engine.events_recorded
        filled = {key: [str(job)] if value == ["{job}"] else str(job) if value == "{job}" else value for key, value in fields.items()}
        reply = await s.client(BOB).ask(kind, **filled)
        assert (reply["type"], reply["kind"]) == ("Failure", "NotPermitted"), reply
        assert s.ctl.engine.events_recorded == before
        assert s.state(job) == "RUNNING"

    play(scene)


@pytest.mark.parametrize(("kind", "fields"), ON_THE_CLUSTER)
def test_only_operators_act_on_what_belongs_to_all(play: Play, kind: str, fields: dict[str, object]) -> None:
    async def scene(s: Stage) -> None:
        before = s.ctl.engine.events_recorded
        reply = await s.client(BOB).ask(kind, **fields)
        assert (reply["type"], reply["kind"]) == ("Failure", "NotPermitted"), reply
        assert s.ctl.engine.events_recorded == before and s.stops == 0
        assert (await s.client(ROOT).ask(kind, **fields))["type"] == "Done"

    play(scene)


def test_scancel_of_anothers_job_is_refused_by_name_and_root_may(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job = await s.client(ALICE).submit()
        reply = await s.client(BOB).ask("CancelJobs", filter={"ids": [str(job)]})
        assert reply["refused"] == [[str(job), "ESLURM_ACCESS_DENIED", "Access/permission denied"]]
        assert s.state(job) == "PENDING"
        everything = await s.client(BOB).ask("CancelJobs", filter={})
        assert s.state(job) == "PENDING" and not everything.get("done")
        assert (await s.client(ROOT).ask("CancelJobs", filter={"ids": [str(job)]}))["done"] == [str(job)]

    play(scene)


def test_a_job_belongs_to_whom_the_connection_says_and_no_request_can_say_otherwise(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client(BOB)
        reply = await client.ask("SubmitJob", request={"name": "x", "work_dir": "/tmp", "uid": 0}, payload={"script": "#!/bin/sh\n"})
        assert reply["type"] == "Failure"
        assert s.ctl.cluster.job(await client.submit()).owner.uid == BOB

    play(scene)
