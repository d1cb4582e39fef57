"""Two slurmctlds over one state: the one that leads is killed, stopped, asked to hand over. Nothing acknowledged is lost, nothing runs twice."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from slurm.store.accounting.storage import POSTGRESQL
from tests.system.database_servers import DATABASE, running
from tests.system.machines import ALICE, Machine, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
CONF = "SlurmctldTimeout=2\nSlurmdTimeout=60\nSchedulerParameters=bf_interval=1,batch_sched_delay=0\n"
SCRIPT = "echo $SLURM_JOB_ID $SLURM_RESTART_COUNT >> {file}; sleep 0.3"


@contextmanager
def two_controllers(conf: str, *, nodes: int, login: bool = False) -> Iterator[Machines]:
    """Machines with two slurmctlds whose state is in a PostgreSQL, which all of them reach by its socket."""
    with tempfile.TemporaryDirectory(prefix="slurm-py-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        with running(POSTGRESQL, os.path.join(folder, "own")) as server:
            state = f"postgresql://{server.storage.user}@/{DATABASE}?host={server.storage.host}&may_lose_work=yes&folder=/run/state"
            with Machines(nodes=nodes, conf=conf, controllers=2, state=state, login=login, key=lambda name: True) as machines:
                yield machines


class Load:
    """Jobs of Alice's, each of which writes its number; `taken` are those that were acknowledged."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.file = machines.work / "ran"
        self.taken: list[str] = []

    def submit(self, machine: Machine, count: int = 1) -> None:
        """Submit so many, each until it is taken: who is not answered does not know, and asks again."""
        for _ in range(count):
            deadline = time.monotonic() + 40
            while True:
                done = machine.run("sbatch", "--parsable", "-o", "/dev/null", "--wrap", SCRIPT.format(file=self.file), user=ALICE)
                if done.status == 0:
                    self.taken.append(done.out.strip())
                    break
                assert time.monotonic() < deadline, f"{done}\n{self.machines.logs()}"

    def over(self, machine: Machine) -> None:
        """All have run, each once; what was not acknowledged may have run, once as well."""
        self.machines.until(lambda: not machine.run("squeue", "-h").out.strip() and set(self.taken) <= set(self.ran()), why="jobs wait", seconds=40)
        ran = self.ran()
        assert not [job for job, times in ran.items() if times > 1], ran

    def ran(self) -> Counter[str]:
        """How often each job began."""
        return Counter(line.split()[0] for line in self.file.read_text().splitlines()) if self.file.exists() else Counter()


def pinged(machine: Machine) -> list[str]:
    """The lines of `scontrol ping`."""
    return machine.run("scontrol", "ping").out.splitlines()


BOTH = ["Slurmctld(primary) at head is UP", "Slurmctld(backup) at head2 is UP"]


def test_a_leader_is_killed_and_comes_back_under_load() -> None:
    with two_controllers(CONF, nodes=2) as machines:
        machines.up()
        head, head2 = machines["head"], machines["head2"]
        machines.until(lambda: pinged(head2) == BOTH, why="the backup is not seen")
        load = Load(machines)
        load.submit(head2, 4)  # by the standby's own socket, and its connection to the leader
        head.kill("slurmctld")
        began = time.monotonic()
        load.submit(head2, 1)
        assert time.monotonic() - began < 2 + 6, "a job is taken within SlurmctldTimeout and a few seconds"
        assert pinged(head2) == ["Slurmctld(primary) at head is DOWN", "Slurmctld(backup) at head2 is UP"]
        load.submit(head2, 3)
        head.start("slurmctld")  # the primary takes control back at startup
        machines.until(lambda: "leads in epoch 3" in head.log("slurmctld"), why="the primary does not lead again")
        machines.until(lambda: pinged(head) == BOTH, why="the backup does not stand by again")
        load.submit(head, 2)
        load.over(head)
        assert "hands over" in head.log("slurmctld")


def test_a_leader_that_was_stopped_between_append_and_send_can_neither_acknowledge_nor_launch() -> None:
    with two_controllers(CONF, nodes=1) as machines:
        head, head2, node = machines["head"], machines["head2"], machines["nd1"]
        head.start("slurmctld", env={"SLURM_PY_CRASH_AT": "before-launch:2:stop"})
        head2.start("slurmctld")
        node.start("slurmd")
        machines.until(lambda: pinged(head2) == BOTH, why="the backup is not seen")
        machines.until_idle()
        load = Load(machines)
        load.submit(head, 1)
        # The second one is written as started, and then nothing more happens on head: who submitted it may not have been answered.
        asking = head.spawn("sbatch", "--parsable", "-o", "/dev/null", "--wrap", SCRIPT.format(file=load.file), user=ALICE)
        machines.until(lambda: "leads in epoch 2" in head2.log("slurmctld"), why="nobody takes over")
        load.submit(head2, 1)
        load.over(head2)
        head.wake("slurmctld")
        refused = "order refused: LaunchBatch of job 2 attempt 1 is of a slurmctld of epoch 1, which was silent and was left; this node is of epoch 2"
        machines.until(lambda: refused in node.log("slurmd"), why="the late order is not refused")
        machines.until(lambda: pinged(head2) == BOTH, why="the one that slept does not stand by")
        asking.communicate(timeout=30)
        assert "does not lead any more: its epoch was 1, head2 leads since epoch 2" in head.log("slurmctld")
        began = time.monotonic()
        head.ok("scontrol", "takeover", "0")
        load.submit(head, 1)
        assert time.monotonic() - began < 6.0, "3 seconds, and what a command takes on a busy machine"
        load.over(head)
        machines.until(lambda: pinged(head) == BOTH, why="the former leader does not stand by")
