"""What /proc, cgroups and counters say, read from folders of ours."""

from __future__ import annotations

import time

import pytest

from slurm.slurmd.stepd.usage import cgroup_figures, energy, gpu_readings
from slurm.slurmd.stepd.usage.processes import NO_SHARED, PSS, RSS, Processes
from tests.unit.slurmd.usage.machine import Machine

MB = 1 << 20


def test_a_process_is_read_whatever_its_name_is(tmp_path):
    Machine(tmp_path).process(7, 3, session=5, started=99, user=1.5, waited=0.5, system=0.25, faults=4, memory=30, vmem=200, read=11087, written=9, name="a) R 1 (b")
    found = Processes(str(tmp_path)).look(7)
    assert found == (7, 3, 5, 99, 2.0, 0.25, 4, 200 * MB, 30 * MB, 11087, 9)


def test_a_process_that_is_gone_or_whose_traffic_may_not_be_read_is_no_error(tmp_path):
    machine = Machine(tmp_path)
    machine.process(7, 3, memory=30)
    (tmp_path / "7" / "io").unlink()
    processes = Processes(str(tmp_path))
    assert processes.look(8) is None
    assert processes.look(7).read == 0
    assert processes.variable(8, "X") == ""


@pytest.mark.parametrize(("memory_by", "megabytes"), [(RSS, 30), (PSS, 12), (NO_SHARED, 22)])
def test_memory_is_what_the_configuration_says(tmp_path, memory_by, megabytes):
    Machine(tmp_path).process(7, 3, memory=30, shared=8, pss=12)
    assert Processes(str(tmp_path), memory_by).look(7).memory == megabytes * MB


def test_a_fair_share_that_may_not_be_read_is_what_is_resident(tmp_path):
    Machine(tmp_path).process(7, 3, memory=30)
    (tmp_path / "7" / "smaps_rollup").unlink()
    assert Processes(str(tmp_path), PSS).look(7).memory == 30 * MB


def test_both_versions_of_cgroups_tell_time_and_memory(tmp_path):
    new, old, none = (tmp_path / name for name in ("new", "old", "none"))
    for folder in (new, old, none):
        folder.mkdir()
    (new / "cpu.stat").write_text("usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\n")
    (new / "memory.stat").write_text("anon 4096\nfile 999999\nshmem 1024\n")
    (new / "memory.peak").write_text("8192\n")
    (old / "cpuacct.stat").write_text("user 200\nsystem 100\n")
    (old / "memory.stat").write_text("cache 999999\ntotal_rss 4096\ntotal_shmem 1024\n")
    (old / "memory.max_usage_in_bytes").write_text("8192\n")
    for folder in (new, old):
        assert cgroup_figures.cpu(str(folder)) == (2.0, 1.0)
        assert cgroup_figures.memory(str(folder)) == 5120
        assert cgroup_figures.peak(str(folder)) == 8192
    assert (cgroup_figures.cpu(str(none)), cgroup_figures.memory(str(none)), cgroup_figures.peak(str(none))) == (None, None, None)


def test_energy_is_that_of_packages_and_their_memory_and_counters_that_begin_anew_lose_nothing(tmp_path):
    def counter(name, what, microjoules):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file, value in (("name", what), ("energy_uj", microjoules), ("max_energy_range_uj", 1_000_000_000)):
            (folder / file).write_text(f"{value}\n")

    assert not energy.readable(str(tmp_path))
    counter("intel-rapl:0", "package-0", 999_000_000)
    counter("intel-rapl:0:0", "core", 5)
    counter("intel-rapl:0:1", "dram", 1_000_000)
    assert energy.readable(str(tmp_path))
    rapl = energy.Rapl(str(tmp_path))
    counter("intel-rapl:0", "package-0", 4_000_000)
    counter("intel-rapl:0:0", "core", 800_000_000)
    counter("intel-rapl:0:1", "dram", 3_000_000)
    assert rapl.joules() == 5 + 2
    assert rapl.joules() == 7


def test_readings_of_gpus_count_while_they_are_fresh(tmp_path):
    path = tmp_path / "gpu_readings"
    assert gpu_readings.read(str(path)) == {}
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    path.write_text(f'{{"at": {now}, "processes": {{"7": [2147483648, 87]}}}}')
    assert gpu_readings.read(str(path)) == {7: (2 << 30, 87)}
    path.write_text(f'{{"at": {now - 100}, "processes": {{"7": [2147483648, 87]}}}}')
    assert gpu_readings.read(str(path)) == {}
    path.write_text("half a li")
    assert gpu_readings.read(str(path)) == {}
