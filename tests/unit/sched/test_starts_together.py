"""Heterogeneous jobs are planned whole: all components start at one moment or none does, and what is promised is promised to all."""

from __future__ import annotations

import numpy as np
import pytest

from slurm.core import hold
from slurm.core.cluster import Cluster
from slurm.model.settings import Settings
from slurm.sched import together
from slurm.sched.board import Usage
from slurm.sched.explain import explain
from slurm.sched.plan import plan
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Placement, Timeline
from slurm.testing import builders as b


def two_partitions(**settings: object) -> Cluster:
    """cn01 and cn02 in `left`, cn03 and cn04 in `right`, and all of them in `all`."""
    nodes = [b.node(f"cn{i:02d}", 4, 8000, position=i) for i in range(1, 5)]
    return b.build(nodes, [
        b.partition("left", nodes[:2], default=True), b.partition("right", nodes[2:], position=1), b.partition("all", nodes, position=2)],
        Settings(**({"def_mem_per_cpu": 100, "backfill_resolution": 1} | settings)))  # type: ignore[arg-type]


def occupy(c: Cluster, *names: str, **request: object) -> None:
    """A job that has these nodes for itself."""
    b.start(c, b.submit(c, partition="all", **request), *names, cpus=4)


def started(c: Cluster, at: float = b.T0, **how: object) -> list[list[int]]:
    """The jobs that start at once, proposal by proposal."""
    return [[job for job, _ in proposal.parts] for proposal in plan(c, at, **how).proposals]  # type: ignore[arg-type]


def test_all_components_are_one_proposal() -> None:
    c = two_partitions()
    b.submit_het(c, {"ntasks": 4}, {"partition": "right", "ntasks": 8}, {"partition": "all", "ntasks": 1})
    assert started(c) == [[1, 2, 3]]
    assert started(c, backfill=False, depth=10) == [[1, 2, 3]]


def test_none_starts_while_one_finds_no_room_and_nothing_is_taken_from_others_by_the_trial() -> None:
    c = two_partitions()
    occupy(c, "cn03", "cn04", time_limit=100)
    jobs = b.submit_het(c, {"ntasks": 4, "time_limit": 600}, {"partition": "right", "ntasks": 1, "time_limit": 600})
    short = b.submit(c, ntasks=8, time_limit=50)
    outcome = plan(c, b.T0)
    assert [proposal.job for proposal in outcome.proposals] == [short.id]
    assert outcome.verdicts[jobs[1].id].reason == "Resources"
    waits = outcome.verdicts[jobs[0].id]
    assert waits.reason == "Resources" and waits.sentence.startswith("it starts together with component 2+1, which waits: ")
    assert {outcome.forecasts[job.id].start for job in jobs} == {b.T0 + 100}


def test_backfill_does_not_delay_any_component() -> None:
    c = two_partitions()
    occupy(c, "cn03", "cn04", time_limit=100)
    b.submit_het(c, {"nodes_min": 2, "nodes_max": 2, "exclusive": "node"}, {"partition": "right", "ntasks": 1})
    long, short = b.submit(c, time_limit=101), b.submit(c, time_limit=100)
    assert started(c) == [[short.id]] and long.id in plan(c, b.T0).verdicts


def test_without_backfill_those_behind_it_wait_in_every_partition_of_its_components() -> None:
    c = two_partitions()
    occupy(c, "cn03", "cn04")
    b.submit_het(c, {"ntasks": 1}, {"partition": "right", "ntasks": 1})
    b.submit(c, ntasks=1)
    outcome = plan(c, b.T0, backfill=False, depth=10)
    assert outcome.proposals == [] and outcome.verdicts[4].reason == "Priority"  # type: ignore[index]


def test_a_component_with_little_choice_is_placed_before_one_that_could_take_its_nodes() -> None:
    c = two_partitions()
    b.submit_het(c, {"partition": "all", "nodes_min": 2, "nodes_max": 2, "exclusive": "node"}, {"nodes_min": 2, "nodes_max": 2, "exclusive": "node"})
    [proposal] = plan(c, b.T0).proposals
    assert [allocation.nodes for _, allocation in proposal.parts] == [["cn03", "cn04"], ["cn01", "cn02"]]


def test_components_share_a_node_without_sharing_what_is_on_it() -> None:
    c = b.cluster(nodes=1, cpus=4)
    b.submit_het(c, {"ntasks": 2}, {"ntasks": 2})
    [proposal] = plan(c, b.T0).proposals
    cpus = [allocation.shares[0].cpus for _, allocation in proposal.parts]
    assert cpus[0].isdisjoint(cpus[1])
    b.start_planned(c, plan(c, b.T0))
    assert len(c.active) == 2


def test_more_than_a_node_has_is_not_given_to_two_components() -> None:
    c = b.cluster(nodes=1, cpus=4)
    b.submit_het(c, {"ntasks": 3}, {"ntasks": 2})
    assert started(c) == [] and started(c, backfill=False, depth=9) == []


