"""Nothing that a user sends is believed: every field has a type, a range and a size, and a refusal names field, limit and what was sent."""

import json
import logging
import time
from typing import Any

import pytest

from slurm.slurmctld.dispatch import answer
from tests.cluster.slurmctld.conftest import ALICE, BOB, ROOT, Client, Play, Stage

MANY = 2**63
FORGED = [
    ({"mem_per_node": -1_000_000}, "mem_per_node"), ({"mem_per_cpu": -1}, "mem_per_cpu"), ({"mem_per_gpu": -1}, "mem_per_gpu"),
    ({"mem_per_node": MANY}, "mem_per_node"), ({"ntasks": -1}, "ntasks"), ({"ntasks": MANY}, "ntasks"), ({"ntasks": 2**64}, "ntasks"),
    ({"ntasks": 10**4000}, "ntasks"), ({"cpus_per_task": -2}, "cpus_per_task"), ({"nodes_min": MANY - 1}, "nodes_min"),
    ({"nodes_max": -1}, "nodes_max"), ({"mincpus": -1}, "mincpus"), ({"sockets_per_node": -1}, "sockets_per_node"),
    ({"umask": -1}, "umask"), ({"umask": 0o7777}, "umask"), ({"tmp_disk": -1}, "tmp_disk"), ({"alloc_sid": -1}, "alloc_sid"),
    ({"kind": "weird"}, "kind"), ({"begin": 1e300}, "begin"), ({"begin": float(MANY - 1)}, "begin"), ({"begin": -5.0}, "begin"),
    ({"deadline": 1e300}, "deadline"), ({"time_limit": MANY}, "time_limit"), ({"time_limit": -2}, "time_limit"), ({"time_min": -2}, "time_min"),
    ({"priority": -1}, "priority"), ({"nice": 2**40}, "nice"), ({"rlimits": {"bogus": 1}}, "rlimits"), ({"rlimits": {"nofile": 2**64}}, "rlimits"),
    ({"rlimits": {"nofile": -5}}, "rlimits"), ({"exclusive": "topo"}, "exclusive"), ({"open_mode": "w"}, "open_mode"),
    ({"name": "x" * 10_000_000}, ""), ({"name": "x" * 1025}, "name"), ({"account": "x" * 1025}, "account"), ({"comment": "x" * 1025}, "comment"),
    ({"extra": "x" * 1025}, "extra"), ({"wckey": "x" * 1025}, "wckey"), ({"partition": "main," * 1_000_000}, ""),
    ({"partition": "debug," * 1000}, "partition"), ({"dependency": "afterany" + ":8" * 1_000_000}, ""), ({"dependency": "8:" * 100_000}, "dependency"),
    ({"work_dir": "/tmp/\0"}, "work_dir"), ({"stdout": "/tmp/a\0b"}, "stdout"), ({"stdin": "a\nb"}, "stdin"), ({"stderr": "a\x1b[2J"}, "stderr"),
    ({"work_dir": "/" + "x" * 5000}, "work_dir"), ({"name": "a\nb"}, "name"), ({"name": "a\x1b]0;b\x07"}, "name"), ({"name": "a\x9b31m"}, "name"),
    ({"account": "a\rb"}, "account"), ({"comment": "a\0b"}, "comment"), ({"submit_line": "x" * 1_048_577}, "submit_line"),
    ({"command": "/a\x7f"}, "command"), ({"nodelist": "n" * 70_000}, "nodelist"), ({"signal": "x" * 100}, "signal"),
    ({"mail_user": "a\nBcc: b"}, "mail_user"), ({"mail_user": "-oX"}, "mail_user"), ({"mail_user": "a@b, -oX"}, "mail_user")]


async def forged(client: Client, request: dict[str, object], **payload: object) -> dict[str, Any]:
    fields = {"name": "j", "work_dir": "/tmp", **request}
    return await client.ask("SubmitJob", request=fields, payload={"script": "#!/bin/sh\n", "argv": [], "environment": {}, **payload})


@pytest.mark.parametrize(("request_", "field"), FORGED, ids=[f"{next(iter(row[0]))}-{number}" for number, row in enumerate(FORGED)])
@pytest.mark.parametrize("uid", [ALICE, ROOT], ids=["user", "root"])
def test_a_forged_submission_is_refused_by_the_name_of_its_field(
        play: Play, caplog: pytest.LogCaptureFixture, request_: dict[str, object], field: str, uid: int) -> None:
    async def scene(s: Stage) -> None:
        before = s.ctl.engine.events_recorded
        reply = await forged(s.client(uid), request_)
        assert reply["type"] == "Failure" and reply["kind"] in ("InvalidRequest", "ProtocolError"), reply
        hints = " ".join(reply["hints"])
        assert field in hints and "sent" in hints, reply
        assert len(hints) < 600 and all(letter.isprintable() for letter in hints), hints
        assert s.ctl.engine.events_recorded == before
        assert not s.ctl.cluster.jobs

    with caplog.at_level(logging.INFO):
        play(scene)
    told = [record for record in caplog.records if "sent what is no valid request" in record.getMessage()]
    assert len(told) == 1 and len(told[0].getMessage()) < 700
    assert not [record for record in caplog.records if record.exc_info], "a traceback is in the log"


