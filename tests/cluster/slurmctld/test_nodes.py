"""Nodes as the controller sees them: who may speak for one, what it reports, how it goes and comes back."""

import asyncio
import os

import msgspec
import pytest
from cryptography import x509

from slurm.config.config import parse
from slurm.model.accounting import Usage
from slurm.model.states import JobState, NodeState
from slurm.net.authority import Authority
from slurm.net.peer import Peer
from slurm.net.signing import Checker
from slurm.net.tls import Trust
from slurm.slurmctld.certifying import USER_SECONDS, Certifier
from slurm.slurmctld.silence import Silence
from slurm.store.memory import Fault
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.step_credential import opened
from tests.cluster.slurmctld.conftest import BOB, CONF, ROOT, FakeNode, Play, Stage


def test_a_report_is_acknowledged_once_it_is_on_disk(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        s.disk.faults = [Fault.FULL]
        serial = node.report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.engine.stalled)
        assert not node.of(n.Acknowledged)
        await s.until(lambda: node.of(n.Acknowledged))
        assert node.of(n.Acknowledged)[0].serial == serial

    play(scene)


def test_only_root_and_the_daemons_own_user_speak_for_a_node(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Stage) -> None:
        stranger = FakeNode(s, "cn01", uid=BOB)
        s.nodes.append(stranger)
        await s.until(lambda: stranger.refused)
        assert "may not speak for a node" in stranger.refused[0]
        assert [line for line in caplog.messages if line.startswith("uid ") and "registration as node" in line and "may not speak" in line]
        assert not s.ctl.cluster.nodes["cn01"].registered

    play(scene)