def test_licences_are_counted_for_all_components_together() -> None:
    c = b.cluster(licenses={"matlab": 3})
    b.submit_het(c, {"licenses": "matlab:2"}, {"licenses": "matlab:2"})
    outcome = plan(c, b.T0)
    assert outcome.proposals == [] and {refusal.reason for refusal in outcome.verdicts.values()} == {"Licenses"}
    c = b.cluster(licenses={"matlab": 3})
    b.submit_het(c, {"licenses": "matlab:2"}, {"licenses": "matlab:1"})
    assert started(c) == [[1, 2]]


def test_the_reason_of_a_held_component_is_everybodys_and_no_room_is_kept_for_it() -> None:
    c = b.cluster(nodes=1, cpus=2)
    jobs = b.submit_het(c, {}, {})
    for event in hold.hold(c, ["1+1"], b.ALICE, b.T0):
        c.apply(event)
    other = b.submit(c, ntasks=2)
    outcome = plan(c, b.T0)
    assert [proposal.job for proposal in outcome.proposals] == [other.id]
    assert {outcome.verdicts[job.id].reason for job in jobs} == {"JobHeldUser"}
    told = explain(c, jobs[0], b.T0, refusal=outcome.verdicts[jobs[0].id])
    assert told.job == "1+0" and told.sentence == "it starts together with component 1+1, which waits: it is held by its owner"


def test_the_promised_start_is_the_first_moment_at_which_all_components_fit() -> None:
    c = two_partitions()
    occupy(c, "cn01", "cn02", time_limit=100)
    occupy(c, "cn03", "cn04", time_limit=300)
    jobs = b.submit_het(c, {"ntasks": 1, "time_limit": 60}, {"partition": "right", "ntasks": 1, "time_limit": 60})
    outcome = plan(c, b.T0)
    assert [outcome.forecasts[job.id].start for job in jobs] == [b.T0 + 300, b.T0 + 300]


def test_bf_hetjob_prio_says_whose_place_the_components_share() -> None:
    for word, first in (("", 1), ("max", 1), ("min", 3), ("avg", 1)):
        c = b.cluster(nodes=1, cpus=2, hetjob_priority=word)
        b.submit_het(c, {"priority": 300}, {"priority": 10}, by=b.ROOT)
        b.submit(c, ntasks=2, priority=100, by=b.ROOT)
        assert plan(c, b.T0).proposals[0].job == first, word


def test_a_limit_on_a_group_holds_for_all_components_together() -> None:
    c = two_partitions()
    b.submit_het(c, {"ntasks": 1}, {"ntasks": 1})
    assert started(c) == [[1, 2]]
    assert not c.policy.tally.of(("association", 1, "")).running


def ways_of(count: int) -> list[together.Way]:
    """Ways whose contents nobody looks at but by their number."""
    return [together.Way(number, None, None, None) for number in range(count)]  # type: ignore[arg-type]


def nowhere(start: float) -> Placement:
    return Placement(start, start + 60, [], NOTHING, {})


NOTHING = Usage(np.array([], np.intp), np.array([], np.int32), np.array([], np.int32), {})


@pytest.mark.parametrize("count", [2, 60, 128])
def test_places_that_never_come_at_one_moment_are_given_up_after_a_bounded_number_of_looks(count: int) -> None:
    c = two_partitions()
    asked: list[float] = []

    def place(way: together.Way, after: float) -> Placement:
        asked.append(after)
        return nowhere(after + 1)

    assert together.placed(Timeline(c, Terrain(c).board, b.T0), ways_of(count), place) is None
    assert count <= len(asked) <= together.PLACES_MOST


def test_after_one_round_all_are_sought_from_the_latest_moment_that_any_of_them_needs() -> None:
    c = two_partitions()
    asked = 0

    def place(way: together.Way, after: float) -> Placement:
        nonlocal asked
        asked += 1
        return nowhere(max(after, b.T0 + 100.0 * int(way.job)))  # type: ignore[call-overload]

    found = together.placed(Timeline(c, Terrain(c).board, b.T0), ways_of(50), place)
    assert found is not None and {one.start for one in found} == {b.T0 + 4900}
    assert asked == 100


def test_a_pass_that_is_over_looks_no_further_ahead_and_at_no_further_heterogeneous_job() -> None:
    c = two_partitions()
    occupy(c, "cn01", "cn02", "cn03", "cn04", time_limit=100)
    for _ in range(3):
        b.submit_het(c, {"ntasks": 8, "time_limit": 60}, {"partition": "right", "ntasks": 8, "time_limit": 60})
    assert len(plan(c, b.T0).forecasts) == 6
    looks = 0

    def over() -> bool:
        nonlocal looks
        looks += 1
        return looks > 6  # once all jobs were looked at, of which the first has its start

    outcome = plan(c, b.T0, over=over)
    assert set(outcome.forecasts) == {2, 3}
    assert plan(c, b.T0, over=lambda: True).ended_by == "bf_max_time"
