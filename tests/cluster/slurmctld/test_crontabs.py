"""Crontabs with a controller: written with their jobs or not at all, who may, a restart, and switched off."""

from __future__ import annotations

from typing import Any

from slurm.model.states import Reason
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, ROOT, Client, Play, Stage

ENABLED = CONF + "ScronParameters=enable\n"
TEXT = "#SCRON -n1\n* * * * * one\n@yearly two\n"


def entry(spec: str, line: int, **request: object) -> dict[str, Any]:
    return {"spec": spec, "first_line": line, "last_line": line, "request": {"name": "cron", "work_dir": "/tmp", **request},
            "payload": {"script": "#!/bin/sh\n", "argv": [], "environment": {"A": "b"}}}


async def install(client: Client, *entries: dict[str, Any], text: str = TEXT, user: str = "") -> dict[str, Any]:
    return await client.ask("WriteCrontab", text=text, jobs=list(entries) or [entry("* * * * *", 2), entry("@yearly", 3)], user=user)


def test_it_is_kept_with_its_jobs_through_a_restart_and_runs(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        made = await install(s.client())
        assert made["type"] == "CrontabWritten", made
        first, second = made["jobs"]
        assert s.ctl.cluster.job(first).reason == Reason.BEGIN_TIME
        await s.restart()
        read = await s.client().ask("ReadCrontab")
        assert (read["found"], read["text"]) == (True, TEXT)
        await s.until(lambda: s.ctl.cluster.nodes["cn01"].responding)
        moment = s.ctl.cluster.job(first).not_before
        s.set_clock(moment + 0.5)
        await s.until(lambda: s.state(first) == "RUNNING")
        node.finish(first)
        await s.until(lambda: s.ctl.cluster.job(first).not_before == moment + 60 and s.state(first) == "PENDING")
        assert s.state(second) == "PENDING"

    play(scene, ENABLED)


def test_one_entry_that_is_refused_leaves_everything_as_it_was(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        await install(client)
        said = await install(client, entry("@daily", 1), entry("@daily", 2, partition="nowhere"), text="1\n2\n")
        assert said["type"] == "Failure" and "line 2 of the crontab: @daily" in said["hints"]
        assert (await client.ask("ReadCrontab"))["text"] == TEXT
        assert sorted(s.state(job) for job in s.ctl.cluster.jobs) == ["CANCELLED", "PENDING", "PENDING"]
        for wrong in (entry("@never", 1), entry("0 0 31 2 *", 1), entry("@daily", 9), entry("@daily", 1, array="1-3"), entry("@daily", 1, kind="alloc")):
            assert (await install(client, wrong, text="1\n"))["type"] == "Failure"

    play(scene, ENABLED)


def test_the_crontabs_of_others_are_for_root(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await install(s.client(ALICE))
        bob = s.client(BOB)
        for name in ("root", "0", "no-such-user"):  # of whom no name is looked up: he does not hear who is there, nobody waits for it
            for said in (await bob.ask("ReadCrontab", user=name), await install(bob, user=name)):
                assert said["type"] == "Failure" and said["name"] == "ESLURM_ACCESS_DENIED"
        assert (await bob.ask("ReadCrontab", user=str(BOB)))["type"] == "CrontabRead"
        assert not (await bob.ask("ReadCrontab"))["found"]
        made = await install(s.client(ROOT), user="nobody")
        assert s.ctl.cluster.job(made["jobs"][0]).owner.user == "nobody"
        assert (await s.client(ROOT).ask("ReadCrontab", user="nobody"))["found"]
        assert (await s.client(ROOT).ask("ReadCrontab", user="no-such-user"))["name"] == "ESLURM_USER_ID_MISSING"

    play(scene, ENABLED)


def test_without_ScronParameters_there_are_none(play: Play) -> None:
    async def scene(s: Stage) -> None:
        for said in (await s.client().ask("ReadCrontab"), await install(s.client())):
            assert said["message"] == "scrontab is disabled on this cluster"

    play(scene)


def test_an_entry_that_comes_once_in_decades_is_taken_and_planned(play: Play) -> None:
    async def scene(s: Stage) -> None:
        made = await install(s.client(), entry("0 0 */31 3 0", 1), entry("* * */31 12 2", 2), text="1\n2\n")
        assert made["type"] == "CrontabWritten", made
        for job_id in made["jobs"]:
            assert s.ctl.cluster.job(job_id).not_before > s.ctl.now()

    play(scene, ENABLED)


def test_a_crontab_that_is_too_large_or_whose_entries_overlap_is_refused_with_a_sentence(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        many = [entry("@daily", line) for line in range(1, 102)]
        wide = entry("@daily", 2) | {"first_line": 1}
        for jobs, text, words in (
                (many, "x\n" * 101, "at most 100 entries"),
                ([entry("@daily", 2), entry("@daily", 1)], "1\n2\n", "in the order of their lines"),
                ([entry("@daily", 1), wide], "1\n2\n", "not behind line 1"), ([entry("@daily", 1)], "", "an empty crontab"),
                ([entry("@daily", 1)], "\n" * 10_001, "at most 10000 lines"), ([entry("1" + "," * 60 + " * * * *", 1)], "1\n", "61 parts"),
                ([entry("0" * 129, 1)], "1\n", "at most 128 characters")):
            said = await install(client, *jobs, text=text)
            assert said["type"] == "Failure" and words in str(said), said
        assert not (await client.ask("ReadCrontab"))["found"] and not s.ctl.cluster.jobs
        assert (await install(client, *many[:100], text="x\n" * 100))["type"] == "CrontabWritten"

    play(scene, ENABLED)
