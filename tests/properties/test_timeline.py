"""The planner's future against a count by the second: steps up and down, holds of owners, pools; and promises that are kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm.core.cluster import Cluster
from slurm.sched.board import Usage
from slurm.sched.need import Needs
from slurm.sched.plan import plan
from slurm.sched.pools import Pools
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Hold, Timeline
from slurm.testing import builders as b

CPUS, NODES, SECONDS = 4, 3, 24
moments = st.integers(0, SECONDS - 2)
lengths = st.integers(1, SECONDS)
holds = st.lists(st.tuples(moments, lengths, st.integers(0, NODES - 1), st.integers(1, CPUS), st.sampled_from(["", "", "r"])), max_size=5)
runs = st.lists(st.tuples(lengths, st.integers(0, NODES - 1), st.integers(1, 3)), max_size=4)


def usage(at: int, cpus: int) -> Usage:
    return Usage(np.array([at], np.intp), np.array([cpus], np.int32), np.array([0], np.int32), {})


class Seconds:
    """What is free on each node at each second, kept as a table."""

    def __init__(self) -> None:
        self.all = np.full((2 * SECONDS + 2, NODES), CPUS)
        self.own = np.zeros((2 * SECONDS + 2, NODES), int)

    def take(self, begin: int, end: int, at: int, cpus: int) -> None:
        self.all[begin:end, at] -= cpus

    def free(self, inside: str) -> np.ndarray:
        """With what is the owner's own for him, and no more than that."""
        return np.minimum(self.all + self.own, self.own) if inside else self.all


def told(kept: list[tuple[int, int, int, int, str]], running: list[tuple[int, int, int]]) -> tuple[Cluster, Timeline, Seconds]:
    c = b.cluster(NODES, cpus=CPUS)
    timeline, table = Timeline(c, Terrain(c).board, b.T0), Seconds()
    for length, at, cpus in running:
        timeline.board.now.take(usage(at, cpus))
        timeline.take(usage(at, cpus), b.T0 + length)
        table.take(0, length, at, cpus)
    for begin, length, at, cpus, owner in kept:
        timeline.hold(Hold(b.T0 + begin, b.T0 + begin + length, usage(at, cpus), owner))
        table.take(begin, begin + length, at, cpus)
        if owner:
            table.own[begin:begin + length, at] += cpus
    return c, timeline, table


@settings(max_examples=200, deadline=None)
@given(holds, runs, runs, st.tuples(moments, lengths), st.sampled_from(["", "r"]))
def test_what_is_available_is_the_least_of_every_second(
        kept: list[tuple[int, int, int, int, str]], running: list[tuple[int, int, int]], later: list[tuple[int, int, int]],
        asked: tuple[int, int], inside: str) -> None:
    _, timeline, table = told(kept, running)
    inside = inside if any(owner == inside for *_, owner in kept) else ""
    start, end = asked[0], asked[0] + asked[1]
    for begin in {0, start}:
        timeline.available(b.T0 + begin, b.T0 + end, inside=inside)
    for length, at, cpus in later:
        timeline.board.now.take(usage(at, cpus))
        timeline.take(usage(at, cpus), b.T0 + length)
        table.take(0, length, at, cpus)
    for begin in {0, start}:
        found = timeline.available(b.T0 + begin, b.T0 + end, inside=inside).cpus
        least = table.free(inside)[begin:end].min(axis=0)
        assert (found <= least).all() if begin == 0 else (found == least).all(), (begin, end, found, least)
        if begin == 0 and not inside and not running and not later:
            assert (found == least).all()


@settings(max_examples=200, deadline=None)
@given(holds, runs, st.integers(1, CPUS), st.integers(1, NODES), lengths)
def test_the_place_that_is_found_is_the_earliest_there_is(
        kept: list[tuple[int, int, int, int, str]], running: list[tuple[int, int, int]], cpus: int, nodes: int, seconds: int) -> None:
    c, timeline, table = told(kept, running)
    job = b.submit(c, ntasks=nodes, nodes_min=nodes, nodes_max=nodes, cpus_per_task=cpus, time_limit=seconds)
    need = Needs().of(job.request, c.settings, c.partitions["debug"])
    found = timeline.place(need, np.arange(NODES), float(seconds))
    fits = [second for second in range(1, 2 * SECONDS) if (table.all[second:second + seconds].min(axis=0) >= cpus).sum() >= nodes]
    if found is None:
        # Where nothing ends later than now there is no moment to try: such a job starts now, or never.
        assert not fits or not any(length > 0 for length, *_ in running) and not kept
        return
    assert (found.start - b.T0) in fits
    ups = {length for length, *_ in running} | {begin + length for begin, length, *_ in kept}
    assert not any(second < found.start - b.T0 for second in fits if second in ups)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5), st.lists(st.tuples(moments, lengths, st.integers(1, 3)), max_size=8), moments, lengths)
def test_a_pool_has_the_least_of_every_second(free: int, kept: list[tuple[int, int, int]], start: int, seconds: int) -> None:
    pools, table = Pools({"a": free}), [free] * (3 * SECONDS)
    for begin, length, count in kept:
        pools.hold({"a": count}, begin, begin + length)
        for second in range(begin, begin + length):
            table[second] -= count
    assert pools.available("a", start, start + seconds) == min(table[start:start + seconds])
    assert pools.choose([], start, start + seconds) == {}
    assert pools.choose([[("a", 4)], [("a", 1)]], start, start + seconds) == next(
        ({"a": count} for count in (4, 1) if min(table[start:start + seconds]) >= count), None)
    assert pools.available("unknown", 0, 1) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 60), st.booleans()), min_size=2, max_size=14), st.integers(1, 3))
def test_the_promised_start_of_the_first_job_is_never_put_off(wanted: list[tuple[int, int, bool]], promises: int) -> None:
    c = b.cluster(3, cpus=CPUS, backfill_reservations=promises)
    for ntasks, seconds, whole in wanted:
        b.submit(c, ntasks=ntasks, time_limit=seconds, exclusive="node" if whole else "")
    promised: dict[int, float] = {}
    at = b.T0
    while c.pending:
        found = plan(c, at)
        for proposal in found.proposals:
            event = c.starting(proposal.job, proposal.task, proposal.allocation, at, proposal.time_limit)
            assert event is not None
            assert at <= promised.get(proposal.job, at) + 1e-6, "it starts later than it was promised"
            c.apply(event)
        for job, forecast in list(found.forecasts.items())[:1]:
            assert forecast.start <= promised.get(job, forecast.start) + 1e-6, "the promise was put off"
            promised[job] = min(forecast.start, promised.get(job, forecast.start))
        if not c.active:
            assert not c.pending, "somebody waits for nothing"
            break
        at = min(job.start_time + job.time_limit for job in c.active.values())
        for job in [job for job in c.active.values() if job.start_time + job.time_limit <= at]:
            b.finish(c, job, at=at)