def test_a_stranger_who_reports_without_registering_is_sent_away(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        client = s.client(BOB)
        await s.ctl.links.on_message(client.peer, msgspec.msgpack.encode(n.StepEnded(serial=1, job=job, attempt=1, step=-5, status=0)))
        assert client.peer.closed
        assert s.state(job) == "RUNNING"

    play(scene)


def test_a_node_cannot_end_the_job_of_another_node(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Stage) -> None:
        one, two = await s.node("cn01"), await s.node("cn02")
        job = await s.client().submit(nodelist="cn01")
        await s.until(lambda: one.of(n.LaunchBatch))
        two.report(n.StepEnded, job=job, attempt=1, step=-5, status=0)
        await s.until(lambda: two.of(n.Acknowledged))
        assert s.state(job) == "RUNNING"

    play(scene)
    assert "not its own" in caplog.text


def test_a_report_that_cannot_be_is_logged_and_not_asked_for_again(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.StepEnded, job=job, attempt=7, step=-5, status=0)
        await s.until(lambda: node.of(n.Acknowledged))
        assert s.state(job) == "RUNNING"
        node.finish(job)
        await s.until(lambda: s.state(job) == "COMPLETED")

    play(scene)
    assert "reports what cannot be" in caplog.text


def test_a_node_that_is_not_in_the_configuration_is_told_so(play: Play) -> None:
    async def scene(s: Stage) -> None:
        stranger = FakeNode(s, "cn77")
        s.nodes.append(stranger)
        await s.until(lambda: stranger.refused)
        assert "cn77 is not in the controller's slurm.conf" in stranger.refused[0]

    play(scene)


def test_a_node_whose_connection_breaks_gets_no_new_jobs_until_it_is_back(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        node.link.reconnect("cut")
        await s.until(lambda: not s.ctl.cluster.nodes["cn01"].responding)
        await s.until(lambda: s.ctl.cluster.nodes["cn01"].responding)
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        assert s.state(job) == "RUNNING"

    play(scene)


def test_after_a_restart_no_job_is_given_to_a_node_that_has_not_registered(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        await s.ctl.engine.settled()
        await node.link.close()
        s.network.servers.clear()
        await s.ctl.close()
        s.open()
        assert not s.ctl.cluster.nodes["cn01"].responding
        job = await s.client().submit()
        await asyncio.sleep(0.2)
        assert s.state(job) == "PENDING"

    play(scene)


def test_a_launch_that_got_lost_is_sent_again_when_the_node_registers(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 1)
        await s.restart()
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        assert {(order.job, order.attempt) for order in node.of(n.LaunchBatch)} == {(job, 1)}

    play(scene)


def test_a_node_that_never_registered_goes_down_after_slurmdtimeout(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.until(lambda: s.ctl.cluster.nodes["cn02"].state.name == "DOWN", seconds=6)
        assert s.ctl.cluster.nodes["cn02"].reason == "Not responding"
        await s.node("cn02")
        assert s.ctl.cluster.nodes["cn02"].state.name == "IDLE"

    play(scene, conf=CONF.replace("SlurmdTimeout=300", "SlurmdTimeout=2"))


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_the_time_in_which_the_controller_stood_still_is_not_held_against_its_nodes(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        s.ctl._timer.cancel()  # type: ignore[union-attr]
        links, clock = s.ctl.links, Clock()
        links.silence = Silence(clock)
        links.expect_all()
        clock.time += 5000
        assert links.check_silence() == []
        for _ in range(301):
            clock.time += 1.0
            lost = links.check_silence()
        assert sorted(lost) == ["cn01", "cn02"]
        clock.time += 1.0
        assert links.check_silence() == [], "each is given up once"

    play(scene)


def test_a_node_that_leaves_the_configuration_ends_what_it_runs(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        two = await s.node("cn02")
        job = await s.client().submit(nodelist="cn02", requeue=False)
        await s.until(lambda: two.of(n.LaunchBatch))
        two.report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(job).launched)
        s.config = parse(CONF.replace("cn[01-02]", "cn01"))
        reply = await s.client(ROOT).ask("Reconfigure")
        assert reply["type"] == "Done", reply
        assert s.ctl.cluster.nodes["cn02"].state is NodeState.FUTURE, "nobody sees it any more, but it may still run something"
        await s.until(lambda: two.of(n.TerminateJob))
        assert s.state(job) == "NODE_FAIL"
        await s.until(lambda: len(two.of(n.NodeAccepted)) > 1)
        await s.until(lambda: not s.ctl.cluster.nodes["cn02"].remains)
        await s.client(ROOT).ask("Reconfigure")
        assert list(s.ctl.cluster.nodes) == ["cn01"]
        await s.until(lambda: two.refused)
        assert "cn02" not in s.ctl.links.endpoints

    play(scene)


def test_a_second_slurmd_of_the_same_name_takes_over_and_the_first_is_disconnected(play: Play) -> None:
    async def scene(s: Stage) -> None:
        first = await s.node("cn01")
        peer: Peer | None = first.link.peer
        second = FakeNode(s, "cn01")
        s.nodes.append(second)
        await s.until(lambda: second.of(n.NodeAccepted))
        assert peer is not None
        await s.until(lambda: peer.closed)
        await first.link.close()
        await asyncio.sleep(0.05)
        assert s.ctl.cluster.nodes["cn01"].responding

    play(scene)


def test_a_script_that_cannot_be_read_fails_its_job_and_no_other(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        bad = await client.submit(hold=True, requeue=False)
        s.disk.payloads.clear()
        await client.ask("ReleaseJobs", ids=[str(bad)])
        await s.until(lambda: s.ctl.cluster.job(bad).state.finished)
        assert s.state(bad) == "FAILED"
        good = await client.submit(name="good")
        await s.until(lambda: node.of(n.LaunchBatch))
        assert node.of(n.LaunchBatch)[0].job == good

    play(scene)


def test_a_step_whose_grant_got_lost_is_granted_again_and_not_made_twice(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        request = {"name": "s", "ntasks": 1, "key": "77"}
        first = await s.client().ask("CreateStep", job_id=job, request=request)
        await s.restart()
        await s.until(lambda: s.ctl.links.endpoints)
        again, other = [await s.client().ask("CreateStep", job_id=job, request={**request, "key": key}) for key in ("77", "78")]
        assert again["step_id"] == first["step_id"] == 0 and again["layout"] == first["layout"]
        assert other["type"] == "Failure" and other["name"] == "ESLURM_NODES_BUSY"

    play(scene)


def test_a_user_is_certified_for_his_own_running_job_only(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        without = await client.ask("CertifyUser", job_id=job)
        assert without["type"] == "Failure" and "cannot vouch for users on other machines" in without["message"]
        authority = Authority(b"k" * 64, "test")
        s.ctl.certifier = Certifier(lambda: authority, Trust(authority.credentials("slurmctld", "head")))
        given = await client.ask("CertifyUser", job_id=job)
        own = x509.load_pem_x509_certificate(given["certificate"].encode())
        assert own.subject.rfc4514_string() == f"CN=user {client.session.caller.uid}" and given["authorities"].encode() == authority.certificate
        assert 86400 < own.not_valid_after_utc.timestamp() - s.ctl.now() <= USER_SECONDS + 1
        for other, kind, fields in ((BOB, "CertifyUser", {"job_id": job}), (None, "CertifyUser", {"job_id": 4711}),
                                    (ROOT, "CertifyDaemon", {"role": "slurmd", "name": "cn01"})):
            refused = await (client if other is None else s.client(other)).ask(kind, **fields)
            assert refused["type"] == "Failure", (kind, fields)
        s.ctl.enrols = True  # as with auth/munge
        assert (await s.client(ROOT).ask("CertifyDaemon", role="slurmd", name="cn01"))["type"] == "Certified"
        assert (await s.client(BOB).ask("CertifyDaemon", role="slurmd", name="cn01"))["type"] == "Failure"
        await client.ask("CancelJobs", filter={"ids": [str(job)]})
        await s.until(lambda: s.ctl.cluster.job(job).state is not JobState.RUNNING)
        assert (await client.ask("CertifyUser", job_id=job))["type"] == "Failure"

    play(scene)


def test_steps_are_given_where_slurmd_can_be_reached_and_hold_only_their_own_devices(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit(gres="gpu:2")
        await s.until(lambda: node.of(n.LaunchBatch))
        assert node.of(n.LaunchBatch)[0].devices == ["/dev/g0", "/dev/g1"]
        granted = await client.ask("CreateStep", job_id=job, request={"name": "s", "ntasks": 1, "gres": "gpu:1"})
        assert granted["type"] == "StepGranted", granted
        accepted = node.of(n.NodeAccepted)[0]
        credential = opened(granted["credential"], Checker(accepted.step_key).genuine)
        assert (credential.cluster, credential.job, credential.attempt, credential.step) == ("test", job, 1, 0)
        assert credential.devices == {"cn01": ["/dev/g0"]} and [share.node for share in credential.shares] == ["cn01"]
        assert credential.groups == os.getgrouplist(credential.user, credential.gid)
        assert credential.expires == credential.issued + 90.0, "AuthInfo=cred_expire= says so"
        assert s.ctl.signer.public == accepted.step_key != b"k" * 32, "nodes hold the public half only"
        assert granted["layout"][0]["address"] == "unix:/run/cn01.sock"
        assert (await s.client(BOB).ask("FinishStep", job_id=job, step_id=0))["type"] == "Failure"
        assert (await client.ask("FinishStep", job_id=job, step_id=0, status=0))["type"] == "Done"
        assert 0 not in s.ctl.cluster.job(job).steps

    conf = CONF.replace("NodeHostname=localhost", "NodeHostname=localhost Gres=gpu:2") + "GresTypes=gpu\nAuthInfo=cred_expire=90\n"
    play(scene, conf=conf, gres="Name=gpu File=/dev/g[0-1]\n")


def test_a_report_out_of_bounds_is_taken_as_far_as_it_can_be_and_answered_once(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.BatchLaunched, job=job, attempt=1)
        ended = node.report(n.StepEnded, job=job, attempt=1, step=-5, status=-1, usage=Usage(user_seconds=-5.0), why="x" * 100_000)
        await s.until(lambda: ended in {one.serial for one in node.of(n.Acknowledged)})
        node.report(n.JobGone, job=job, attempt=1)
        await s.until(lambda: s.state(job) == "FAILED")
        assert s.ctl.cluster.job(job).exit_status == 1 << 8
        assert "status: a whole number from 0 to 65535; -1 was sent" in s.ctl.cluster.job(job).reason_text
        assert node.link.up

    play(scene)
    told = [record.getMessage() for record in caplog.records if "taken as far as it can be" in record.getMessage()]
    assert len(told) == 1 and "usage.user_seconds" in told[0] and "node cn01" in told[0]


@pytest.mark.parametrize("report", [
    {"type": "JobGone", "serial": 7, "job": -1, "attempt": 1}, {"type": "StepEnded", "serial": 7, "job": "x", "attempt": 1, "step": 0, "status": 0},
    {"type": "LaunchRefused", "serial": 7, "attempt": 1}], ids=["out of bounds", "of another kind", "missing"])
def test_a_report_of_which_not_even_the_attempt_is_known_is_answered_and_passed_over(play: Play, caplog: pytest.LogCaptureFixture, report: dict[str, object]) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        node.link.send(frames.pack(frames.MSGPACK, msgspec.msgpack.encode(report)))
        await s.until(lambda: [one.serial for one in node.of(n.Acknowledged)] == [7])
        assert node.link.up

    play(scene)
    assert len([record for record in caplog.records if "a report that cannot be is passed over" in record.getMessage()]) == 1