PAYLOADS = [
    ({"environment": {"A": "x" * 60_000_000}}, ""), ({"environment": {"A": "x" * 200_000}}, "environment"),
    ({"environment": {f"V{n}": "x" * 100_000 for n in range(40)}}, "environment"), ({"environment": {f"V{n}": "" for n in range(33_000)}}, "environment"),
    ({"environment": {"": "x"}}, "environment"), ({"environment": {"A=B": "x"}}, "environment"), ({"environment": {"A": "x\0y"}}, "environment"),
    ({"environment": {"A\0": "x"}}, "environment"), ({"argv": ["x" * 20_000_000]}, ""), ({"argv": ["a\0b"]}, "argv"), ({"argv": ["x"] * 100_000}, "argv"),
    ({"argv": ["x" * 200_000]}, "argv"), ({"script": "#!/bin/sh\n\0"}, "script"), ({"script": "#!/bin/sh\n" + "#" * 4_194_304}, "script")]


@pytest.mark.parametrize(("payload", "field"), PAYLOADS, ids=[str(number) for number in range(len(PAYLOADS))])
def test_a_forged_payload_is_refused_by_the_name_of_its_field(play: Play, payload: dict[str, object], field: str) -> None:
    async def scene(s: Stage) -> None:
        reply = await forged(s.client(), {}, **payload)
        assert reply["type"] == "Failure" and reply["kind"] == "InvalidRequest", reply
        hints = " ".join(reply["hints"])
        assert field in hints and ("sent" in hints or "largest" in hints), reply
        assert not s.ctl.cluster.jobs

    play(scene)


def test_a_large_script_and_environment_are_taken_and_come_back_as_they_were(play: Play) -> None:
    async def scene(s: Stage) -> None:
        script = "#!/bin/sh\n# \u00e9\n" + "echo \"x\"\n" * 400_000
        environment = {f"V{number}": "\u00e9\n" * 20_000 for number in range(20)}
        reply = await forged(s.client(), {"comment": "large"}, script=script, environment=environment, argv=["a", "b"])
        assert reply["type"] == "Submitted", reply
        job = s.ctl.cluster.job(reply["job_id"])
        assert s.ctl.payload(job.payload.script).decode() == script
        assert json.loads(s.ctl.payload(job.payload.environment)) == environment
        assert job.payload.argv == ["a", "b"] and job.request.comment == "large"

    play(scene)


