"""Commands that a slurmd relays: who may be spoken for, what root may do from a node, and what holds of an allocation."""

import asyncio
import logging
import pwd

import pytest

from slurm.core import events as e
from slurm.model import msgpack
from slurm.model.policy import Account, Qos, User
from slurm.net.tls import Party
from slurm.slurmctld.session import user_name
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.relay_messages import RegisterSackd, SackdAccepted
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, ROOT, FakeNode, Play, Stage

NO_JOB = "has no job on cn01, so that its slurmd may not speak for"


async def _job_on(stage: Stage, uid: int) -> int:
    job = await stage.client(uid).submit()
    await stage.until(lambda: stage.state(job) == "RUNNING")
    return job


def test_a_slurmd_speaks_for_whoever_has_a_job_on_its_node_and_for_nobody_else(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        job = await _job_on(stage, ALICE)
        reply = await node.relayed(ALICE, "SubmitJob", request={"name": "inner", "work_dir": "/tmp"}, payload={"script": "#!/bin/sh\n"})
        assert reply["type"] == "Submitted"
        assert stage.ctl.cluster.job(reply["job_id"]).owner.uid == ALICE
        with caplog.at_level(logging.WARNING):
            reply = await node.relayed(BOB, "CancelJobs", filter={"ids": [str(job)]})
        assert (reply["type"], reply["name"]) == ("Failure", "SLURM_AUTHENTICATION_ERROR")
        assert NO_JOB in reply["hints"][0] and "sackd" in reply["hints"][1]
        assert f"slurmd of cn01 may not speak for uid {BOB} (pid 4711)" in caplog.text

    play(scene)


def test_with_the_end_of_the_job_ends_what_the_node_may_say_for_its_owner(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        job = await _job_on(stage, ALICE)
        command = node.relay(ALICE)
        command.say("Ping")
        await stage.until(lambda: command.heard)
        assert command.heard[0]["type"] == "Pong"
        node.finish(job)
        await stage.until(lambda: not stage.ctl.cluster.nodes["cn01"].jobs)
        command.say("Ping")
        await stage.until(lambda: len(command.heard) == 2)
        assert NO_JOB in command.heard[1]["hints"][0]

    play(scene)


def test_a_node_cannot_lend_its_users_the_groups_of_others(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        await _job_on(stage, ALICE)
        reply = await node.relayed(ALICE, "Ping", gid=0)
        assert reply["type"] == "Failure" and f"uid {ALICE} is in group 0" in reply["hints"][0]

    play(scene)


def test_root_on_a_node_is_root_of_the_cluster_only_where_the_configuration_says_so(play: Play) -> None:
    async def plain(stage: Stage) -> None:
        node = await stage.node("cn01")
        reply = await node.relayed(ROOT, "ListJobs", fields=["JOBID"])
        assert reply["type"] == "Failure" and "root has no job on cn01" in reply["hints"][0] and "allow_root_on_nodes" in reply["hints"][1]

    async def allowed(stage: Stage) -> None:
        node = await stage.node("cn01")
        reply = await node.relayed(ROOT, "UpdateNode", nodes="cn02", changes={"state": "drain", "reason": "from cn01"})
        assert reply["type"] == "Done"

    play(plain)
    play(allowed, conf=f"{CONF}SlurmctldParameters=allow_root_on_nodes\n")


class Asked:
    """What answers for slurmdbd, and keeps whose questions were passed on with which rights."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bool, bool]] = []

    async def ask(self, uid: int, request: bytes, *, unelevated: bool = False, first: bool = False) -> bytes:
        """An empty answer."""
        self.seen.append((uid, unelevated, first))
        return b'{"type": "Done"}'

    async def close(self) -> None:
        """It goes."""


def test_a_node_with_roots_job_passes_on_no_rights_to_the_accounting_database(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        asked = Asked()
        stage.ctl.past = asked  # type: ignore[assignment]
        await _job_on(stage, ROOT)
        await _job_on(stage, ALICE)
        change = {"verb": "modify", "entity": "user", "which": {"names": ["mallory"]}, "settings": {"admin_level": "Administrator"}}
        for uid in (ROOT, ALICE):
            await node.relayed(uid, "ChangePolicy", change=change)
        await stage.client(ROOT).ask("ChangePolicy", change=change)
        assert asked.seen == [(ROOT, True, False), (ALICE, True, False), (ROOT, False, True)]

    play(scene)


def test_a_node_with_an_administrators_job_has_none_of_his_rights(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        bobs = await _job_on(stage, BOB)
        await _job_on(stage, ALICE)
        records = [Qos(id=1, name="normal"), Account(name="root", coordinators=[user_name(ALICE)]), User(name=user_name(ALICE), admin_level="Administrator")]
        stage.ctl.cluster.apply(e.PolicyChanged(at=1.0, whole=True, records=records))
        for kind, fields in (("UpdateNode", {"nodes": "cn02", "changes": {"state": "drain", "reason": "x"}}),
                             ("UpdatePartition", {"name": "debug", "changes": {"state": "down"}}), ("UpdateJob", {"job_id": str(bobs), "changes": {"priority": "9"}}),
                             ("CancelJobs", {"filter": {"ids": [str(bobs)]}}), ("Shutdown", {})):
            reply = await node.relayed(ALICE, kind, **fields)
            assert reply["type"] == "Failure" or reply.get("refused"), (kind, reply)
        assert stage.state(bobs) == "RUNNING"
        assert (await stage.client(ALICE).ask("CancelJobs", filter={"ids": [str(bobs)]})).get("refused", []) == []

    play(scene)


def test_root_on_a_node_goes_before_nobody(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        await _job_on(stage, ROOT)
        gate = stage.server._gate
        gate.limits = gate.limits._replace(places=20, strangers=10, user_places=0.5)
        await _job_on(stage, BOB)
        theirs = node.relay(BOB)
        theirs.say("Ping")
        await stage.until(lambda: theirs.heard)
        flood = [node.relay(ROOT) for _ in range(100)]
        for command in flood:
            command.say("Ping")
        await stage.until(lambda: all(command.heard or command.gone for command in flood))
        theirs.say("Ping")
        await stage.until(lambda: len(theirs.heard) == 2)
        assert all(not guest.share.first for guest in gate.guests), "a compute node says that it is root"

    play(scene)


def test_a_job_of_root_lets_its_node_act_on_that_job_and_on_nothing_else(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        root, alice = await _job_on(stage, ROOT), await _job_on(stage, ALICE)
        step = {"ntasks": 1}
        assert (await node.relayed(ROOT, "ListJobs", fields=["JOBID"]))["type"] == "Rows"
        assert (await node.relayed(ROOT, "CreateStep", job_id=root, request=step))["type"] == "StepGranted"
        for kind, fields in (
                ("CreateStep", {"job_id": alice, "request": step}), ("CancelJobs", {"filter": {"ids": [str(alice)]}}),
                ("SubmitJob", {"request": {"name": "x", "work_dir": "/tmp"}, "payload": {"script": "#!/bin/sh\n"}}),
                ("UpdateNode", {"nodes": "cn02", "changes": {"state": "drain", "reason": "x"}}), ("Shutdown", {})):
            reply = await node.relayed(ROOT, kind, **fields)
            assert reply["type"] == "Failure" and "act on that job only" in reply["hints"][0], (kind, reply)

    play(scene)


def test_a_relayed_command_cannot_speak_as_a_daemon(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        await _job_on(stage, ROOT)
        command = node.relay(ROOT)
        command.channel.write(frames.pack(frames.MSGPACK, msgpack.encode(n.RegisterNode(
            node="cn02", cpus=4, boards=1, sockets=1, cores_per_socket=4, threads_per_core=1, memory=4000, tmp_disk=0, arch="x", os="x",
            version="x", boot_time=0.0, slurmd_start_time=0.0, endpoint="unix:/x", hostname="x", port=1))))
        await stage.until(lambda: command.gone)
        assert "cn02" not in stage.ctl.links.endpoints

    play(scene)


def test_an_allocation_ends_at_once_with_its_command_and_waits_for_it_when_the_way_to_it_broke(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        await _job_on(stage, ALICE)
        held = []
        for _ in range(2):
            command = node.relay(ALICE)
            command.say("AllocateJob", request={"name": "sh", "kind": "alloc", "work_dir": "/tmp"})
            await stage.until(lambda wanted=command: any(reply["type"] == "Granted" for reply in wanted.heard))
            held.append((command.heard[0]["job_id"], command))
        holders = stage.ctl.holders
        held[0][1].channel.close()
        await stage.until(lambda: held[0][0] in holders._timers)
        node.link.reconnect("for the test")
        await stage.until(lambda: held[1][0] in holders._timers)
        now = asyncio.get_running_loop().time()
        assert holders._timers[held[0][0]].when() - now < 5
        assert holders._timers[held[1][0]].when() - now > 30
        await stage.until(lambda: stage.state(held[0][0]) in ("COMPLETED", "COMPLETING"))
        assert stage.state(held[1][0]) == "RUNNING"

    play(scene)


class FakeSackd(FakeNode):
    """A sackd: a relay that is no node."""

    def on_up(self) -> None:
        """Register."""
        self.send(RegisterSackd(host="whatever it says"))


async def _sackd(stage: Stage, role: str) -> FakeSackd:
    found = FakeSackd(stage, "login1", party=Party("test", role, "login1"))
    stage.nodes.append(found)
    await stage.until(lambda: found.of(SackdAccepted) or found.refused)
    return found


def _somebody() -> tuple[int, int]:
    user = pwd.getpwnam("nobody")
    return user.pw_uid, user.pw_gid


def test_a_sackd_speaks_for_every_user_but_lends_none_a_group(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        login = await _sackd(stage, "sackd")
        uid, gid = _somebody()
        reply = await login.relayed(uid, "SubmitJob", gid=gid, request={"name": "x", "work_dir": "/tmp"}, payload={"script": "#!/bin/sh\n"})
        assert reply["type"] == "Submitted" and stage.ctl.cluster.job(reply["job_id"]).owner.uid == uid
        reply = await login.relayed(uid, "Ping", gid=0)
        assert reply["type"] == "Failure" and f"uid {uid} is in group 0" in reply["hints"][0]
        assert "users and groups must be the same on all machines" in (await login.relayed(4_000_000, "Ping", gid=0))["hints"][1]

    play(scene)


@pytest.mark.parametrize("uid", [ROOT, 4711])
def test_root_and_slurmuser_are_believed_only_from_an_administration_host(play: Play, uid: int, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Stage) -> None:
        stage.ctl.operators = [4711]
        plain, admin = await _sackd(stage, "sackd"), await _sackd(stage, "sackd-admin")
        reply = await plain.relayed(uid, "Shutdown")
        assert (reply["type"], reply["name"]) == ("Failure", "SLURM_AUTHENTICATION_ERROR")
        assert "no certificate of an administration host" in reply["hints"][0] and "sackd-admin" in reply["hints"][1]
        assert f"sackd of login1 may not speak for uid {uid}" in caplog.text
        assert (await admin.relayed(uid, "Ping"))["type"] == "Pong"

    play(scene)


def test_a_daemon_registers_as_what_its_connection_proves_and_as_nothing_else(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        node = await stage.node("cn01")
        as_node = FakeSackd(stage, "cn02", party=Party("test", "slurmd", "cn02"))
        stage.nodes.append(as_node)
        await stage.until(lambda: as_node.refused)
        assert "slurmd cn02 may not speak as a sackd" in as_node.refused[0]
        login = await _sackd(stage, "sackd")
        login.send(n.RegisterNode(
            node="cn02", cpus=4, boards=1, sockets=1, cores_per_socket=4, threads_per_core=1, memory=4000, tmp_disk=0, arch="x", os="x",
            version="x", boot_time=0.0, slurmd_start_time=0.0, endpoint="unix:/x", hostname="x", port=1))
        await stage.until(lambda: login.refused)
        assert "its certificate is that of sackd login1, not of slurmd cn02" in login.refused[0]
        assert node.link.up and "cn02" not in stage.ctl.links.endpoints

    play(scene)
