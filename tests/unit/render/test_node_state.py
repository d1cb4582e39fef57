"""The states of nodes in sinfo's words, scontrol's and the filter's."""

import pytest

from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.errors import InvalidRequest
from slurm.model.ids import JobId, NodeName
from slurm.model.node import Node
from slurm.model.states import NodeState
from slurm.render import node_list
from slurm.render.node_state import NodeStatus, parse_filter, passes, status
from slurm.wire.messages import ListNodes
from tests.compat import lab


def _status(**fields: object) -> NodeStatus:
    view = lab.view()
    values: dict[str, object] = {"name": NodeName("x"), "cpus": 4, "state": NodeState.IDLE, "responding": True} | fields
    return status(Node(**values), view)  # type: ignore[arg-type]


@pytest.mark.parametrize(("fields", "word", "short", "complete"), [
    ({}, "idle", "idle", "IDLE"),
    ({"cpus_used": CpuSet(1)}, "mixed", "mix", "MIXED"),
    ({"cpus_used": CpuSet(15)}, "allocated", "alloc", "ALLOCATED"),
    ({"drain": True}, "drained", "drain", "IDLE+DRAIN"),
    ({"drain": True, "cpus_used": CpuSet(15)}, "draining", "drng", "ALLOCATED+DRAIN"),
    ({"completing": {JobId(1)}}, "completing", "comp", "IDLE+COMPLETING"),
    ({"state": NodeState.DOWN}, "down", "down", "DOWN"),
    ({"state": NodeState.DOWN, "responding": False}, "down*", "down*", "DOWN+NOT_RESPONDING"),
    ({"state": NodeState.UNKNOWN, "responding": False}, "unknown*", "unk*", "UNKNOWN+NOT_RESPONDING"),
    ({"state": NodeState.FUTURE, "responding": False}, "future", "futr", "FUTURE"),
    ({"name": "cn01"}, "idle-", "idle-", "IDLE+PLANNED"),
])
def test_a_node_reads_as_slurm_shows_it(fields: dict[str, object], word: str, short: str, complete: str) -> None:
    found = _status(**fields)
    assert (found.word, found.short, found.complete) == (word, short, complete)


@pytest.mark.parametrize(("words", "fields", "through"), [
    (["idle"], {}, True),
    (["idle"], {"drain": True}, True),
    (["idle&~drain"], {"drain": True}, False),
    (["idle&!drain"], {}, True),
    (["~drain"], {"drain": True}, False),
    (["!drain"], {"cpus_used": CpuSet(1)}, True),
    (["idle+drain"], {"drain": True}, True),
    (["idle+drain"], {}, False),
    (["BOOT"], {}, False),
    (["drain"], {"drain": True, "cpus_used": CpuSet(1)}, True),
    (["drained"], {"drain": True, "cpus_used": CpuSet(1)}, False),
    (["draining"], {"drain": True, "cpus_used": CpuSet(1)}, True),
    (["mix", "alloc"], {"cpus_used": CpuSet(1)}, True),
    (["alloc"], {"cpus_used": CpuSet(1)}, True),
    (["alloc"], {}, False),
    (["idle&drain"], {"drain": True}, True),
    (["down*"], {"state": NodeState.DOWN}, False),
    (["DOWN*"], {"state": NodeState.DOWN, "responding": False}, True),
    (["all"], {"state": NodeState.DOWN}, True),
])
def test_filters_take_words_letters_and_combinations(words: list[str], fields: dict[str, object], through: bool) -> None:
    assert passes(_status(**fields), parse_filter(words)) is through


@pytest.mark.parametrize("word", ["npc", "perfctrs", "~", "idle&"])
def test_words_of_old_versions_and_halves_of_combinations_are_refused(word: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_filter([word])


def test_a_state_that_is_none_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(InvalidRequest, match='Bad state string: "bogus"') as refusal:
        parse_filter(["bogus"])
    assert "drained" in refusal.value.hints[0]


def test_states_are_sorted_from_the_busiest_and_cpus_of_drained_nodes_are_other() -> None:
    view = lab.view()
    down = view.nodes[NodeName("cn02")]
    down.state, down.cpus_used = NodeState.DOWN, NOTHING
    view.nodes[NodeName("cn04")].drain = True
    rows = node_list.list_nodes(view, ListNodes(fields=["StateCompact", "NodeList", "CPUsState"], partitions=["debug"]), view.now)
    assert rows == [
        ["mix-", "cn01", "9/7/0/16"], ["drng", "cn04", "1/0/15/16"], ["alloc", "cn03", "16/0/0/16"], ["down", "cn02", "0/0/16/16"]]


def test_nodes_that_differ_share_a_line_with_a_plus_unless_exact() -> None:
    view = lab.view()
    fields = ["Partition", "Memory", "Nodes"]
    loose = node_list.list_nodes(view, ListNodes(fields=fields, partitions=["debug"]), view.now)
    exact = node_list.list_nodes(view, ListNodes(fields=fields, partitions=["debug"], exact=True), view.now)
    assert loose == [["debug*", "64000+", "4"]]
    assert exact == [["debug*", "64000", "3"], ["debug*", "128000", "1"]]


def test_hidden_partitions_appear_only_when_asked_for() -> None:
    view = lab.view()
    view.partitions["gpu"].hidden = True
    names = ListNodes(fields=["PartitionName"])
    assert ["gpu"] not in node_list.list_nodes(view, names, view.now)
    names.show_hidden = True
    assert ["gpu"] in node_list.list_nodes(view, names, view.now)
