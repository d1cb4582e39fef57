"""python -m tests.campaign.takeovers [--takeovers N] [--jobs N] [--report FILE]: the lead changes again and again under load. Status 0 when nothing was lost.

Two slurmctlds over one PostgreSQL, four nodes and a login node as machines of namespaces. The leader is killed, stopped, stopped between writing that a job starts and sending
it, asked to hand over. Each job writes its number; what was acknowledged must have run, once.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.campaign.report import commit_of
from tests.system.machines import ALICE, Machine, Machines, why_not
from tests.system.test_two_controllers import two_controllers

TIMEOUT = 3
CONF = f"SlurmctldTimeout={TIMEOUT}\nSlurmdTimeout=120\nSchedulerParameters=bf_interval=1\n"
SCRIPT = 'echo "$SLURM_JOB_ID $SLURM_RESTART_COUNT" >> {file}; sleep 0.5'
SETTLE_SECONDS = 60.0
BETWEEN = "SIGSTOP between append and send"
HEADING = "## Take-overs of the controller"


class Change(NamedTuple):
    """One change of the lead: how it was brought about, who led after it, seconds until a submission was acknowledged again."""

    kind: str
    leader: str
    seconds: float


class Load(threading.Thread):
    """Submits until `wanted` jobs were acknowledged and `enough` is set; `taken` has (when it was asked for, when acknowledged, job)."""

    def __init__(self, machine: Machine, file: Path, wanted: int) -> None:
        super().__init__(daemon=True)
        self.taken: list[tuple[float, float, str]] = []
        self.refused = 0
        self.enough = threading.Event()
        self._machine = machine
        self._file = file
        self._wanted = wanted

    def run(self) -> None:
        """One after another; who is not answered does not know, and goes on with the next."""
        while len(self.taken) < self._wanted or not self.enough.is_set():
            asked = time.monotonic()
            done = self._machine.run("sbatch", "--parsable", "-o", "/dev/null", "--wrap", SCRIPT.format(file=self._file), user=ALICE)
            if done.status == 0:
                self.taken.append((asked, time.monotonic(), done.out.strip()))
            else:
                self.refused += 1
            time.sleep(0.2)

    def acknowledged_after(self, moment: float) -> float | None:
        """When the first job was acknowledged that was asked for after this moment."""
        return next((at for asked, at, _ in self.taken if asked > moment), None)


class Cluster:
    """The machines, and who leads."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.heads = [machines["head"], machines["head2"]]

    def leader(self) -> Machine:
        """The one that leads: the last that says so in its log."""
        said = {head.name: max((int(epoch) for epoch in re.findall(r"leads in epoch (\d+)", head.log("slurmctld"))), default=0) for head in self.heads}
        return self.machines[max(said, key=lambda name: said[name])]

    def other(self, leader: Machine) -> Machine:
        """The one that stands by."""
        return next(head for head in self.heads if head is not leader)

    def both_up(self) -> bool:
        """Whether one leads and the other is connected to it."""
        return self.machines["login"].run("scontrol", "ping", user=ALICE).out.count("is UP") == len(self.heads)

    def kill(self, leader: Machine) -> tuple[Machine, Callable[[], object]]:
        """kill -9; started again when another one leads: a backup stands by then, the primary takes the lead back."""
        leader.kill("slurmctld")

        def undo() -> None:
            leader.start("slurmctld")
            if leader is self.heads[0]:
                self.machines.until(lambda: self.leader() is leader, why="the primary does not lead again", seconds=SETTLE_SECONDS)

        return self.other(leader), undo

    def sleep(self, leader: Machine) -> tuple[Machine, Callable[[], object]]:
        """SIGSTOP; woken when another one leads."""
        leader.sleep("slurmctld")
        return self.other(leader), lambda: leader.wake("slurmctld")

    def stop_before_launch(self, leader: Machine) -> tuple[Machine, Callable[[], object]]:
        """The next leader stops by itself when it has written that a job starts, and has not sent it; the present one must lead again."""
        following = self.other(leader)
        following.kill("slurmctld")
        following.start("slurmctld", env={"SLURM_PY_CRASH_AT": "before-launch:5:stop"})
        self.machines.until(lambda: self.both_up() or self.leader() is following, why="it does not come back", seconds=SETTLE_SECONDS)
        if self.leader() is not following:  # the primary leads by itself when it is started
            leader.spawn("scontrol", "takeover", str(self.heads.index(following)))  # which may not see it lead before it stops
        self.machines.until(lambda: _is_stopped(following.pid_of("slurmctld")), why="no job is started", seconds=SETTLE_SECONDS)
        return leader, lambda: following.wake("slurmctld")

    def take_over(self, leader: Machine) -> tuple[Machine, Callable[[], object]]:
        """scontrol takeover."""
        following = self.other(leader)
        leader.ok("scontrol", "takeover", str(self.heads.index(following)))
        return following, lambda: None


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


Act = Callable[[Machine], tuple[Machine, Callable[[], object]]]
"""Bring a change of the lead about: who must lead next, and what undoes it then."""


