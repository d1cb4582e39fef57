"""What is written in gres.conf and slurm.conf, held against what a recorded machine has."""

from pathlib import Path

import pytest

from slurm.config.config import Config, parse
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import ConfigError
from slurm.slurmd.gpus import own
from slurm.slurmd.gpus.naming import Naming, naming_of
from slurm.slurmd.gpus.tree import Tree
from tests.unit.slurmd.gpus.recorded import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two sockets of four cores of two threads; two A100 at the first, one H100 at the second."""
    made = Machine(tmp_path)
    made.processors()
    made.nvidia("0000:07:00.0", 0, "0-3,8-11")
    made.nvidia("0000:0b:00.0", 1, "0-3,8-11")
    made.nvidia("0000:87:00.0", 2, "4-7,12-15", "NVIDIA H100 PCIe")
    return made


def conf_of(gres: str, wanted: str) -> Config:
    return parse("SlurmctldHost=h\nGresTypes=gpu,nic\nNodeName=a[1-2] Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 "
                 f"Gres={wanted}\nPartitionName=p Nodes=ALL\n", gres=gres)


def settled(machine: Machine, gres: str, wanted: str) -> own.Own:
    return own.settle(conf_of(gres, wanted), "a1", Tree(str(machine.root)))


def shown(found: own.Own) -> list[tuple[int, str, str, list[int]]]:
    return [(device.index, device.type, device.file, device.cores) for device in found.devices]


A100S = [(0, "a100", "/dev/nvidia0", [0, 1, 2, 3]), (1, "a100", "/dev/nvidia1", [0, 1, 2, 3])]


def test_what_gres_says_is_filled_with_what_was_found_where_its_type_is_part_of_the_model(machine: Machine) -> None:
    found = settled(machine, "AutoDetect=nvidia", "gpu:a100:2,gpu:h100:1,nic:3")
    assert shown(found)[:3] == [*A100S, (2, "h100", "/dev/nvidia2", [4, 5, 6, 7])]
    assert [(device.name, device.count) for device in found.devices][3:] == [("nic", 3)]
    assert not found.told


def test_a_type_is_served_before_what_is_untyped(machine: Machine) -> None:
    assert [device[1:3] for device in shown(settled(machine, "AutoDetect=nvidia", "gpu:1,gpu:a100:2"))] == [
        ("", "/dev/nvidia2"), ("a100", "/dev/nvidia0"), ("a100", "/dev/nvidia1")]


def test_written_cores_that_are_others_keep_a_gpu_from_jobs(machine: Machine) -> None:
    found = settled(machine, "AutoDetect=nvidia\nName=gpu Type=a100 File=/dev/nvidia0 Cores=0-3\n"
                             "Name=gpu Type=a100 File=/dev/nvidia1 Cores=4-7\n", "gpu:a100:2")
    assert shown(found) == A100S[:1]
    assert found.told[:2] == ["gres.conf:3: Cores of /dev/nvidia1 are 0-3, not 4-7: it is not given to jobs",
                              "gres/gpu:a100: 1 found, Gres= has 2"]


def test_a_file_of_another_model_or_of_none_is_told(machine: Machine) -> None:
    found = settled(machine, "AutoDetect=nvidia\nName=gpu Type=a100 File=/dev/nvidia[2,7]\n", "gpu:a100:2")
    assert [file for _, _, file, _ in shown(found)] == ["/dev/nvidia0", "/dev/nvidia1"]
    assert found.told[:2] == ["gres.conf:2: File=/dev/nvidia2 is a nvidia_h100_pcie, not a a100: it is not given to jobs",
                              "gres.conf:2: File=/dev/nvidia7 is no GPU that was found: it is not given to jobs"]


def test_a_type_of_gres_conf_that_the_node_lacks_is_passed_over(machine: Machine) -> None:
    """Seed 001 writes the same files under two types, for its two kinds of node."""
    found = settled(machine, "AutoDetect=nvidia\nName=gpu Type=a100 File=/dev/nvidia[0-1] Cores=0-3\n"
                             "Name=gpu Type=h200 File=/dev/nvidia[0-1] Cores=4-7\n", "gpu:a100:2")
    assert shown(found) == A100S
    assert not any("h200" in sentence for sentence in found.told)


def test_an_ignored_file_is_not_found(machine: Machine) -> None:
    found = settled(machine, "AutoDetect=nvidia\nName=gpu File=/dev/nvidia0 Ignore=yes\n", "gpu:a100:2")
    assert [file for _, _, file, _ in shown(found)] == ["/dev/nvidia1"]


def test_a_node_may_have_its_own_way_or_none(machine: Machine) -> None:
    gres = "AutoDetect=nvidia\nNodeName=a1 AutoDetect=off Name=gpu File=/dev/null\n"
    assert [file for _, _, file, _ in shown(settled(machine, gres, "gpu:1"))] == ["/dev/null"]
    assert [conf_of(gres, "gpu:1").detection.of(node) for node in ("a1", "a2")] == ["off", "nvidia"]


def test_a_node_that_is_told_two_ways_is_refused() -> None:
    with pytest.raises(ConfigError, match="which has AutoDetect=nvml already"):
        conf_of("NodeName=a1 AutoDetect=nvml\nNodeName=a[1-2] AutoDetect=rsmi\n", "gpu:1")


def test_slurmctld_is_told_pools_whose_cores_are_the_nodes_cpus(machine: Machine) -> None:
    pools = own.reported(settled(machine, "AutoDetect=nvidia", "gpu:3").devices, 2)
    assert [(pool.first, pool.count, pool.files, pool.cores) for pool in pools] == [
        (0, 2, ["/dev/nvidia0", "/dev/nvidia1"], CpuSet.run(8)), (2, 1, ["/dev/nvidia2"], CpuSet.run(8, 8))]


def test_slurmd_prints_devices_as_slurm_does(machine: Machine) -> None:
    assert own.lines(settled(machine, "AutoDetect=nvidia", "gpu:a100:1,nic:3").devices, 8) == [
        "Gres Name=gpu Type=a100 Count=1 Index=0 ID=7696487 File=/dev/nvidia0 Cores=0-3 CoreCnt=8 (null)",
        "Gres Name=nic Type=(null) Count=3 ID=6515054 (null)"]


@pytest.mark.parametrize(("gres", "variables"), [
    ("", ["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL"]),
    ("AutoDetect=nvidia", ["CUDA_VISIBLE_DEVICES"]), ("AutoDetect=rsmi", ["ROCR_VISIBLE_DEVICES"]),
    ("AutoDetect=oneapi", ["ZE_AFFINITY_MASK"]), ("AutoDetect=nrt", ["NEURON_RT_VISIBLE_CORES"]),
    ("AutoDetect=rsmi\nName=gpu File=/dev/null Flags=amd_gpu_env,opencl_env", ["ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"]),
    ("Name=gpu File=/dev/null Flags=no_gpu_env", []),
])
def test_flags_say_by_which_variables_gpus_are_announced_else_what_found_them(gres: str, variables: list[str]) -> None:
    from slurm.config.gres import variables_of
    conf = conf_of(gres, "gpu:1")
    assert variables_of("a1", conf.gres_lines, conf.detection.of("a1")) == variables


def test_a_flag_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="Flags=nvidia_env is no flag"):
        conf_of("Name=gpu File=/dev/null Flags=nvidia_env", "gpu:1")


def test_gpus_are_numbered_from_0_where_the_kernel_hides_the_others(machine: Machine) -> None:
    devices = settled(machine, "AutoDetect=nvidia", "gpu:1,gpu:a100:2").devices
    hidden = naming_of(devices, ["CUDA_VISIBLE_DEVICES"], constrained=True)
    assert hidden.of([0, 2], [0, 2]) == {"CUDA_VISIBLE_DEVICES": "1,0"}
    assert hidden.of([2], [0, 2]) == {"CUDA_VISIBLE_DEVICES": "0"}
    assert naming_of(devices, ["CUDA_VISIBLE_DEVICES"], constrained=False).of([0, 2], [0, 2]) == {"CUDA_VISIBLE_DEVICES": "2,1"}


def test_what_slurmctld_wrote_of_gpus_is_said_in_this_nodes_words() -> None:
    naming = Naming(["ROCR_VISIBLE_DEVICES"], {3: "1"})
    assert naming.within({"SLURM_JOB_GPUS": "3", "CUDA_VISIBLE_DEVICES": "3", "PATH": "/bin"}) == {
        "SLURM_JOB_GPUS": "3", "ROCR_VISIBLE_DEVICES": "1", "PATH": "/bin"}
    assert naming.within({"CUDA_VISIBLE_DEVICES": "0"}) == {"CUDA_VISIBLE_DEVICES": "0"}
