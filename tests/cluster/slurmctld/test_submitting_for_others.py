"""What root and operators do to jobs besides: submit as somebody, write a remark on what they cancel, keep allocations as InactiveLimit says."""

from __future__ import annotations

import pwd

from tests.cluster.slurmctld.conftest import ALICE, CONF, ROOT, Client, Play, Stage

PAYLOAD = {"script": "#!/bin/sh\n", "argv": [], "environment": {}}
NOBODY = pwd.getpwnam("nobody")


async def submit_as(client: Client, **who: str) -> dict[str, object]:
    return await client.ask("SubmitJob", request={"name": "job", "work_dir": "/tmp"}, payload=PAYLOAD, **who)


def test_root_submits_as_another_user_and_group(play: Play) -> None:
    async def scene(s: Stage) -> None:
        root = s.client(ROOT)
        made = await submit_as(root, user="nobody")
        owner = s.ctl.cluster.job(int(str(made["job_id"]))).owner
        assert (owner.uid, owner.gid, owner.user) == (NOBODY.pw_uid, NOBODY.pw_gid, "nobody")
        made = await submit_as(root, user=str(NOBODY.pw_uid), group="0")
        assert s.ctl.cluster.job(int(str(made["job_id"]))).owner.gid == 0
        for who, name in (({"user": "no-such-user"}, "ESLURM_USER_ID_MISSING"), ({"group": "no-such-group"}, "ESLURM_GROUP_ID_MISSING")):
            assert (await submit_as(root, **who))["name"] == name
        for who in ({"user": "nobody"}, {"group": "0"}, {"user": "root"}):
            assert (await submit_as(s.client(ALICE), **who))["name"] == "ESLURM_USER_ID_MISSING"

    play(scene)


def test_an_operator_says_why_he_cancels(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job = await s.client(ALICE).submit()
        said = await s.client(ALICE).ask("CancelJobs", filter={"ids": [str(job)]}, admin_comment="mine")
        assert said["name"] == "ESLURM_ACCESS_DENIED" and s.state(job) == "PENDING"
        await s.client(ROOT).ask("CancelJobs", filter={"ids": [str(job)]}, admin_comment="fills the disk")
        assert (s.state(job), s.ctl.cluster.job(job).request.admin_comment) == ("CANCELLED", "fills the disk")

    play(scene)


def test_an_allocation_waits_for_its_holder_as_long_as_InactiveLimit_says(play: Play) -> None:
    async def scene(s: Stage) -> None:
        assert s.ctl.holders._grace() == 7.0

    play(scene, CONF + "InactiveLimit=7\n")
    async def usual(s: Stage) -> None:
        assert s.ctl.holders._grace() == 60.0

    play(usual)
