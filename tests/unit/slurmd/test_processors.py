"""Slurm's numbers of CPUs and the kernel's: machines as their kernels describe them, and this one."""

import os
from pathlib import Path

import pytest

from slurm.config.config import parse
from slurm.slurmd.gpus.tree import Tree
from slurm.slurmd.hardware import look
from slurm.slurmd.processors import Processors, machine_cores, memory_domains
from tests.unit.slurmd.gpus.recorded import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def here(machine: Machine, node: str = "Sockets=2 CoresPerSocket=4 ThreadsPerCore=2", allowed: set[int] | None = None) -> Processors:
    conf = parse(f"SlurmctldHost=h\nNodeName=a {node}\nPartitionName=p Nodes=ALL\n").nodes_by_name["a"]
    return Processors(conf.cpus, conf.threads_per_cpu, conf.threads, machine_cores(Tree(str(machine.root)), allowed))


@pytest.mark.parametrize(("order", "first_core", "second_socket"), [
    ("threads sockets cores", [0, 8], [4, 5, 6, 7, 12, 13, 14, 15]),  # CPU n and CPU n + 8 are threads of one core
    ("sockets cores threads", [0, 1], [8, 9, 10, 11, 12, 13, 14, 15]),  # CPUs 2n and 2n + 1 are
    ("threads cores sockets", [0, 8], [1, 3, 5, 7, 9, 11, 13, 15]),  # and the sockets take turns
])
def test_the_nodes_cpus_are_threads_of_one_core_however_the_kernel_numbers_them(
        machine: Machine, order: str, first_core: list[int], second_socket: list[int]) -> None:
    machine.processors(order=order)
    node = here(machine)
    assert node.of([0, 1]) == first_core
    assert node.of(range(8, 16)) == second_socket
    assert node.of(range(16)) == list(range(16))
    assert node.cores_of(set(second_socket)) == [4, 5, 6, 7]
    assert node.cores_of({first_core[1]}) == [0]


def test_a_cpu_that_is_a_whole_core_has_all_its_threads(machine: Machine) -> None:
    machine.processors()
    assert here(machine, "CPUs=8 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2").of([0, 7]) == [0, 7, 8, 15]
    assert here(machine, "CPUs=8").of([0, 7]) == [0, 7, 8, 15]  # as many as there are cores
    assert here(machine, "CPUs=2 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2").of([1]) == [4, 5, 6, 7, 12, 13, 14, 15]
    assert here(machine, "CPUs=16").of([0, 1]) == [0, 8]  # all threads, described as if they were cores
    assert here(machine, "CPUs=8 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2").cores_of({15}) == [7]


def test_cores_of_two_dies_that_have_one_number_are_two(machine: Machine) -> None:
    machine.processors(sockets=1, cores=2, threads=1)
    for cpu, siblings in ((0, "0"), (1, "1")):
        machine.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/core_id", "0\n")
        machine.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/die_id", f"{1 - cpu}\n")
        machine.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", siblings)
    assert [core.cpus for core in machine_cores(Tree(str(machine.root)))] == [(1,), (0,)]


def test_cpus_that_are_offline_or_not_slurmds_are_nobodys(machine: Machine) -> None:
    machine.processors()
    machine.file("/sys/devices/system/cpu/cpu8/online", "0\n")
    node = here(machine, "CPUs=4", {1, 5, 8, 9, 13})
    assert node.of(range(4)) == [1, 5, 9, 13]
    assert node.of([0, 1]) == [1, 9]


def test_an_emulated_node_has_the_cpus_that_there_are_and_no_near_cores(machine: Machine) -> None:
    machine.processors(sockets=1, cores=1, threads=2)
    node = here(machine)
    assert (node.of([1]), node.of([1, 2]), node.cores_of({0, 1})) == ([1], [], [])


def test_where_the_kernel_tells_of_no_cores_each_cpu_is_one(machine: Machine) -> None:
    for cpu in range(12):
        machine.file(f"/sys/devices/system/cpu/cpu{cpu}/online", "1\n")
    assert [core.cpus for core in machine_cores(Tree(str(machine.root)))] == [(cpu,) for cpu in range(12)]
    assert [core.cpus for core in machine_cores(Tree(str(machine.root / "none")), {3, 1})] == [(1,), (3,)]


def test_memory_domains_are_the_nodes_that_have_cpus(machine: Machine) -> None:
    for node, cpus in enumerate(("0-3,8-11\n", "4-7,12-15\n", "\n")):
        machine.file(f"/sys/devices/system/node/node{node}/cpulist", cpus)
    assert memory_domains(Tree(str(machine.root))) == [frozenset({0, 1, 2, 3, 8, 9, 10, 11}), frozenset({4, 5, 6, 7, 12, 13, 14, 15})]


def test_this_machines_cpus_are_all_there_and_those_of_a_core_are_siblings() -> None:
    cores = machine_cores(Tree())
    assert sorted(cpu for core in cores for cpu in core.cpus) == sorted(machine_cpus())
    for core in cores:
        siblings = Tree().text(f"/sys/devices/system/cpu/cpu{core.cpus[0]}/topology/thread_siblings_list")
        assert not siblings or len(core.cpus) <= 1 or set(siblings.replace("-", ",").split(",")) <= {str(cpu) for cpu in core.cpus}
    found = look()
    node = Processors(found.cpus, 1, found.threads_per_core, machine_cores(Tree(), os.sched_getaffinity(0)))
    assert set(node.of(range(node.count))) == os.sched_getaffinity(0)


def machine_cpus() -> set[int]:
    online = Tree().text("/sys/devices/system/cpu/online")
    found: set[int] = set()
    for part in online.split(","):
        low, _, high = part.partition("-")
        found |= set(range(int(low), int(high or low) + 1))
    return found
