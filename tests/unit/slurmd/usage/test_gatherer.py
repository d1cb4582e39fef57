"""Which processes are whose, and what a step's tasks used, over their lives."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from slurm.model import bounds
from slurm.model.accounting import Usage, told_by
from slurm.model.errors import InvalidRequest
from slurm.model.settings import Settings
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.tasks import Task
from slurm.slurmd.stepd.usage.gatherer import Gatherer, of_short_step
from slurm.slurmd.stepd.usage.processes import Processes
from slurm.slurmd.stepd.usage.reaping import Reaped
from slurm.slurmd.stepd.usage.task import TaskUsage
from slurm.slurmd.stepd.usage.tree import Tree
from slurm.slurmd.usage import of
from tests.unit.slurmd.usage.machine import Counting, Machine

MB = 1 << 20
STEPD = 50
RECORD = StepRecord(12, 1, 0, "cn07", 0, 0, "root", [], {}, "/", {}, ranks=[4, 5])


def begun(*pids: int) -> list[Task]:
    tasks = [Task(rank, local) for local, rank in enumerate(RECORD.ranks)]
    for task, pid in zip(tasks, pids, strict=True):
        task.pid = pid
    return tasks


def ended(pid: int, user: float = 0.0, system: float = 0.0, most_mb: int = 0, faults: int = 0, read: int = 0, written: int = 0) -> Reaped:
    return Reaped(pid, user, system, most_mb * 1024, faults, read, written)


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    made.process(1, 0)
    made.process(STEPD, 1)
    made.process(60, STEPD, memory=3)
    made.process(70, STEPD, memory=5)
    return made


def gatherer(machine: Machine, record: StepRecord = RECORD, pids: tuple[int, ...] = (60, 70)) -> Gatherer:
    return Gatherer(record, begun(*pids), lambda: None, processes=Processes(str(machine.root)), root=STEPD)


def usage(found: Gatherer) -> Usage:
    made = of(json.loads(json.dumps(found.usage())), "cn07")
    assert made is not None
    return made


def test_processes_belong_to_the_task_that_they_descend_from(machine):
    machine.process(61, 60)
    machine.process(62, 61, session=62)
    machine.process(71, 70)
    machine.process(99, 1)
    tree = Tree(Processes(str(machine.root)), STEPD, begun(60, 70))
    found = {rank: sorted(reading.pid for reading in readings) for rank, readings in tree.look().items()}
    assert found == {4: [60, 61, 62], 5: [70, 71]}


def test_a_process_that_left_its_parents_stays_with_its_task(machine):
    tree = Tree(Processes(str(machine.root)), STEPD, begun(60, 70))
    machine.process(71, 70, session=71)
    tree.look()
    machine.process(71, STEPD, session=71)  # seen before
    machine.process(72, STEPD, session=70)  # of its session
    machine.process(73, STEPD, session=73, environ="HOME=/\0SLURM_PROCID=5\0")
    machine.process(74, STEPD, session=74)  # nothing tells
    found = {rank: sorted(reading.pid for reading in readings) for rank, readings in tree.look().items()}
    assert found == {4: [60, 74], 5: [70, 71, 72, 73]}
    assert tree.rank_of(71) == 5


def test_processes_of_others_are_looked_at_once(machine):
    for pid in range(1000, 1100):
        machine.process(pid, 1)
    processes = Counting(str(machine.root))
    tree = Tree(processes, STEPD, begun(60, 70))
    tree.look()
    processes.looks.clear()
    machine.process(61, 60)
    assert len(tree.look()[4]) == 2
    assert set(processes.looks) == {STEPD, 60, 61, 70}


def test_memory_is_the_most_that_a_tasks_processes_held_together(machine):
    found = gatherer(machine)
    machine.process(61, 60, memory=100, vmem=300)
    machine.process(62, 60, memory=100, vmem=300)
    found.look()
    machine.end(62)
    found.look()
    memory = usage(found).taken["mem"]
    assert (memory.most.value, memory.most.task, memory.most.node) == (203 * MB, 4, "cn07")
    assert (memory.least.value, memory.least.task) == (5 * MB, 5)
    assert (memory.total, memory.tasks) == (208 * MB, 2)
    assert usage(found).taken["vmem"].most.value == 610 * MB
    assert found.now()["memory"] == 108 * MB


def test_time_counts_once_whether_seen_waited_for_or_both(machine):
    found = gatherer(machine)
    machine.process(60, STEPD, user=2.0, system=1.0, read=100, written=7, faults=3)
    machine.process(61, 60, user=4.0)
    found.look()
    assert usage(found).taken["cpu"].most.value == 7000
    machine.process(60, STEPD, user=2.0, system=1.0, waited=4.0, read=100, written=7, faults=3)
    machine.end(61)
    found.reaped(ended(60, 6.0, 1.0, most_mb=3, faults=3, read=110, written=8))
    machine.end(60)
    told = usage(found)
    assert (told.user_seconds, told.system_seconds) == (6.0, 1.0)
    assert (told.taken["cpu"].total, told.taken["fs/disk"].total, told.given["fs/disk"].total, told.taken["pages"].total) == (7000, 110, 8, 3)
    found.look()
    assert usage(found) == told


def test_a_child_that_lives_on_without_its_parent_counts_again_with_the_next_look(machine):
    found = gatherer(machine)
    machine.process(61, 60, user=3.0)
    machine.process(62, 61, user=5.0)
    found.look()
    machine.end(61)
    found.reaped(ended(61, 3.0))
    machine.process(62, STEPD, user=6.0)
    found.look()
    assert usage(found).user_seconds == 9.0
    found.reaped(ended(62, 6.5))
    machine.end(62)
    assert usage(found).user_seconds == 9.5


def test_what_was_told_is_not_lost_when_a_parent_does_not_wait_for_its_child(machine):
    found = gatherer(machine)
    machine.process(61, 60, user=9.0)
    found.look()
    assert usage(found).user_seconds == 9.0
    machine.end(61)
    found.look()
    assert usage(found).user_seconds == 9.0


def test_a_short_task_has_what_wait_tells_of_it():
    task = TaskUsage(0, left_by_fork=20 * MB)
    task.reaped(ended(7, 0.02, 0.01, most_mb=300))
    assert task.most_memory == 300 * MB
    short = TaskUsage(0, left_by_fork=20 * MB)
    short.reaped(ended(7, 0.001, 0.001, most_mb=18))
    short.never_seen_holding(None)
    assert short.most_memory == 18 * MB
    bounded = TaskUsage(0, left_by_fork=20 * MB)
    bounded.reaped(ended(7, 0.001, 0.001, most_mb=18))
    bounded.never_seen_holding(2 * MB)
    assert bounded.most_memory == 2 * MB
    seen = TaskUsage(0, left_by_fork=20 * MB)
    seen.held(6 * MB)
    seen.reaped(ended(7, 0.001, 0.001, most_mb=18))
    seen.never_seen_holding(None)
    assert seen.most_memory == 6 * MB


def test_a_step_that_nobody_looked_at_tells_of_the_processes_that_were_waited_for():
    tasks = begun(60, 70)
    assert of_short_step([], tasks) is None
    told = of_short_step([ended(60, 1.0, most_mb=300, read=5), ended(70, 2.0, 0.5, most_mb=400, written=6), ended(99, 0.25, faults=2)], tasks)
    found = of(json.loads(json.dumps(told)), "cn07")
    assert found is not None
    assert (found.user_seconds, found.system_seconds) == (3.25, 0.5)
    assert (found.taken["mem"].most.value, found.taken["mem"].most.task, found.taken["mem"].least.value) == (400 * MB, 5, 300 * MB)
    assert (found.taken["cpu"].least.value, found.taken["pages"].most.task, found.taken["fs/disk"].total, found.given["fs/disk"].total) == (1250, 4, 5, 6)


def test_a_step_that_started_nothing_has_no_usage(machine):
    assert gatherer(machine, pids=(0, 0)).usage() is None


def test_gpus_are_told_by_task_with_their_peak_and_their_mean(machine, tmp_path_factory):
    path = tmp_path_factory.mktemp("spool") / "gpu_readings"

    def reads(percent):
        path.write_text(json.dumps({"at": time.clock_gettime(time.CLOCK_BOOTTIME), "processes": {"61": [2 << 30, percent], "4000": [9 << 30, 99]}}))

    found = gatherer(machine, RECORD._replace(gpu_readings=str(path)))
    machine.process(61, 60)
    reads(80)
    found.look()
    found.look()
    reads(40)
    found.look()
    taken = usage(found).taken
    assert (taken["gres/gpumem"].most.value, taken["gres/gpumem"].most.task, taken["gres/gpumem"].least.value) == (2 << 30, 4, 0)
    assert taken["gres/gpuutil"].most.value == 80
    assert 40 <= taken["gres/gpuutil"].total <= 80


def test_what_a_node_tells_is_bounded_and_is_said_to_be_of_that_node(machine):
    found = gatherer(machine)
    machine.process(61, 60, user=1e13)
    found.look()
    told = usage(found)
    with pytest.raises(InvalidRequest):
        bounds.checker(Usage)(told, "usage", Settings())
    lying = msgspec.convert({"taken": {"mem": {"total": 5, "tasks": 1, "most": {"value": 5, "node": "cn01", "task": 0}, "least": {"value": 5, "node": "", "task": 0}}}}, Usage)
    assert {told_by(lying, "cn07").taken["mem"].most.node, told_by(lying, "cn07").taken["mem"].least.node} == {"cn07"}
    assert told_by(lying, "cn07").taken["mem"].total == 5
