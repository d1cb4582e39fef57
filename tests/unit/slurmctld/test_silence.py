"""Counting silence: who is given up when, and when the controller takes itself for the one that is cut off."""

from __future__ import annotations

from slurm.core.cluster import Cluster
from slurm.model.ids import NodeName
from slurm.model.states import NodeState
from slurm.slurmctld.silence import Silence
from slurm.testing import builders as b

LIMIT, HEARTBEAT = 300.0, 10.0


class Watch:
    """A cluster of nodes of which those in `speaking` send heartbeats, on a clock that the test moves."""

    def __init__(self, nodes: int, *, up: bool = True) -> None:
        made = [b.node(f"cn{i:02d}", position=i) for i in range(1, nodes + 1)]
        self.cluster: Cluster = b.build(made, [b.partition("debug", made, default=True)], up=up)
        self.time = 1000.0
        self.silence = Silence(lambda: self.time)
        self.silence.expect(self.cluster.nodes)
        self.speaking = set(self.cluster.nodes)
        self.lost: list[NodeName] = []

    def run(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds):
            self.time += 1.0
            if self.time % HEARTBEAT == 0:
                for name in self.speaking:
                    self.silence.heard(name)
            found = self.silence.look(self.cluster.nodes, LIMIT, HEARTBEAT, holds=lambda node: bool(node.jobs))
            for name in found:
                self.cluster.nodes[name].state = NodeState.DOWN
            self.lost += found

    def stop(self, *numbers: int) -> None:
        """These nodes fall silent."""
        self.speaking -= {b.NodeName(f"cn{number:02d}") for number in numbers}


def test_one_silent_node_is_given_up_after_slurmd_timeout_once() -> None:
    w = Watch(8)
    w.stop(1)
    w.run(295)
    assert w.lost == []
    w.run(600)
    assert w.lost == ["cn01"]
    assert not w.silence.isolated


def test_half_of_the_nodes_are_given_up_more_than_half_are_not() -> None:
    w = Watch(8)
    w.stop(1, 2, 3, 4)
    w.run(400)
    assert sorted(w.lost) == ["cn01", "cn02", "cn03", "cn04"]
    w = Watch(8)
    w.stop(1, 2, 3, 4, 5)
    w.run(4000)
    assert w.lost == []
    assert "5 of 8 nodes fell silent together" in w.silence.isolated


def test_of_three_nodes_each_is_given_up_since_nobody_can_tell_whose_cable_it_is() -> None:
    w = Watch(3)
    w.stop(1, 2, 3)
    w.run(400)
    assert len(w.lost) == 3


def test_nodes_that_are_down_already_do_not_count() -> None:
    w = Watch(10)
    w.stop(1, 2, 3, 4)
    w.run(400)
    assert len(w.lost) == 4
    w.stop(5, 6, 7, 8)
    w.run(400)
    assert len(w.lost) == 4 and "4 of 6" in w.silence.isolated


def test_nodes_that_fell_silent_a_moment_apart_fell_silent_together() -> None:
    w = Watch(6)
    for number in (1, 2, 3, 4):
        w.stop(number)
        w.run(4)
    w.run(1000)
    assert w.lost == []


def test_when_the_network_is_back_silence_is_counted_anew() -> None:
    w = Watch(6)
    w.stop(1, 2, 3, 4)
    w.run(1000)
    w.speaking |= {b.NodeName(f"cn0{i}") for i in (2, 3, 4)}
    w.run(200)
    assert w.lost == [] and not w.silence.isolated
    w.run(150)
    assert w.lost == ["cn01"]


def test_a_cut_off_controller_says_so_loudly(caplog: object) -> None:
    w = Watch(4)
    w.stop(1, 2, 3)
    w.run(400)
    records = [record for record in caplog.records if record.levelname == "CRITICAL"]  # type: ignore[attr-defined]
    assert len(records) == 1 and "cut off" in records[0].message


def test_nodes_that_never_came_are_given_up_as_slurm_does() -> None:
    w = Watch(8, up=False)
    w.stop(*range(1, 9))
    w.run(400)
    assert len(w.lost) == 8


def test_a_restarted_controller_begins_to_count_anew() -> None:
    w = Watch(2)
    w.stop(1)
    w.run(290)
    w.silence = Silence(lambda: w.time)
    w.silence.expect(w.cluster.nodes)
    w.run(290)
    assert w.lost == []
    w.run(20)
    assert w.lost == ["cn01"]


def test_a_controller_that_stood_still_heard_nobody() -> None:
    w = Watch(2)
    w.time += 5000
    w.run(200)
    assert w.lost == []
