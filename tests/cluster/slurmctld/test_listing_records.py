"""Some fields of many jobs: only what is asked for, only what may be seen, and nothing when nothing has changed."""

import json

from slurm.render import feed, json_job
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, Play, Stage


def test_only_fields_and_jobs_that_are_asked_for_are_told(play: Play) -> None:
    async def scene(s: Stage) -> None:
        first, second = await s.client(ALICE).submit(hold=True, name="a"), await s.client(BOB).submit(hold=True, name="b")
        found = await s.client().ask("ListRecords", fields=["job_id", "name", "job_id"], filter={"all_states": True})
        assert found["records"] == [{"job_id": first, "name": "a"}, {"job_id": second, "name": "b"}]
        assert [one["job_id"] for one in (await s.client().ask("ListRecords", fields=["job_id"], filter={"users": [str(BOB)]}))["records"]] == [second]
        everything = await s.client().ask("ListRecords", fields=list(feed.JOB), filter={"ids": [str(first)]})
        whole = json.loads(json.dumps(json_job.job_record(s.ctl.cluster.job(first), s.ctl.view())))
        assert not [name for name, value in everything["records"][0].items() if whole[name] != value]
        refused = await s.client().ask("ListRecords", fields=["weather"], filter={})
        assert (refused["type"], "job_state" in refused["hints"][0]) == ("Failure", True)

    play(scene)


def test_nothing_is_told_again_until_something_changes(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        await client.submit(hold=True)
        known = (await client.ask("ListRecords", fields=["job_id"]))["version"]
        again = await client.ask("ListRecords", fields=["job_id"], unless=known)
        assert (again["unchanged"], again["records"], again["version"]) == (True, [], known)
        assert (await client.ask("Describe", what="job", format="json", unless=known))["unchanged"] is True
        assert (await s.client(BOB).ask("ListRecords", fields=["job_id"], unless=known))["unchanged"] is False
        await client.submit(hold=True)
        assert len((await client.ask("ListRecords", fields=["job_id"], unless=known))["records"]) == 2

    play(scene)


def test_private_jobs_stay_private(play: Play) -> None:
    async def scene(s: Stage) -> None:
        mine = await s.client(ALICE).submit(hold=True)
        await s.client(BOB).submit(hold=True)
        found = await s.client(ALICE).ask("ListRecords", fields=["job_id", "user_name"], filter={"all_states": True})
        assert [one["job_id"] for one in found["records"]] == [mine]

    play(scene, conf=CONF + "PrivateData=jobs\n")
