"""One campaign: the machines, the load, the faults and the operator who looks after them, one after the other, and the judgement at the end."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from tests.campaign import history, remains
from tests.campaign.faults import SILENT_SECONDS, Faults
from tests.campaign.history import Ended
from tests.campaign.load import Load, files_of
from tests.system.machines import Machines

NODES = 4
CONF = f"""SlurmdTimeout={SILENT_SECONDS}
MinJobAge=864000
MessageTimeout=30
UnkillableStepTimeout=20
"""
DRAIN_SECONDS = 150.0
"""So long after the last fault everything must have ended."""
SHOWN = "%F|%K|%T|%N"
SURPRISES = "daemons that ended by themselves, and other surprises"


class Outcome(NamedTuple):
    """What a campaign found: promise → the sentences that break it, and how much was tried."""

    broken: dict[str, list[str]]
    faults: dict[str, int]
    acknowledged: int
    unknown: int
    tasks: int
    attempts: int
    steps: int
    ends: dict[str, int]
    resumed: int
    refusals: dict[str, int]
    logs: str

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return not any(self.broken.values())


class Operator:
    """Does what people do meanwhile: drained nodes are used again once their reason is gone, requeued jobs need not wait two minutes."""

    def __init__(self, machines: Machines, load: Load) -> None:
        self.resumed = 0
        self._machines = machines
        self._load = load
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stopping.wait(1.5):
            self.once()

    def once(self) -> int:
        """One round; how many jobs have not ended."""
        head = self._machines["head"]
        seen = head.run("squeue", "-h", "-r", "-t", "pending,running,completing,configuring", "-o", "%i %T %r", timeout=120)
        waiting = [line.split(None, 2) for line in seen.out.splitlines()] if seen.status == 0 else []
        if seen.status == 0:
            self._load.waiting = len(waiting)
        for job, state, reason in waiting:
            if state == "PENDING" and reason == "BeginTime":
                head.run("scontrol", "update", f"jobid={job}", "starttime=now")
        for node, state in self._machines.states().items():
            if state.startswith("drain") or (state.startswith("down") and not state.endswith("*")):
                self.resumed += 1
                head.run("scontrol", "update", f"nodename={node}", "state=resume")
        return len(waiting) if seen.status == 0 else -1


def run(seconds: float, seed: int) -> Outcome:
    """One campaign of so many seconds, and the time until everything has ended."""
    machines = Machines(nodes=NODES, conf=CONF, cpus=4, memory=4000)
    try:
        faults = Faults(machines, seed)
        load = Load(machines, seed)
        operator = Operator(machines, load)
        faults.up()
        operator.start()
        load.start()
        try:
            faults.go_on(seconds)
        finally:
            load.stop()
            operator.stop()
        return _outcome(machines, load, faults, operator)
    finally:
        for machine in machines:
            machine.off()
        machines.close(checked=False)


def _outcome(machines: Machines, load: Load, faults: Faults, operator: Operator) -> Outcome:
    deadline = time.monotonic() + DRAIN_SECONDS
    while operator.once() and time.monotonic() < deadline:
        time.sleep(1.0)
    while not _nodes_idle(machines, operator) and time.monotonic() < deadline + 30.0:
        time.sleep(1.0)
    time.sleep(1.0)  # for slurmstepds that wait a moment for the next step
    ended = _ended(machines)
    written = {name: history.read(text) for name, text in files_of(load.history, load.wanted).items()}
    broken = history.judge(load.wanted, written, ended, faults.done)
    broken.update(remains.look(machines))
    dead = [f"{program} on {machine.name} has ended with {process.returncode}"
            for machine in machines for program, process in machine.daemons.items() if process.poll() is not None]
    broken[SURPRISES] = faults.surprises + dead
    lines = [line for each in written.values() for line in each if line.what == "begin"]
    ends: dict[str, int] = {}
    for end in ended.values():
        ends[end.state] = ends.get(end.state, 0) + 1
    refusals: dict[str, int] = {}
    for text in load.refusals:
        refusals[text] = refusals.get(text, 0) + 1
    return Outcome(
        broken=broken, faults=faults.counted, acknowledged=sum(1 for one in load.wanted if one.job), unknown=load.unknown,
        tasks=len({(name, line.attempt) for name, each in written.items() for line in each if line.what == "begin" and line.step == history.SCRIPT}),
        attempts=sum(1 for line in lines if line.step == history.SCRIPT and line.attempt), steps=sum(1 for line in lines if line.step != history.SCRIPT),
        ends=ends, resumed=operator.resumed, refusals=refusals,
        logs="" if not any(broken.values()) else "\n".join(f"=== {machine.name} {path.name}\n{path.read_text(errors='replace')}"
                                                           for machine in machines for path in sorted(machine.run_folder.glob("*.log"))))


def _nodes_idle(machines: Machines, operator: Operator) -> bool:
    states = machines.states()
    if len(states) == NODES and set(states.values()) == {"idle"}:
        return True
    operator.once()
    return False


def _ended(machines: Machines) -> dict[tuple[int, int], Ended]:
    """What the controller says of every job: by the number that sbatch printed, and the array task."""
    found = {}
    for block in machines["head"].ok("scontrol", "show", "job", "-o", timeout=120).splitlines():
        facts = dict(word.split("=", 1) for word in block.split() if "=" in word)
        if "JobId" not in facts:
            continue
        job = int(facts.get("ArrayJobId", facts["JobId"]))
        task = facts.get("ArrayTaskId", "0")
        if task.isdigit():
            found[job, int(task)] = Ended(facts["JobState"], facts.get("ExitCode", "0:0"), _expanded(facts.get("NodeList", "")))
    return found


def _expanded(nodes: str) -> list[str]:
    from slurm.notation import hostlist

    return hostlist.expand(nodes) if nodes and "null" not in nodes else []