def test_remarks_may_have_several_lines_as_in_slurm(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job = await s.client().submit(comment="one\ntwo\tthree", extra="x" * 1024, name="n" * 1024)
        assert s.ctl.cluster.job(job).request.comment == "one\ntwo\tthree"

    play(scene)


def test_the_admin_comment_is_for_operators_only(play: Play) -> None:
    async def scene(s: Stage) -> None:
        reply = await forged(s.client(ALICE), {"admin_comment": "mine"})
        assert (reply["type"], reply["kind"]) == ("Failure", "NotPermitted") and "only operators set admin_comment" in reply["hints"][0]
        assert (await forged(s.client(ROOT), {"admin_comment": "mine"}))["type"] == "Submitted"
        job = await s.client(ALICE).submit()
        reply = await s.client(ALICE).ask("UpdateJob", ids=str(job), changes={"AdminComment": "x"})
        assert reply["kind"] == "NotPermitted"

    play(scene)


REQUESTS: list[tuple[str, dict[str, object], str]] = [
    ("ListJobs", {"fields": ["jobid"] * 1_000_000}, ""), ("ListJobs", {"fields": ["jobid"] * 300}, "fields"),
    ("ListJobs", {"fields": ["jobid"], "time_format": "%c" * 1_000_000}, ""), ("ListJobs", {"fields": ["jobid"], "time_format": "%c" * 100}, "time_format"),
    ("ListJobs", {"fields": ["jobid"], "sort": "i," * 1_000}, "sort"), ("ListJobs", {"fields": ["jobid"], "array_length": -1}, "array_length"),
    ("ListJobs", {"fields": ["jobid"], "filter": {"ids": ["1"] * 20_000}}, "filter.ids"),
    ("ListJobs", {"fields": ["jobid"], "filter": {"users": ["x" * 2_000]}}, "filter.users"),
    ("ListJobs", {"fields": ["jobid"], "filter": {"running_over": 2**64}}, "filter.running_over"),
    ("ListNodes", {"fields": ["nodelist"] * 300}, "fields"), ("ListNodes", {"fields": ["nodelist"], "nodes": ["n"] * 70_000}, "nodes"),
    ("Describe", {"what": "job", "names": ["1"] * 2_000}, "names"), ("Describe", {"what": "x" * 100}, "what"),
    ("Describe", {"what": "job", "time_format": "%999999999d" * 100}, "time_format"), ("ReleaseJobs", {"ids": ["8"] * 200_000}, "ids"),
    ("ReleaseJobs", {"ids": ["8"] * 1_000_000}, ""), ("HoldJobs", {"ids": ["8" * 5_000]}, "ids"), ("RequeueJobs", {"ids": ["8"] * 20_000}, "ids"),
    ("CancelJobs", {"filter": {}, "signal": 10**9}, "signal"), ("CancelJobs", {"filter": {}, "signal": -1}, "signal"),
    ("UpdateJob", {"ids": "1", "changes": {f"k{n}": "" for n in range(100)}}, "changes"), ("UpdateNode", {"nodes": "x" * 100_000, "changes": {}}, "nodes"),
    ("WaitJob", {"job_id": -1}, "job_id"), ("WaitJob", {"job_id": 2**64}, "job_id"), ("Relinquish", {"job_id": 1, "status": 2**40}, "status"),
    ("FinishStep", {"job_id": 1, "step_id": 2**40}, "step_id"), ("CreateStep", {"job_id": 1, "request": {"ntasks": -1}}, "request.ntasks"),
    ("CreateStep", {"job_id": 1, "request": {"name": "a\x1b[2J"}}, "request.name"), ("CreateStep", {"job_id": 1, "request": {"relative": -1}}, "request.relative"),
    ("WatchEvents", {"jobs": [1] * 20_000}, "jobs"), ("ExplainJob", {"job_id": "1" * 5_000}, "job_id"), ("BatchScript", {"job_id": "\0"}, "job_id"),
    ("Quiesce", {"seconds": 1e300}, "seconds"), ("TestJob", {"request": {"begin": 1e300}}, "request.begin"),
    ("AllocateJob", {"request": {"kind": "alloc", "immediate": -1}}, "request.immediate")]


@pytest.mark.parametrize(("kind", "fields", "field"), REQUESTS, ids=[f"{row[0]}-{number}" for number, row in enumerate(REQUESTS)])
def test_other_requests_are_bounded_alike_and_quickly(play: Play, kind: str, fields: dict[str, object], field: str) -> None:
    async def scene(s: Stage) -> None:
        await s.client().submit()
        payload = json.dumps({"type": kind, **fields}).encode()
        client = s.client()
        began = time.thread_time()
        reply = await answer(s.ctl, client.session, payload)
        took = time.thread_time() - began
        assert type(reply).__name__ == "Failure"
        hints = " ".join(reply.hints)  # type: ignore[union-attr]
        assert field in hints and "sent" in hints, hints
        assert took < 0.05, took

    play(scene)


UPDATES = [("JobName", "x" * 2_000), ("JobName", "a\x1b[2J"), ("Comment", "x" * 2_000), ("NumTasks", "9" * 400), ("NumTasks", "9999999999999"),
           ("StdOut", "/a\nb"), ("TimeLimit", "999999999-0"), ("Nice", "9" * 30), ("Priority", "99999999999"), ("MinCPUsNode", "9" * 5000),
           ("MinMemoryNode", "9" * 300), ("Dependency", "afterany" + ":1" * 60_000), ("NumNodes", "9" * 100), ("ArrayTaskThrottle", "9" * 100),
           ("Features", "x" * 2_000), ("WorkDir", "/" + "x" * 5_000), ("MailUser", "x" * 2_000), ("Account", "a\nb")]


@pytest.mark.parametrize(("key", "text"), UPDATES, ids=[f"{row[0]}-{number}" for number, row in enumerate(UPDATES)])
def test_an_update_has_the_bounds_of_what_it_sets(play: Play, caplog: pytest.LogCaptureFixture, key: str, text: str) -> None:
    async def scene(s: Stage) -> None:
        job = await s.client().submit(array="1-3") if key == "ArrayTaskThrottle" else await s.client().submit(hold=True)
        for uid in (ALICE, ROOT):
            reply = await s.client(uid).ask("UpdateJob", ids=str(job), changes={key: text})
            assert reply["type"] == "Failure" and reply["kind"] in ("InvalidRequest", "NotPermitted"), reply
        await s.restart()
        assert job in s.ctl.cluster.jobs or s.ctl.cluster.arrays

    play(scene)
    assert not [record for record in caplog.records if record.exc_info]


def test_a_job_that_was_taken_before_there_were_bounds_is_shown_and_breaks_nothing(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job = await s.client().submit(begin=time.time() + 10_000)
        record = s.ctl.cluster.job(job)
        record.request.begin = record.not_before = 1e300
        record.request.name = "a\x1b[2J\nJobId=99 JobName=false"
        reply = await s.client(BOB).ask("Describe", what="job")
        assert reply["type"] == "Text", reply
        assert "JobId=1 " in reply["text"] and "\x1b" not in reply["text"]
        rows = await s.client(BOB).ask("ListJobs", fields=["jobid", "name", "starttime"], start=True)
        assert rows["type"] == "Rows", rows

    play(scene)


def test_nonsense_fills_no_log(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        for _ in range(300):
            assert (await client.ask("SubmitJob", request={"ntasks": 2**70}, payload={}))["type"] == "Failure"
            assert (await client.ask("NoSuchThing"))["type"] == "Failure"

    with caplog.at_level(logging.INFO):
        play(scene)
    assert len([record for record in caplog.records if "no valid request" in record.getMessage()]) <= 40
    assert not [record for record in caplog.records if record.exc_info]
