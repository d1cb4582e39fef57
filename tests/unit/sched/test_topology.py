"""Nodes near each other in the network. The rows marked so were taken from a real Slurm 22.05 with the same topology.conf; where ours has fewer switches it says so."""

from __future__ import annotations

import pytest

from slurm.core.cluster import Cluster
from slurm.core.update import update_job
from slurm.model.errors import InvalidRequest
from slurm.model.ids import NodeName
from slurm.model.topology import Topology, Unit
from slurm.notation import hostlist
from slurm.sched.feasible import check_request
from slurm.sched.plan import plan
from slurm.sched.terrain import Terrain
from slurm.testing import builders as b

TREE = Topology(kind="tree", units=[
    Unit("s0", "cn[01-04]"), Unit("s1", "cn[05-06]"), Unit("s2", "cn[07-09]"), Unit("t0", children="s[0-1]"), Unit("root", children="t0,s2")])
BLOCKS = Topology(kind="block", sizes=[3, 6], units=[Unit("b1", "cn[01-03]"), Unit("b2", "cn[04-06]"), Unit("b3", "cn[07-09]")])


def lab(topology: Topology = TREE, cpus: int = 4, nodes: int = 9, more: dict[str, object] | None = None, **settings: object) -> Cluster:
    made = [b.node(f"cn{i:02d}", cpus, 16000, position=i) for i in range(1, nodes + 1)]
    partitions = [b.partition("debug", made, default=True), b.partition("other", made, **(more or {}))]
    rules = b.Settings(**{"def_mem_per_cpu": 100, "topologies": [topology], "backfill_resolution": 1} | settings)  # type: ignore[arg-type]
    return b.build(made, partitions, rules)


def busy(c: Cluster, **held: int) -> Cluster:
    """So many CPUs of these nodes are in use."""
    for name, cpus in held.items():
        b.start(c, b.submit(c, ntasks=cpus), name, cpus=cpus)
    return c


def given(c: Cluster, at: float = b.T0, **request: object) -> str:
    """The nodes that a job gets now, "" when it waits."""
    job = b.submit(c, at=b.T0, **request)
    check_request(Terrain(c), job)
    found = [one.allocation for one in plan(c, at).proposals if one.job == job.id]
    return hostlist.compress(found[0].nodes) if found else ""


def nodes(least: int, most: int = 0, **more: object) -> dict[str, object]:
    return {"nodes_min": least, "nodes_max": most or least, **more}


@pytest.mark.parametrize(("line", "request_", "expected"), [
    ("-N1", nodes(1), "cn05"), ("-N2", nodes(2), "cn[05-06]"), ("-N3", nodes(3), "cn[07-09]"), ("-N4", nodes(4), "cn[01-04]"),
    ("-N5", nodes(5), "cn[01-05]"), ("-N6", nodes(6), "cn[01-06]"), ("-N7", nodes(7), "cn[01-04,07-09]"), ("-N9", nodes(9), "cn[01-09]"),
    ("-n5", {"ntasks": 5}, "cn[05-06]"), ("-n8", {"ntasks": 8}, "cn[05-06]"), ("-N1-3", nodes(1, 3), "cn[07-09]"),
    ("-N2-8 -n8", nodes(2, 8, ntasks=8), "cn[01-05,07-09]"),
    ("-n9: one switch, where Slurm takes cn[01,05-06] under two", {"ntasks": 9}, "cn[07-09]"),
    ("-n20: the larger switch first; Slurm takes cn[01-03,05-06]", {"ntasks": 20}, "cn[01-05]"),
], ids=lambda one: one if isinstance(one, str) and " " not in one else "")
def test_a_job_gets_the_smallest_part_of_an_idle_network_that_holds_it(line: str, request_: dict[str, object], expected: str) -> None:
    assert given(lab(), **request_) == expected, line


@pytest.mark.parametrize(("line", "held", "request_", "expected"), [
    ("-N2", {"cn05": 1}, nodes(2), "cn[05-06]"), ("-n5", {"cn05": 1}, {"ntasks": 5}, "cn[05-06]"),
    ("-N3", {"cn05": 1, "cn07": 4, "cn01": 4}, nodes(3), "cn[02-04]"), ("-N4", {"cn05": 1, "cn07": 4, "cn01": 4}, nodes(4), "cn[02-05]"),
    ("-N5", {"cn05": 1, "cn07": 4, "cn01": 4}, nodes(5), "cn[02-06]"),
    ("-N3", {"cn05": 4, "cn06": 4, "cn08": 4}, nodes(3), "cn[01-03]"), ("-N6", {"cn05": 4, "cn06": 4, "cn08": 4}, nodes(6), "cn[01-04,07,09]"),
])
def test_what_others_hold_is_counted(line: str, held: dict[str, int], request_: dict[str, object], expected: str) -> None:
    assert given(busy(lab(), **held), **request_) == expected, line


def test_a_large_cluster_is_filled_by_the_same_rule_as_a_small_one() -> None:
    units = [Unit(f"s{i:02d}", f"cn[{i * 20 + 1:02d}-{i * 20 + 20:02d}]") for i in range(5)]
    c = lab(Topology(kind="tree", units=[*units, Unit("root", children="s[00-04]")]), nodes=100)
    busy(c, cn01=4, cn02=4, cn41=2)
    assert given(c, **nodes(18)) == "cn[03-20]", "the fullest switch that holds it"
    assert given(c, ntasks=75) == "cn[21-39]", "18 nodes hold 72 tasks only"
    assert given(c, **nodes(22)) == "cn[39-40,61-80]", "what the jobs before leave: the largest switch, and of the others the one with the fewest that do"
    assert given(c, ntasks=1) == "cn40"


