"""Triggers with a controller: they are pulled by what happens, run once as who set them, kept through a restart, and only for those who may."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slurm.model.ids import Gid, JobId, Uid
from slurm.model.trigger import Trigger
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import ALICE, BOB, ROOT, Client, Play, Stage


def program(folder: Path, name: str = "told", more: str = "") -> str:
    """A program that writes what it is told, as whom, into a file of its name."""
    path = folder / f"{name}.sh"
    path.write_text(f'#!/bin/sh\necho "$@" >>{folder}/{name}\nid -u >>{folder}/{name}.uid\n{more}\n')
    path.chmod(0o755)
    folder.chmod(0o777)
    for each in folder.parents:
        if each.stat().st_mode & 0o077 == 0 and "pytest" in str(each):
            each.chmod(0o755)
    return str(path)


async def pull(client: Client, kind: str, what: str, path: str, **fields: object) -> dict[str, Any]:
    return await client.ask("SetTrigger", of=kind, what=what, program=path, **fields)


def said(folder: Path, name: str = "told") -> list[str]:
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


def test_nodes_that_go_down_together_are_told_together_and_what_is_not_permanent_once(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        root = s.client(ROOT)
        await s.node("cn01")
        await s.node("cn02")
        made = await pull(root, "node", "down", f"{program(tmp_path)} --word 'two words'")
        await pull(root, "node", "up", program(tmp_path, "up"), nodes="cn02", permanent=True)
        assert made["type"] == "TriggerMade", made
        s.ctl.triggers.look()
        await root.ask("UpdateNode", nodes="cn[01-02]", changes={"State": "down", "Reason": "x"})
        await s.until(lambda: said(tmp_path))
        assert said(tmp_path) == ["--word two words cn[01-02]"]
        assert not said(tmp_path, "up")
        for _ in range(2):
            seen = len(said(tmp_path, "up"))
            await root.ask("UpdateNode", nodes="ALL", changes={"State": "resume"})
            await s.until(lambda seen=seen: len(said(tmp_path, "up")) > seen)
            await root.ask("UpdateNode", nodes="ALL", changes={"State": "down", "Reason": "x"})
        assert said(tmp_path, "up") == ["cn02", "cn02"] and len(said(tmp_path)) == 1
        await s.until(lambda: not any(one.pulled for one in s.ctl.cluster.triggers.values()))
        assert [one.what for one in s.ctl.cluster.triggers.values()] == ["up"]

    play(scene)


def test_the_end_and_the_time_limit_of_a_job(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        root = s.client(ROOT)
        job = await s.client(ROOT).submit(time_limit=3600)
        await s.until(lambda: s.state(job) == "RUNNING")
        await pull(root, "job", "time", program(tmp_path, "soon"), job=job, offset=-600)
        await pull(root, "job", "time", program(tmp_path, "never"), job=job)
        await pull(root, "job", "fini", program(tmp_path, "fini"), job=job)
        s.ctl.triggers.look()
        assert not said(tmp_path, "soon")
        s.set_clock(s.ctl.now() + 3100)
        await s.until(lambda: said(tmp_path, "soon"))
        assert not said(tmp_path, "fini")
        node.finish(job)
        await s.until(lambda: said(tmp_path, "fini"))
        await s.until(lambda: not s.ctl.cluster.triggers)
        assert (said(tmp_path, "soon"), said(tmp_path, "fini"), said(tmp_path, "never")) == ([str(job)], [str(job)], [])

    play(scene)


def test_drained_idle_and_reconfigured(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        root = s.client(ROOT)
        await pull(root, "node", "idle", program(tmp_path, "idle"), nodes="cn01", offset=600)
        for what in ("drained", "resume"):
            await pull(root, "node", what, program(tmp_path, what))
        await pull(root, "node", "reconfig", program(tmp_path, "reconfig"))
        s.ctl.triggers.look()
        assert not said(tmp_path, "idle")
        s.shift += 700
        await s.until(lambda: said(tmp_path, "idle") == ["cn01"])
        await root.ask("UpdateNode", nodes="cn01", changes={"State": "drain", "Reason": "x"})
        await s.until(lambda: said(tmp_path, "drained") == ["cn01"])
        await root.ask("UpdateNode", nodes="cn01", changes={"State": "resume"})
        await s.until(lambda: said(tmp_path, "resume") == ["cn01"])
        await root.ask("Reconfigure")
        await s.until(lambda: said(tmp_path, "reconfig") == ["*"])

    play(scene)


def test_one_that_was_pulled_is_run_after_a_restart_and_the_restart_is_told(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        root = s.client(ROOT)
        job = await root.submit()
        await pull(root, "job", "fini", program(tmp_path, "fini"), job=job, offset=1000)
        await pull(root, "slurmctld", "primary_slurmctld_resumed_operation", program(tmp_path, "back"), permanent=True)
        await root.ask("CancelJobs", filter={"ids": [str(job)]})
        await s.until(lambda: any(one.pulled for one in s.ctl.cluster.triggers.values()))
        await s.restart()
        await s.until(lambda: said(tmp_path, "back") == ["slurmctld"])
        assert not said(tmp_path, "fini")
        s.shift += 1001
        await s.until(lambda: said(tmp_path, "fini") == [str(job)])
        await s.until(lambda: len(s.ctl.cluster.triggers) == 1)
        listed = (await s.client(ROOT).ask("ListTriggers"))["triggers"]
        assert [(one["what"], one.get("permanent")) for one in listed] == [("primary_slurmctld_resumed_operation", True)]

    play(scene)


def test_who_may_set_see_and_clear(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        alice, bob, root = s.client(ALICE), s.client(BOB), s.client(ROOT)
        await s.node("cn01")
        job = await alice.submit()
        path = program(tmp_path)
        for refused in (await pull(bob, "job", "fini", path, job=job), await pull(alice, "node", "down", path), await pull(root, "job", "fini", path, job=99),
                        await pull(root, "node", "fini", path), await pull(root, "node", "down", "not/absolute"), await pull(root, "node", "down", "'"),
                        await pull(root, "node", "down", path, nodes="cn77")):
            assert refused["type"] == "Failure", refused
        made = await pull(alice, "job", "fini", path, job=job)
        assert [len((await client.ask("ListTriggers"))["triggers"]) for client in (alice, bob, root)] == [1, 0, 1]
        assert (await bob.ask("ClearTriggers", id=made["id"]))["name"] == "ESLURM_ACCESS_DENIED"
        assert (await bob.ask("ClearTriggers", id=77))["name"] == "ESLURM_TRIGGER_MISSING"
        await s.until(lambda: s.state(job) == "RUNNING")
        s.nodes[0].finish(job)
        await s.until(lambda: said(tmp_path, "told.uid"))
        assert said(tmp_path, "told.uid") == [str(ALICE)]
        assert s.nodes[0].of(n.LaunchBatch)

    play(scene)


def test_what_happens_once_has_no_permanent_trigger_and_nobody_takes_all_places(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        root = s.client(ROOT)
        job = await root.submit(hold=True)
        for what in ("fini", "time"):
            refused = await pull(root, "job", what, program(tmp_path), job=job, permanent=True)
            assert refused["type"] == "Failure" and "comes once" in refused["hints"][0], refused
        places = s.ctl.triggers
        places._running = {number: ALICE for number in (1, 2)}
        for uid, has_one in ((ALICE, False), (BOB, True), (ROOT, True)):
            assert places._may_begin(trigger_of(uid)) is has_one
        places._running = {number: 5000 + number // 2 for number in range(16)}
        assert (places._may_begin(trigger_of(BOB)), places._may_begin(trigger_of(ROOT))) == (False, True)
        places._running = {}

    play(scene)


def trigger_of(uid: int) -> Trigger:
    return Trigger(id=99, uid=Uid(uid), gid=Gid(uid), user="x", kind="job", what="fini", program="/bin/true", job=JobId(1), nodes="*")


def test_a_compute_node_sets_no_trigger_of_an_administrator(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client(ALICE).submit()
        await s.until(lambda: s.state(job) == "RUNNING")
        fields: dict[str, object] = {"of": "job", "what": "fini", "program": program(tmp_path), "job": job}
        if os.geteuid() == 0:
            assert (await node.relayed(ALICE, "SetTrigger", **fields))["type"] == "TriggerMade"
        s.ctl.cluster.settings.operators.append(ALICE)
        refused = await node.relayed(ALICE, "SetTrigger", **fields)
        assert refused["kind"] == "NotPermitted", refused

    play(scene)
