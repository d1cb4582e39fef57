"""Which CPUs a node's tasks are bound to, on two sockets of four cores of two threads that Linux numbers n and n + 8."""

from collections.abc import Sequence

import pytest

from slurm.model.errors import SlurmError
from slurm.slurmd.binding import Wish, settle
from slurm.slurmd.processors import Core

MACHINE = [Core(core // 4, (core, core + 8)) for core in range(8)]
DOMAINS = [{0, 1, 2, 3, 8, 9, 10, 11}, {4, 5, 6, 7, 12, 13, 14, 15}]
ALL = list(range(16))


def bound(bind: str, tasks: int, cpus: Sequence[int] = ALL, each: int = 1, threads: int = 0, distribution: str = "") -> list[list[int]]:
    return [list(task) for task in settle(Wish(bind, each, threads, distribution), cpus, tasks, MACHINE, lambda: DOMAINS).cpus]


def test_tasks_for_which_there_is_just_enough_are_bound_without_being_asked() -> None:
    assert bound("", 2) == [sorted(DOMAINS[0]), sorted(DOMAINS[1])]  # as many as sockets
    assert bound("", 8) == [[0, 8], [4, 12], [1, 9], [5, 13], [2, 10], [6, 14], [3, 11], [7, 15]]  # as cores
    assert bound("", 4, each=4) == [[0, 1, 8, 9], [4, 5, 12, 13], [2, 3, 10, 11], [6, 7, 14, 15]]  # as threads
    assert bound("", 3) == []
    assert bound("none", 8) == []


def test_tasks_of_one_core_each_get_whole_cores_of_their_step() -> None:
    assert bound("cores", 2, [0, 1, 8, 9]) == [[0, 8], [1, 9]]
    assert bound("cores", 2, [0, 1]) == [[0], [1]]
    assert bound("threads", 2, [0, 1, 8, 9]) == [[0], [1]]
    assert bound("threads", 4, [0, 1, 8, 9], distribution="block") == [[0], [8], [1], [9]]
    assert bound("cores", 3, [0, 8]) == [[0, 8]] * 3  # more tasks than CPUs


def test_the_distribution_says_how_sockets_are_filled() -> None:
    assert bound("cores", 4, distribution="block") == [[0, 8], [1, 9], [2, 10], [3, 11]]
    assert bound("cores", 4, distribution="cyclic") == [[0, 8], [4, 12], [1, 9], [5, 13]]
    assert bound("threads", 2, each=2, distribution="fcyclic") == [[0, 4], [1, 5]]
    assert bound("threads", 2, each=2) == [[0, 1], [4, 5]]
    assert bound("rank", 2) == [[0], [1]]


def test_wider_kinds_give_all_of_the_step_in_a_socket_or_domain() -> None:
    assert bound("sockets", 1, [0, 1, 4, 8]) == [[0, 1, 8]]
    assert bound("ldoms", 2, [0, 1, 4, 5]) == [[0, 1], [4, 5]]
    assert bound("boards", 2, [0, 4]) == [[0, 4], [0, 4]]


def test_numbers_are_the_kernels_and_must_be_the_steps() -> None:
    assert bound("map_cpu:8,1", 3) == [[8], [1], [8]]
    assert bound("mask_cpu:0x101,0x202", 2) == [[0, 8], [1, 9]]
    assert bound("map_ldom:1", 1, [3, 4, 5]) == [[4, 5]]
    with pytest.raises(SlurmError) as refused:
        bound("map_cpu:2", 1, [0, 8])
    assert refused.value.message == "Unable to satisfy cpu bind request"
    assert refused.value.hints[0] == "CPU binding outside of job step allocation, allocated CPUs are: 0x101"
    with pytest.raises(SlurmError):
        bound("map_ldom:2", 1)


def test_one_thread_of_a_core_is_used_where_that_was_asked() -> None:
    assert bound("", 2, [0, 1, 8, 9], threads=1) == [[0], [1]]
    assert bound("", 1, [0, 1, 8, 9], each=2, threads=1) == [[0, 1]]


def test_tasks_are_told_what_they_are_bound_to_and_say_it_where_wished() -> None:
    binding = settle(Wish("verbose,cores"), [0, 1, 8, 9], 2, MACHINE, lambda: DOMAINS)
    assert binding.variables == {"SLURM_CPU_BIND": "verbose,mask_cpu:0x101,0x202", "SLURM_CPU_BIND_LIST": "0x101,0x202",
        "SLURM_CPU_BIND_TYPE": "mask_cpu:", "SLURM_CPU_BIND_VERBOSE": "verbose"}
    assert binding.report == "MASK"
    assert settle(Wish("verbose,none"), [0], 1, MACHINE, lambda: DOMAINS).report == "NONE"
    assert settle(Wish("cores"), [], 2, MACHINE, lambda: DOMAINS) == ((), {}, "")
