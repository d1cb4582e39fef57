"""A slice of a real trace through the simulator, beside an EASY scheduler of thirty lines that shares no code with ours.

The slice is jobs 3001 to 3300 of KTH-SP2 (Parallel Workloads Archive). The whole trace gives 92.69 with users' estimates and 71.72 with exact run times;
published are 92.58 and 71.72.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.core import invariants
from slurm.core.cluster import Cluster
from slurm.model.errors import InvalidRequest
from slurm.sim import measures, swf
from slurm.sim.engine import Arrival, Simulator
from slurm.testing import builders as b

PROCESSORS = 100
LINES = (Path(__file__).parent / "kth_slice.swf").read_text().splitlines()


def machine(nodes: int) -> Cluster:
    """A hundred processors in so many nodes."""
    made = [b.node(f"n{i}", PROCESSORS // nodes, position=i) for i in range(nodes)]
    rules = b.Settings(priority_type="basic", select_unit="cpu", select_memory=False, max_job_count=10**6, over_time_limit=-1, min_job_age=0)
    return b.build(made, [b.partition("all", made, default=True)], rules)


def easy(arrivals: list[Arrival]) -> list[float]:
    """Start times by first come, first served with EASY backfilling, counted in processors."""
    starts = [0.0] * len(arrivals)
    queue: list[int] = []
    running: list[tuple[float, float, int]] = []  # (expected end, end, processors)
    coming = list(range(len(arrivals)))
    while coming or queue or running:
        now = min([arrivals[i].at for i in coming[:1]] + [end for _, end, _ in running])
        running = [job for job in running if job[1] > now]
        while coming and arrivals[coming[0]].at <= now:
            queue.append(coming.pop(0))
        free = PROCESSORS - sum(size for _, _, size in running)
        shadow, extra = float("inf"), PROCESSORS
        blocked = False
        for i in list(queue):
            size, limit = arrivals[i].request.ntasks, arrivals[i].request.time_limit or 0
            if size <= free and (not blocked or now + limit <= shadow or size <= extra):
                if blocked and now + limit > shadow:
                    extra -= size
                free -= size
                starts[i] = now
                running.append((now + limit, now + arrivals[i].run_seconds, size))
                queue.remove(i)
            elif not blocked:
                blocked, have = True, free
                for expected, _, released in sorted(running):
                    have += released
                    if have >= size:
                        shadow, extra = expected, have - size
                        break
                else:
                    raise AssertionError("larger than the machine")
    return starts


@pytest.mark.parametrize("exact", [False, True], ids=["estimates", "exact"])
@pytest.mark.parametrize("nodes", [1, 100])
def test_the_trace_runs_as_under_an_independent_easy_scheduler(exact: bool, nodes: int) -> None:
    arrivals = list(swf.read(LINES, exact=exact, start=b.T0))
    outcomes = Simulator(machine(nodes), arrivals).run()
    starts = easy(arrivals)
    assert len(outcomes) == len(arrivals) == 300
    expected = [measures.bounded_slowdown(measures.Outcome(b.JobId(0), a.at, s, s + a.run_seconds)) for a, s in zip(arrivals, starts, strict=True)]
    assert measures.average_bounded_slowdown(outcomes) == pytest.approx(sum(expected) / len(expected), rel=0.02)
    if exact and nodes == 1:
        ours = {outcome.job: outcome.started for outcome in outcomes}
        assert [ours[job] for job in sorted(ours)] == pytest.approx(starts)


def test_invariants_hold_after_every_event_of_the_trace() -> None:
    outcomes = Simulator(machine(4), swf.read(LINES[:120], start=b.T0), check=invariants.assert_valid).run()
    assert len(outcomes) == sum(not line.startswith(";") for line in LINES[:120])


def test_a_line_that_is_no_job_is_named() -> None:
    with pytest.raises(InvalidRequest, match="line 2 is no job"):
        list(swf.read(["; comment", "1 2 three"]))