def kinds(cluster: Cluster) -> Iterator[tuple[str, Act]]:
    """What is done, in turn."""
    while True:
        yield "kill -9", cluster.kill
        yield "SIGSTOP", cluster.sleep
        yield "scontrol takeover", cluster.take_over
        yield BETWEEN, cluster.stop_before_launch


def change(cluster: Cluster, load: Load, kind: str, act: Act) -> Change:
    """One change of the lead, from both up to both up."""
    machines = cluster.machines
    began = time.monotonic()
    following, undo = act(cluster.leader())
    if kind == BETWEEN:
        began = time.monotonic()  # it stopped just now
    machines.until(lambda: cluster.leader() is following, why=f"{following.name} does not lead after {kind}", seconds=SETTLE_SECONDS)
    machines.until(lambda: load.acknowledged_after(began), why="nothing is acknowledged", seconds=SETTLE_SECONDS)
    seconds = (load.acknowledged_after(began) or began) - began
    undo()
    machines.until(cluster.both_up, why=f"{cluster.other(following).name} does not stand by again", seconds=SETTLE_SECONDS)
    return Change(kind, following.name, seconds)


def run(takeovers: int, jobs: int) -> tuple[list[Change], list[str], dict[str, int]]:
    """What changed, what must not have been, and counts."""
    with two_controllers(CONF, nodes=4, login=True) as machines:
        machines.up()
        machines["login"].start("sackd")
        cluster = Cluster(machines)
        machines.until(cluster.both_up, why="the backup is not seen", seconds=SETTLE_SECONDS)
        file = machines.work / "ran"
        load = Load(machines["login"], file, jobs)
        load.start()
        changes: list[Change] = []
        for kind, act in kinds(cluster):
            changes.append(change(cluster, load, kind, act))
            print(f"{len(changes)}: {kind}: {changes[-1].leader} leads, acknowledged again after {changes[-1].seconds:.1f} s", flush=True)
            if len(changes) == takeovers:
                break
        load.enough.set()
        load.join()
        machines.until(lambda: not machines["login"].run("squeue", "-h", user=ALICE).out.strip(), why="jobs wait", seconds=120)
        ran = Counter(line.split()[0] for line in file.read_text().splitlines())
        taken = [job for _, _, job in load.taken]
        broken = [f"job {job} was acknowledged and never ran" for job in taken if not ran[job]]
        broken += [f"job {job} ran {times} times" for job, times in ran.items() if times > 1]
        logs = machines.logs()
        refused = sum(machine.log("slurmd").count("order refused") for machine in machines.nodes)
        began = [int(epoch) for head in cluster.heads for epoch in re.findall(r"leads in epoch (\d+)", head.log("slurmctld"))]
        broken += [f"epoch {epoch} was led in twice" for epoch, times in Counter(began).items() if times > 1]
        if broken:
            print(logs)
        return changes, broken, {"acknowledged": len(taken), "ran": len(ran), "not answered": load.refused, "orders refused": refused, "epochs": len(began)}


def section(changes: list[Change], broken: list[str], counts: dict[str, int]) -> str:
    """The part of docs/reliability.md about it."""
    by_kind: dict[str, list[float]] = {}
    for each in changes:
        by_kind.setdefault(each.kind, []).append(each.seconds)
    commit, clean = commit_of()
    lines = [
        f"{HEADING}\n",
        f"Written by `python -m tests.campaign.takeovers --takeovers {len(changes)}` on {time.strftime('%-d %B %Y')}, commit `{commit}`{'' if clean else ' with changes that are not committed'}: two slurmctlds over one "
        f"PostgreSQL, four nodes, a login node; `SlurmctldTimeout={TIMEOUT}`. Seconds from the fault to the acknowledgement of the first job that was submitted after it, by a sackd of the login node.\n",
        "| how the lead changed | how often | median, s | longest, s |", "| --- | --- | --- | --- |",
        *(f"| {kind} | {len(seconds)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |" for kind, seconds in by_kind.items()), "",
        "| what | how many |", "| --- | --- |",
        f"| jobs acknowledged | {counts['acknowledged']} |", f"| jobs that ran | {counts['ran']} |",
        f"| submissions that were refused or not answered | {counts['not answered']} |", f"| epochs | {counts['epochs']} |",
        f"| orders that nodes refused, as of an earlier epoch | {counts['orders refused']} |",
        f"| acknowledged and lost, run twice, led in the same epoch | {len(broken)} |", ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in broken)])


def main() -> int:
    """One campaign."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.takeovers")
    parser.add_argument("--takeovers", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--report", type=Path, help="put the section into this page, behind what it holds already")
    options = parser.parse_args()
    if why := why_not():
        print(f"no campaign here: {why}", file=sys.stderr)
        return 1
    found = run(options.takeovers, options.jobs)
    text = section(*found)
    print(text)
    if options.report:
        page = options.report.read_text() if options.report.exists() else "# Reliability\n\n"
        options.report.write_text(page.partition(HEADING)[0].rstrip("\n") + "\n\n" + text)
    return 1 if found[1] else 0


if __name__ == "__main__":
    sys.exit(main())
