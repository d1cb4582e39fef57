"""PrivateData: nobody without the right learns of others' jobs, of nodes, partitions and usage; and who has the right, by AdminLevel and as a coordinator."""

from __future__ import annotations

from typing import Any

import pytest

from slurm.core import events as e
from slurm.model.policy import Account, Association, Qos, User
from slurm.slurmctld.session import user_name
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, ROOT, Play, Stage

OPERATOR, ADMINISTRATOR, COORDINATOR, OTHER = 1003, 1004, 1005, 1006
PRIVATE = CONF + "PrivateData=jobs,nodes,partitions,usage\n"
JOBS, NODES, PARTITIONS, USAGE = "jobs", "nodes", "partitions", "usage"


def teach(s: Stage) -> None:
    """alice works for physics, below science, which COORDINATOR coordinates."""
    s.ctl.cluster.apply(e.PolicyChanged(at=1.0, whole=True, records=[
        Qos(id=1, name="normal"), Account(name="root"), Account(name="science", coordinators=[user_name(COORDINATOR)]), Account(name="physics"),
        User(name=user_name(OPERATOR), admin_level="Operator"), User(name=user_name(ADMINISTRATOR), admin_level="Administrator"),
        Association(id=1, cluster="test", account="root", qos=["normal"]), Association(id=2, cluster="test", account="science", parent=1),
        Association(id=3, cluster="test", account="physics", parent=2),
        Association(id=4, cluster="test", account="physics", user=user_name(ALICE), parent=3, is_default=True),
        Association(id=5, cluster="test", account="root", user=user_name(OTHER), parent=1, is_default=True)]))


async def seen(s: Stage, uid: int, kind: str, fields: dict[str, Any]) -> str:
    """What of alice's job a user learns by this question: "yes", "no", "refused"."""
    reply = await s.client(uid).ask(kind, **fields)
    if reply["type"] == "Failure":
        assert reply["name"] in ("ESLURM_INVALID_JOB_ID", "ESLURM_ACCESS_DENIED"), reply
        return "refused"
    return "yes" if "sought" in str(reply) or "physics" in str(reply) or "cn01" in str(reply) or "cn[" in str(reply) or "debug" in str(reply) else "no"


QUESTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("ListJobs", {"fields": ["Name"], "filter": {}}, JOBS), ("ListJobs", {"fields": ["Name"], "filter": {"ids": ["1"]}}, JOBS),
    ("Describe", {"what": "job"}, JOBS), ("Describe", {"what": "job", "names": ["1"]}, JOBS), ("Describe", {"what": "jobs_json", "format": "json"}, JOBS),
    ("ExplainJob", {"job_id": "1"}, JOBS), ("ListPriorities", {}, JOBS), ("WaitReady", {"job_id": 1}, JOBS),
    ("ListNodes", {"fields": ["NodeList"]}, NODES), ("Describe", {"what": "node"}, NODES), ("Describe", {"what": "nodes_json", "format": "json"}, NODES),
    ("Describe", {"what": "sinfo_json", "format": "json"}, NODES), ("Describe", {"what": "partition"}, PARTITIONS),
    ("Describe", {"what": "partitions_json", "format": "json"}, PARTITIONS), ("ListShares", {}, USAGE), ("ReadPlan", {}, NODES), ("ReadPlan", {}, PARTITIONS)]


@pytest.mark.parametrize(("kind", "fields", "word"), QUESTIONS)
def test_each_question_tells_only_those_who_have_the_right(play: Play, kind: str, fields: dict[str, Any], word: str) -> None:
    async def scene(s: Stage) -> None:
        teach(s)
        assert await s.client(ALICE).submit(name="sought", hold=kind == "ExplainJob", begin=0.0, nodes_min=2) == 1
        if kind == "WaitReady":
            for uid in (BOB, OTHER):
                assert await seen(s, uid, kind, fields) == "refused"
            return
        for uid in (ROOT, OPERATOR, ADMINISTRATOR):
            assert await seen(s, uid, kind, fields) == "yes", uid
        for uid in (ALICE, COORDINATOR):
            assert await seen(s, uid, kind, fields) == ("yes" if word in (JOBS, USAGE) else "refused"), uid
        for uid in (BOB, OTHER):
            assert await seen(s, uid, kind, fields) in ("no", "refused"), uid
            if word in (NODES, PARTITIONS):
                assert await seen(s, uid, kind, fields) == "refused"

    play(scene, conf=PRIVATE)