def test_a_job_waits_for_few_switches_as_long_as_it_said_and_no_longer_than_the_site_lets_it() -> None:
    c = busy(lab(max_switch_wait=300), cn01=4)
    assert given(c, **nodes(3, switches=1)) == "cn[02-04]"
    for asked, bound in ((60, 60), (None, 300), (4000, 300)):
        c = busy(lab(max_switch_wait=300), cn01=4)
        assert given(c, **nodes(4, switches=1, switch_wait=asked)) == ""
        assert not plan(c, b.T0 + bound - 1).proposals
        assert [len(one.allocation.shares) for one in plan(c, b.T0 + bound).proposals] == [4]
    assert given(busy(lab(), cn01=4), **nodes(4, switches=2)) == "cn[02-05]"


def test_a_job_that_waits_for_a_switch_is_foretold_when_it_has_one() -> None:
    c = lab()
    for name in ("cn01", "cn07"):
        b.start(c, b.submit(c, ntasks=4, time_limit=100), name, cpus=4)
    job = b.submit(c, **nodes(4, switches=1, time_limit=50))
    forecast = plan(c, b.T0).forecasts[job.id]
    assert (forecast.start, forecast.nodes) == (b.T0 + 100, ["cn01", "cn02", "cn03", "cn04"])


def test_scontrol_changes_how_many_switches_a_job_waits_for() -> None:
    c = lab()
    job = b.submit(c, **nodes(4, switches=1, hold=True))
    for event in update_job(c, str(job.id), {"Switches": "3@2:00"}, b.ALICE, b.T0):
        c.apply(event)
    assert (job.request.switches, job.request.switch_wait) == (3, 120)


def test_named_nodes_come_with_those_near_them() -> None:
    assert given(lab(), **nodes(2, nodelist="cn08")) == "cn[07-08]"
    assert given(lab(), **nodes(3, nodelist="cn05")) == "cn[01,05-06]"
    assert given(lab(), **nodes(3, nodelist="cn[05,07]")) == "cn[05-07]"


def test_nodes_outside_the_network_are_given_alone_and_networks_apart_share_no_job() -> None:
    apart = Topology(kind="tree", units=[Unit("s0", "cn[01-04]"), Unit("s1", "cn[05-08]")])
    assert given(lab(apart), **nodes(4)) == "cn[01-04]"
    assert given(lab(apart), **nodes(1, nodelist="cn09")) == "cn09"
    for many in (nodes(5), nodes(2, nodelist="cn09")):
        with pytest.raises(InvalidRequest):
            given(lab(apart), **many)
    optional = Topology(kind="tree", units=apart.units, optional=True)
    assert given(lab(optional), **nodes(5)) == "cn[01-05]", "TopoOptional: the network counts for jobs that ask for switches"
    assert given(busy(lab(optional), cn01=4), **nodes(4, switches=1)) == "cn[05-08]"


def test_a_partition_may_have_another_topology() -> None:
    c = lab(more={"topology": "blocks"}, topologies=[TREE, Topology(name="blocks", kind="block", default=False, sizes=[3, 6], units=BLOCKS.units)])
    assert (given(c, **nodes(2)), given(c, **nodes(2), partition="other")) == ("cn[05-06]", "cn[01-02]")
    assert given(lab(more={"topology": "flat"}, topologies=[TREE, Topology(name="flat", default=False)]), **nodes(2), partition="other") == "cn[01-02]"


def test_blocks_are_filled_best_fit_and_larger_jobs_stay_within_aggregated_blocks() -> None:
    assert given(busy(lab(BLOCKS), cn04=4), **nodes(2)) == "cn[05-06]"
    assert given(lab(BLOCKS), **nodes(4)) == "cn[01-04]"
    assert given(busy(lab(BLOCKS), cn02=4), **nodes(5)) == "cn[01,03-06]", "b1 and b2 make up a block of six"
    assert given(lab(BLOCKS), **nodes(8)) == "cn[01-08]"


def test_segments_lie_within_a_block_each() -> None:
    assert given(busy(lab(BLOCKS), cn02=4), **nodes(4, segment=2)) == "cn[01,03-05]"
    assert given(busy(lab(BLOCKS), cn01=4, cn02=4), **nodes(4, segment=2)) == "cn[04-05,07-08]"
    assert given(lab(BLOCKS), **nodes(2, segment=1, spread_segments=True)) == "cn[01,04]"
    with pytest.raises(InvalidRequest):
        given(lab(BLOCKS), **nodes(8, segment=2))
    for wrong in (nodes(5, segment=2), nodes(4, segment=4), {"nodes_min": 2, "segment": 2, "nodes_max": 4}):
        with pytest.raises(InvalidRequest, match="Requested node configuration is not available"):
            b.submit(lab(BLOCKS), **wrong)
    admitted = b.admission.admit(lab(), b.JobRequest(name="job", nodes_min=2, segment=1), b.PayloadRef(), b.ALICE, b.T0)
    assert any("--segment=1 changes nothing" in line for line in admitted.warnings)


def test_the_gpus_of_a_job_are_counted_too() -> None:
    made = [b.node(f"cn{i:02d}", 4, 16000, 0 if i in (5, 6) else 2, position=i) for i in range(1, 10)]
    c = b.build(made, [b.partition("debug", made, default=True)], b.Settings(def_mem_per_cpu=100, topologies=[TREE], gres_types=["gpu"]))
    assert given(c, gpus="5") == "cn[07-09]"
    assert given(c, gpus="7") == "cn[01-04]"
    assert NodeName("cn05") in c.nodes
