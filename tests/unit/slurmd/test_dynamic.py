"""The NodeName line of a slurmd -Z."""

from __future__ import annotations

import pytest

from slurm.model.errors import ConfigError
from slurm.slurmd import dynamic
from slurm.slurmd.hardware import Hardware

MACHINE = Hardware(
    cpus=16, boards=1, sockets=1, cores_per_socket=8, threads_per_core=2, memory=31848, tmp_disk=100, arch="x86_64", os="Linux", boot_time=1.0)


def words(given: str) -> list[str]:
    return [word for word in dynamic.line("node1", MACHINE, given).split() if not word.startswith(("NodeHostname", "NodeAddr"))]


def test_what_was_found_is_said_and_what_conf_names_in_its_place() -> None:
    found = ["NodeName=node1", "CPUs=16", "Boards=1", "SocketsPerBoard=1", "CoresPerSocket=8", "ThreadsPerCore=2", "RealMemory=31848"]
    assert words("") == found
    assert words("Gres=gpu:2") == [*found, "Gres=gpu:2"]
    assert words("RealMemory=30000") == [*found[:-1], "RealMemory=30000"]


def test_who_names_one_number_of_the_cpus_names_all() -> None:
    assert words("CPUs=16 RealMemory=30000 Feature=f1") == ["NodeName=node1", "RealMemory=30000", "CPUs=16", "Features=f1"]


@pytest.mark.parametrize("given", ["NodeName=x", "State=CLOUD", "Foo=1", "CPUs"])
def test_what_a_slurmd_cannot_say_of_itself_is_refused(given: str) -> None:
    with pytest.raises(ConfigError):
        dynamic.line("node1", MACHINE, given)


def test_a_machine_that_counts_as_just_started_has_another_boot_id_each_time() -> None:
    assert dynamic.booted_now(MACHINE).boot_id != dynamic.booted_now(MACHINE).boot_id
