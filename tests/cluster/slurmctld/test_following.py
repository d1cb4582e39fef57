"""Following the cluster: everything once, then every change, to whom it may be told, each message encoded once."""

import json
from typing import Any

from slurm.core.events import NodeUpdated
from slurm.model.ids import NodeName, Uid
from slurm.render import feed, json_cluster, json_job
from slurm.slurmctld import followers
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, ROOT, Client, Play, Stage


class Replica:
    """What a follower knows."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.jobs: dict[int, dict[str, Any]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.seqs: list[int] = []
        self.begins = 0
        self._read = 0

    def read(self) -> "Replica":
        """Take what has come."""
        for message in self.client.said[self._read:]:
            if message["type"] == "Feed":
                self.seqs.append(message["seq"])
                if message.get("begins"):
                    self.begins += 1
                    self.jobs.clear()
                    self.nodes.clear()
                self.jobs |= {one["id"]: one for one in message.get("jobs", ())}
                self.nodes |= {one["name"]: one["record"] for one in message.get("nodes", ())}
                for job in message.get("jobs_gone", ()):
                    self.jobs.pop(job, None)
                for node in message.get("nodes_gone", ()):
                    self.nodes.pop(node, None)
        self._read = len(self.client.said)
        return self

    def state(self, job: int) -> str:
        """Of a job, "" for one that it does not know."""
        found = self.read().jobs.get(job)
        return str(found["state"]) if found else ""


def follow(s: Stage, uid: int = ALICE) -> Replica:
    client = s.client(uid)
    client.begin("Follow")
    return Replica(client)


def test_a_follower_is_told_everything_and_then_what_changes(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        before = await s.client().submit(name="before")
        await s.until(lambda: node.of(n.LaunchBatch))
        replica = follow(s)
        await s.until(lambda: replica.state(before) == "RUNNING" and set(replica.nodes) == {"cn01", "cn02"})
        assert replica.nodes["cn01"]["state"] == ["MIXED"]
        later = await s.client(BOB).submit(name="later", hold=True)
        await s.until(lambda: replica.state(later) == "PENDING")
        node.finish(before)
        await s.until(lambda: replica.state(before) == "COMPLETED" and replica.nodes["cn01"]["state"] == ["IDLE"])
        assert replica.seqs == sorted(replica.seqs)
        assert replica.begins == 1

    play(scene)


def test_what_an_operator_does_to_a_node_is_told(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        replica = follow(s)
        await s.until(lambda: replica.read().nodes)
        s.ctl.engine.record(NodeUpdated(at=s.now(), node=NodeName("cn01"), by=Uid(0), state="DRAIN", reason="dust"))
        await s.until(lambda: "DRAIN" in replica.read().nodes["cn01"]["state"])
        assert replica.nodes["cn01"]["reason"] == "dust"

    play(scene)


def test_jobs_that_leave_memory_and_arrays_that_shrink_are_told(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        replica = follow(s)
        array = await s.client().submit(array="1-3", cpus_per_task=4)
        await s.until(lambda: len(replica.read().jobs) == 2)
        assert sorted(one.get("tasks", 1) for one in replica.jobs.values()) == [1, 2]
        started = node.of(n.LaunchBatch)[0].job
        node.finish(started)
        await s.until(lambda: started not in replica.read().jobs)
        assert all(one["record"]["array_job_id"]["number"] == array for one in replica.jobs.values())

    play(scene, conf=CONF + "MinJobAge=1\n")


def test_nobody_is_told_of_jobs_that_are_kept_from_him(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        hers, theirs, all_of_them = follow(s, ALICE), follow(s, BOB), follow(s, ROOT)
        mine = await s.client(ALICE).submit(hold=True)
        other = await s.client(BOB).submit(hold=True)
        await s.until(lambda: len(all_of_them.read().jobs) == 2 and hers.read().jobs and theirs.read().jobs)
        assert (set(hers.jobs), set(theirs.jobs)) == ({mine}, {other})
        assert not hers.nodes
        assert len(all_of_them.nodes) == 2
        rights = await s.client(ALICE).ask("ReadRights")
        assert (rights["all_jobs"], rights["all_nodes"], rights["operator"], rights["expires"]) == (False, False, False, 0.0)
        assert (await s.client(ROOT).ask("ReadRights"))["all_jobs"] is True
        assert str(other) not in json.dumps([one for one in hers.client.said if one.get("jobs_gone")])

    play(scene, conf=CONF + "PrivateData=jobs,nodes\n")


def test_a_reason_that_changes_by_itself_is_told(play: Play, monkeypatch: Any) -> None:
    monkeypatch.setattr(followers, "SWEEP_SECONDS", 0.05)

    async def scene(s: Stage) -> None:
        await s.node("cn01")
        await s.client().submit(cpus_per_task=4)
        replica = follow(s)
        waiting = await s.client().submit(cpus_per_task=4)
        await s.until(lambda: replica.state(waiting) and replica.jobs[waiting]["record"]["state_reason"] not in ("None", ""))

    play(scene)


def test_hundreds_who_see_the_same_cost_one_encoding(play: Play, monkeypatch: Any) -> None:
    made: list[int] = []
    whole = feed.job_record
    monkeypatch.setattr(feed, "job_record", lambda job, view: made.append(job.id) or whole(job, view))

    async def scene(s: Stage) -> None:
        await s.node("cn01")
        replicas = [follow(s, ROOT) for _ in range(50)]
        await s.until(lambda: all(one.read().nodes for one in replicas))
        made.clear()
        job = await s.client().submit(hold=True)
        await s.until(lambda: all(one.state(job) for one in replicas))
        assert len(made) <= 3, made

    play(scene)


def test_a_user_does_not_take_all_places_and_who_goes_leaves_nothing_behind(play: Play) -> None:
    async def scene(s: Stage) -> None:
        clients = [follow(s).client for _ in range(8)]
        await s.until(lambda: len(s.ctl.followers) == 8)
        assert (await s.client().ask("Follow"))["type"] == "Failure"
        for client in clients:
            client.hang_up()
        await s.until(lambda: len(s.ctl.followers) == 0)

    play(scene)


def test_records_are_parts_of_slurms(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        await s.client().submit(array="1-3", cpus_per_task=4)
        view = s.ctl.view()
        await s.until(lambda: s.ctl.cluster.active)
        for job in s.ctl.cluster.jobs.values():
            found = feed.job_record(job, view)
            assert tuple(found) == tuple(feed.JOB)
            whole = json_job.job_record(job, view)
            assert not [name for name, value in found.items() if whole[name] != value]
        for node in s.ctl.cluster.nodes.values():
            all_of_it = json_cluster.node_record(node, view)
            assert not [name for name, value in feed.node_record(node, view).items() if all_of_it[name] != value]

    play(scene)
