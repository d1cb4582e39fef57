"""Shadow: what our planner would have done with the jobs that a cluster has run, beside what its own scheduler did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from slurm.core.cluster import Cluster
from slurm.core.events import Caller
from slurm.model.errors import NotationError
from slurm.model.ids import Gid, Uid
from slurm.model.request import JobRequest
from slurm.notation import moment, tres
from slurm.sdk.errors import BackendError
from slurm.sdk.following.inspection import CELL, Ask
from slurm.sdk.following.planning import empty
from slurm.sim.engine import Arrival, Simulator

FIELDS = ("JobID", "User", "Partition", "Submit", "Eligible", "Start", "ElapsedRaw", "TimelimitRaw", "NNodes", "ReqTRES", "State")
MOST = 50_000
"""So many jobs are simulated at the most."""


class Past(NamedTuple):
    """A job of the past: when it could start, when it did (seconds since the epoch), and how long it ran."""

    id: str
    eligible: float
    start: float
    seconds: float
    request: JobRequest
    user: str


class Shadow(NamedTuple):
    """Waits in seconds, theirs and ours, of the same jobs in the same order; `left_out` jobs that we could not read or would not take."""

    jobs: list[str]
    theirs: list[float]
    ours: list[float]
    left_out: int

    def facts(self) -> dict[str, object]:
        """For JSON."""
        return {"jobs": len(self.jobs), "left_out": self.left_out, "theirs": _summary(self.theirs), "ours": _summary(self.ours),
                "differences": [{"job": job, "theirs": one, "ours": other} for job, one, other in self.largest()]}

    def largest(self, most: int = 10) -> list[tuple[str, float, float]]:
        """The jobs whose waits differ most: (job, theirs, ours)."""
        rows = zip(self.jobs, self.theirs, self.ours, strict=True)
        return sorted(rows, key=lambda row: -abs(row[1] - row[2]))[:most]


def _summary(waits: Sequence[float]) -> dict[str, float]:
    if not waits:
        return {"mean": 0.0, "median": 0.0, "most": 0.0}
    return {"mean": sum(waits) / len(waits), "median": median(waits), "most": max(waits)}


def history(ask: Ask, since: str, now: float) -> tuple[list[Past], int]:
    """The jobs that sacct knows to have begun since then, and how many it tells of that cannot be read. BackendError without accounting."""
    said = ask(["sacct", "-a", "-X", "-n", "-P", f"--delimiter={CELL}", "-S", since, "-E", "now", "-o", ",".join(FIELDS)])
    if "disabled" in said:
        raise BackendError("that cluster keeps no accounting: there is nothing to compare with")
    found, unread = [], 0
    for cells in (line.split(CELL) for line in said.splitlines()):
        if len(cells) != len(FIELDS) or cells[5] in ("Unknown", "None", ""):
            continue  # it has not begun
        try:
            found.append(_past(dict(zip(FIELDS, cells, strict=True)), now))
        except (NotationError, ValueError):
            unread += 1
    return sorted(found, key=lambda one: (one.eligible, one.start))[:MOST], unread


def _past(row: dict[str, str], now: float) -> Past:
    held = tres.parse(row["ReqTRES"])
    nodes, cpus = max(1, int(row["NNodes"] or 1)), max(1, int(held.get("cpu", 1)))
    memory, gpus = int(held.get("mem", 0)), int(held.get("gres/gpu", 0))
    limit = int(row["TimelimitRaw"]) * 60 if row["TimelimitRaw"].isdigit() else -1
    request = JobRequest(
        name=row["JobID"], partition=row["Partition"], nodes_min=nodes if nodes > 1 else 0, ntasks=max(cpus, nodes), time_limit=limit,
        mem_per_node=memory // nodes if memory else None, gpus=str(gpus) if gpus else "", work_dir="/")
    eligible = moment.parse(row["Eligible"], now, past=True)
    return Past(row["JobID"], eligible, moment.parse(row["Start"], now, past=True), float(row["ElapsedRaw"]), request, row["User"])


def shadow(cluster: Cluster, past: Sequence[Past], unread: int = 0) -> Shadow:
    """Runs these jobs through our planner on `cluster`, whose nodes are idle at first."""
    first = cluster.next_job_id
    arrivals = [Arrival(one.eligible, one.request, _caller(one), one.seconds) for one in past]
    simulator = Simulator(cluster, arrivals)
    begun = {int(outcome.job) - first: outcome.started for outcome in simulator.run()}
    refused = {id(arrival) for arrival, _ in simulator.refused}
    taken = [one for one, arrival in zip(past, arrivals, strict=True) if id(arrival) not in refused]
    rows = [(one, begun[number]) for number, one in enumerate(taken) if number in begun]
    return Shadow([one.id for one, _ in rows], [max(0.0, one.start - one.eligible) for one, _ in rows],
                  [max(0.0, started - one.eligible) for one, started in rows], unread + len(past) - len(rows))


def _caller(one: Past) -> Caller:
    return Caller(uid=Uid(65_534), gid=Gid(65_534), user=one.user, group="nogroup")


def of(ask: Ask, since: str, now: float, conf: str = "") -> Shadow:
    """The shadow of a cluster since `since`, as sacct takes it; under the slurm.conf at the path `conf` where one is given.

    BackendError.
    """
    past, unread = history(ask, since, now)
    return shadow(empty(ask, min((one.eligible for one in past), default=now), conf), past, unread)


def lines(found: Shadow) -> Iterator[str]:
    """For people."""
    if not found.jobs:
        yield "No job began in that time that can be compared."
        return
    theirs, ours = _summary(found.theirs), _summary(found.ours)
    yield f"Of {len(found.jobs)} jobs ({found.left_out} left out), seconds of waiting, as it was and as our planner would have had it:"
    for word in theirs:
        yield f"  {word:<7} {theirs[word]:>12.0f} {ours[word]:>12.0f}"
    yield "Those that differ most:"
    for job, one, other in found.largest():
        yield f"  {job:<12} {one:>10.0f} {other:>12.0f}"
