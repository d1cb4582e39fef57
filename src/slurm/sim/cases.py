"""Cases: the same workload under several configurations and seeds, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_int64
from typing import Any, NamedTuple

from slurm.core.cluster import Cluster
from slurm.model.errors import InvalidRequest, SlurmError
from slurm.sim import machine, measures
from slurm.sim.engine import Arrival, Breakdown, Outcome, Simulator
from slurm.sim.policies import ShortestFirst

BACKFILL_ORDER = "BackfillOrder"
"""What is changed like a key of slurm.conf and is none: priority (Slurm's) or shortest."""
_REPEATED = ("nodename", "partitionname", "downnodes", "nodeset")
_DAY = 86_400.0
_LOOK_SECONDS = 0.2
_EVERY = 100
"""Jobs that end between two looks at how far a run is."""


class Case(NamedTuple):
    """A configuration and a seed: `text` of a slurm.conf, `folder` of the files beside it. Seed 0 takes the workload as it is.

    `jitter`: seconds by which submissions are moved at random with other seeds. `failures`: how often a node fails, a day; each is away for
    `repair` seconds.
    """

    name: str
    text: str
    folder: str = ""
    shortest_first: bool = False
    seed: int = 0
    jitter: float = 0.0
    failures: float = 0.0
    repair: float = 0.0


class Result(NamedTuple):
    """What a case came to. `refusals`: name and reason of each job that the cluster would not have taken, or that never ran to its end."""

    case: Case
    summary: measures.Summary
    outcomes: list[Outcome]
    cpus: int
    nodes: list[str]
    refusals: list[str]


def of_changes(name: str, text: str, folder: str, changes: Iterable[str], **seeded: Any) -> Case:
    """The case of a slurm.conf with changes such as "SchedulerParameters=bf_window=10080" or "NodeName=new[1-4] CPUs=64".

    A line of nodes or partitions is added, every other key replaced. InvalidRequest for what is neither.
    """
    keys: list[tuple[str, str]] = []
    lines: list[str] = []
    shortest = False
    for change in changes:
        key, equals, value = (part.strip() for part in change.partition("="))
        if not key or not equals:
            raise InvalidRequest(message=f"{change} is no change of a configuration", hints=["write KEY=VALUE, as in slurm.conf"])
        if key.lower() == BACKFILL_ORDER.lower():
            if value.lower() not in ("priority", "shortest"):
                raise InvalidRequest(message=f"{BACKFILL_ORDER}={value}", hints=["valid: priority, shortest"])
            shortest = value.lower() == "shortest"
        elif key.lower() in _REPEATED:
            lines.append(change.strip())
        else:
            keys.append((key, value))
    return Case(name, machine.changed(text, keys, lines), folder, shortest, **seeded)


def simulate(case: Case, arrivals: Sequence[Arrival], told: Callable[[int], None] = lambda done: None) -> Result:
    """Run one case; `told` hears how many jobs have ended. ConfigError."""
    chance = random.Random(case.seed)
    if case.seed and case.jitter:
        arrivals = sorted((one._replace(at=one.at + chance.uniform(-case.jitter, case.jitter)) for one in arrivals), key=lambda one: one.at)
    began = arrivals[0].at if arrivals else 0.0
    cluster = machine.cluster(machine.configured(case.text, case.folder), began - 1)
    last = arrivals[-1].at + max(one.run_seconds for one in arrivals) if arrivals else began
    simulator = Simulator(
        cluster, arrivals, queue=ShortestFirst() if case.shortest_first else None,
        breakdowns=_breakdowns(case, cluster, began, last, chance) if case.failures else ())
    simulator.on_ended = lambda done: told(done) if done % _EVERY == 0 else None
    outcomes = simulator.run()
    cpus = sum(node.cpus for node in cluster.nodes.values())
    refusals = [f"{name}: {why}" for name, why in (*((one.request.name, why) for one, why in simulator.refused), *simulator.left())]
    return Result(case, measures.summary(outcomes, cpus, len(refusals)), outcomes, cpus, [str(name) for name in cluster.nodes], refusals)


def _breakdowns(case: Case, cluster: Cluster, began: float, last: float, chance: random.Random) -> list[Breakdown]:
    found = []
    for name in cluster.nodes:
        at = began
        while (at := at + chance.expovariate(case.failures / _DAY)) < last:
            found.append(Breakdown(at, name, case.repair))
    return found


_done: Any = None
_workload: Sequence[Arrival] = ()


def _take_up(done: Any, workload: Sequence[Arrival]) -> None:
    global _done, _workload  # noqa: PLW0603 - of this process, for its whole life
    _done, _workload = done, workload


def _work(place: int, case: Case) -> Result:
    def told(done: int) -> None:
        _done[place] = done

    return simulate(case, _workload, told)


def run(cases: Sequence[Case], arrivals: Sequence[Arrival], told: Callable[[int, int], None] = lambda done, all_: None,
        processes: int = 0) -> list[Result]:
    """Every case, several at a time (0: as many as there are CPUs for us); `told` hears how many jobs of how many have ended.

    ConfigError and what else a case raises. The results are in the order of the cases.
    """
    everything = len(cases) * len(arrivals)
    if len(cases) == 1:
        return [simulate(cases[0], arrivals, lambda done: told(done, everything))]
    context = multiprocessing.get_context("fork")
    done = context.Array(c_int64, len(cases), lock=False)
    workers = min(len(cases), processes or len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, context, _take_up, (done, arrivals)) as pool:
        futures: list[Future[Result]] = [pool.submit(_work, place, case) for place, case in enumerate(cases)]
        try:
            left: set[Future[Result]] = set(futures)
            while left:
                ended, left = wait(left, _LOOK_SECONDS)
                told(sum(done[:]), everything)
                for one in ended:
                    one.result()
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise SlurmError(message="a simulation was killed", hints=["it may have needed more memory than there is"]) from error
        except BaseException:
            for process in list((pool._processes or {}).values()):  # there is no other way to stop what runs
                process.kill()
            raise