@pytest.mark.parametrize(("kind", "fields", "word"), [question for question in QUESTIONS if question[0] != "WaitReady"])
def test_without_private_data_everybody_is_told(play: Play, kind: str, fields: dict[str, Any], word: str) -> None:
    async def scene(s: Stage) -> None:
        teach(s)
        await s.client(ALICE).submit(name="sought", nodes_min=2)
        assert await seen(s, BOB, kind, fields) == "yes"

    play(scene)


RIGHTS: list[tuple[str, dict[str, Any], set[int]]] = [
    ("HoldJobs", {"ids": ["1"]}, {ALICE, ROOT, OPERATOR, ADMINISTRATOR, COORDINATOR}),
    ("UpdateJob", {"ids": "1", "changes": {"TimeLimit": "5"}}, {ALICE, ROOT, OPERATOR, ADMINISTRATOR, COORDINATOR}),
    ("UpdateJob", {"ids": "1", "changes": {"Priority": "5000"}}, {ROOT, OPERATOR, ADMINISTRATOR}),
    ("BatchScript", {"job_id": "1"}, {ALICE, ROOT}),
    ("UpdateNode", {"nodes": "cn01", "changes": {"State": "DRAIN", "Reason": "x"}}, {ROOT, ADMINISTRATOR}),
    ("UpdatePartition", {"name": "debug", "changes": {"State": "DOWN"}}, {ROOT, ADMINISTRATOR}),
    ("ReadStatistics", {"reset": True}, {ROOT, OPERATOR, ADMINISTRATOR}), ("Reconfigure", {}, {ROOT, ADMINISTRATOR})]


@pytest.mark.parametrize(("kind", "fields", "allowed"), RIGHTS)
def test_admin_levels_and_coordinators_have_their_rights_in_the_controller_and_no_more(
        play: Play, kind: str, fields: dict[str, Any], allowed: set[int]) -> None:
    async def scene(s: Stage) -> None:
        teach(s)
        await s.client(ALICE).submit(nodes_min=2)
        for uid in (ALICE, BOB, ROOT, OPERATOR, ADMINISTRATOR, COORDINATOR, OTHER):
            reply = await s.client(uid).ask(kind, **fields)
            refused = reply["type"] == "Failure" and reply["kind"] == "NotPermitted" or bool(reply.get("refused"))
            assert refused is (uid not in allowed), (uid, reply)

    play(scene)


def test_an_explanation_names_no_job_of_others_that_are_private(play: Play) -> None:
    async def scene(s: Stage) -> None:
        teach(s)
        node = await s.node("cn01")
        other = await s.node("cn02")
        assert node and other
        first = await s.client(OTHER).submit(name="secret-name", nodes_min=2, exclusive="node")
        await s.until(lambda: s.state(first) == "RUNNING")
        mine = await s.client(ALICE).submit(name="sought", nodes_min=2, dependency=f"afterany:{first}")
        told = str(await s.client(ALICE).ask("ExplainJob", job_id=str(mine)))
        assert "secret-name" not in told and user_name(OTHER) not in told and "somebody else" in told
        assert "secret-name" in str(await s.client(OPERATOR).ask("ExplainJob", job_id=str(mine)))

    play(scene, conf=PRIVATE)


def test_a_refusal_does_not_tell_whose_a_private_job_is(play: Play) -> None:
    async def scene(s: Stage) -> None:
        teach(s)
        job = await s.client(OTHER).submit(name="secret-name")
        for kind, fields in (("RequeueJobs", {"ids": [str(job)]}), ("HoldJobs", {"ids": [str(job)]}), ("BatchScript", {"job_id": str(job)}),
                             ("UpdateJob", {"ids": str(job), "changes": {"JobName": "x"}}), ("CancelJobs", {"filter": {"ids": [str(job)]}}),
                             ("FindUsage", {"ids": [str(job)]}), ("FindStep", {"job_id": str(job), "step_id": 0}),
                             ("Relinquish", {"job_id": job}), ("CertifyUser", {"job_id": job}), ("WaitJob", {"job_id": job})):
            told = str(await s.client(ALICE).ask(kind, **fields))
            assert "Failure" in told or "refused" in told, told
            assert user_name(OTHER) not in told and "secret-name" not in told, (kind, told)

    play(scene, conf=PRIVATE)
