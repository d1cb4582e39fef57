"""Heterogeneous jobs through the controller's door: one request, one allocation, one step over several components."""

from slurm.model.ids import JobId
from tests.cluster.slurmctld.conftest import BOB, Play, Stage

ALLOC = {"kind": "alloc", "name": "sh", "work_dir": "/tmp"}


def test_an_allocation_tells_of_each_component_and_is_given_back_whole(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        await s.node("cn02")
        client = s.client()
        waiting = client.begin("AllocateJob", request=ALLOC, components=[{**ALLOC, "ntasks": 2}])
        await s.until(lambda: [one for one in client.said if one["type"] == "Granted"])
        granted = next(one for one in client.said if one["type"] == "Granted")
        leader = granted["job_id"]
        assert [part["job_id"] for part in granted["components"]] == [leader, leader + 1]
        env = granted["environment"]
        assert (env["SLURM_HET_SIZE"], env["SLURM_JOB_ID"], env["SLURM_NTASKS"], env["SLURM_JOB_ID_HET_GROUP_1"]) == (
            "2", str(leader), "3", str(leader + 1))
        assert "SLURM_JOB_NODELIST" not in env
        assert (await s.client().ask("Relinquish", job_id=leader, status=0))["type"] == "Done"
        assert (await waiting)["state"] == "COMPLETED" and s.state(leader + 1) == "COMPLETED"

    play(scene)


def test_a_step_over_two_components_has_one_number_and_one_count_of_ranks(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        await s.node("cn02")
        client = s.client()
        waiting = client.begin("AllocateJob", request=ALLOC, components=[{**ALLOC, "ntasks": 2}])
        await s.until(lambda: [one for one in client.said if one["type"] == "Granted"])
        leader = next(one for one in client.said if one["type"] == "Granted")["job_id"]
        alone = await s.client().ask("CreateStep", job_id=leader, het_group=0, request={"name": "alone", "overlap": True})
        assert (alone["job_id"], alone["step_id"], alone.get("components", [])) == (leader, 0, [])
        ask = {"job_id": leader, "het_group": 0, "request": {"name": "both", "overlap": True, "key": "k"},
               "components": [{"het_group": 1, "request": {"name": "both", "ntasks": 2, "overlap": True, "key": "k"}}]}
        both = await s.client().ask("CreateStep", **ask)
        [other] = both["components"]
        assert [(one["job_id"], one["step_id"]) for one in (both, other)] == [(leader, 1), (leader + 1, 1)]
        assert [place["ranks"] for one in (both, other) for place in one["layout"]] == [[0], [1, 2]]
        assert {one["environment"]["SLURM_NTASKS"] for one in (both, other)} == {"3"}
        again = await s.client().ask("CreateStep", **ask)
        assert again["step_id"] == 1 and len(s.ctl.cluster.jobs[JobId(leader + 1)].steps) == 1
        beyond = await s.client().ask("CreateStep", job_id=leader, het_group=2, request={"name": "x"})
        assert beyond["message"] == "Attempt to run a job step with het group value of 2, but the job allocation has maximum value of 1"
        foreign = await s.client(BOB).ask("CreateStep", job_id=leader, het_group=1, request={"name": "x"})
        assert foreign["type"] == "Failure"
        waiting.cancel()

    play(scene)


def test_a_component_that_is_not_taken_leaves_nothing_behind(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        asked = {"name": "x", "work_dir": "/tmp"}
        refused = await s.client().ask(
            "SubmitJob", request=asked, payload={"script": "#!/bin/sh\n"}, components=[{**asked, "mem_per_node": 10**6}])
        assert refused["name"] == "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE" and "component 1 of the heterogeneous job:" in refused["hints"]
        assert not s.ctl.cluster.jobs

    play(scene)
