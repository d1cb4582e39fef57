"""`python -m bench.trace TRACE.swf[.gz]`: CPU seconds of the simulator for a trace under four policies, and what they come to.

Beside them is what the SC'15 study "Improving backfilling by using machine learning to predict running times" published of KTH-SP2. With
`--generated N` instead of a trace: N jobs drawn after KTH's, always the same for a seed. `--nodes` shares out the processors.
"""

from __future__ import annotations

import argparse
import gzip
import random
import time
from collections.abc import Iterator, Sequence

from slurm.sim import machine, measures, swf
from slurm.sim.engine import Simulator
from slurm.sim.policies import ShortestFirst

PROCESSORS = 100
PUBLISHED = {(False, False): 92.58, (True, False): 71.72, (False, True): 69.41, (True, True): 49.85}
"""Average bounded slowdown of KTH-SP2 by (exact run times, shortest job first behind the head)."""
SIZES = ((1, 35), (2, 10), (4, 14), (8, 16), (16, 12), (32, 8), (64, 4), (96, 1))
"""Processors of a job, and how many in a hundred ask for so many."""
DAY = 86_400.0


def generated(count: int, seed: int = 1) -> Iterator[str]:
    """Lines of a workload like KTH's: 70 % of 100 processors in use, more jobs by day than by night, generous estimates."""
    chance = random.Random(seed)
    sizes, weights = zip(*SIZES, strict=True)
    at = 0.0
    for number in range(1, count + 1):
        by_day = 8 <= at % DAY / 3600 < 18
        at += chance.expovariate((1.7 if by_day else 0.5) / 740)
        size = chance.choices(sizes, weights)[0]
        run = min(DAY, chance.lognormvariate(6.5, 2.2)) + 1
        asked = min(DAY, run * chance.choice((1, 1.2, 2, 3, 5, 10)) + 60)
        yield (f"{number} {int(at)} -1 {int(run)} {size} -1 -1 {size} {int(asked)} -1 1 {chance.randint(1, 200)} 1 -1 -1 -1 -1 -1")


def measured(lines: Sequence[str], nodes: int, *, exact: bool, shortest: bool) -> tuple[float, float, int, int]:
    """CPU seconds, average bounded slowdown, jobs that ended and passes of one run."""
    arrivals = list(swf.read(lines, exact=exact, start=DAY))
    conf = machine.configured(f"{machine.equal_nodes(nodes, PROCESSORS // nodes)}\nSchedulerParameters=bf_resolution=1\n")  # as the study has it
    cluster = machine.cluster(conf, arrivals[0].at - 1)
    simulator = Simulator(cluster, arrivals, queue=ShortestFirst() if shortest else None)
    began = time.process_time()
    outcomes = simulator.run()
    return time.process_time() - began, measures.average_bounded_slowdown(outcomes), len(outcomes), simulator.passes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.trace", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("trace", nargs="?", help="a trace in the Standard Workload Format")
    parser.add_argument("--generated", type=int, default=0, metavar="N", help="so many jobs instead of a trace")
    parser.add_argument("--nodes", type=int, default=1, help="nodes that share the processors")
    asked = parser.parse_args()
    if bool(asked.trace) == bool(asked.generated):
        parser.error("name a trace, or --generated N")
    if asked.generated:
        lines = list(generated(asked.generated))
    else:
        opener = gzip.open if asked.trace.endswith(".gz") else open
        with opener(asked.trace, "rt") as file:
            lines = file.read().splitlines()
    print(f"{'run times':10} {'behind the head':16} {'jobs':>7} {'passes':>8} {'CPU s':>7} {'slowdown':>9} {'published':>9}")
    for (exact, shortest), published in PUBLISHED.items():
        seconds, slowdown, jobs, passes = measured(lines, asked.nodes, exact=exact, shortest=shortest)
        shown = f"{published:9.2f}" if asked.trace else ""
        print(f"{'exact' if exact else 'estimates':10} {'shortest' if shortest else 'by priority':16} {jobs:7} {passes:8} {seconds:7.1f} "
              f"{slowdown:9.2f} {shown}", flush=True)
        if asked.generated:
            break


if __name__ == "__main__":
    main()
