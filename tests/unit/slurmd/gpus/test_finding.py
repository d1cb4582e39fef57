"""GPUs are looked for in recorded machines: their files, types, near CPUs, links and instances, by each way of AutoDetect."""

from pathlib import Path

import pytest

from slurm.model.errors import ConfigError
from slurm.slurmd.gpus import detect
from slurm.slurmd.gpus.tree import Tree
from tests.unit.slurmd.gpus.recorded import Machine, Nvml, NVMLError, a100


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def look(way: str, machine: Machine, library: object = None) -> detect.Look:
    return detect.look(way, Tree(str(machine.root)), lambda name: library)


def test_nvidias_driver_tells_of_its_gpus_without_a_library_in_the_order_of_the_bus(machine: Machine) -> None:
    machine.nvidia("0000:87:00.0", 0, "4-7,12-15")
    machine.nvidia("0000:07:00.0", 1, "0-3,8-11")
    gpus = look("nvidia", machine).gpus
    assert [(gpu.type, gpu.file, gpu.seen_as, gpu.address) for gpu in gpus] == [
        ("nvidia_a100-sxm4-40gb", "/dev/nvidia1", "0", "0000:07:00.0"), ("nvidia_a100-sxm4-40gb", "/dev/nvidia0", "1", "0000:87:00.0")]
    assert gpus[0].cpus == {0, 1, 2, 3, 8, 9, 10, 11}


def test_nvml_tells_the_same_and_how_gpus_are_linked(machine: Machine) -> None:
    machine.pci("0000:07:00.0", "0-3")
    library = Nvml(a100(0, "0000:87:00.0", links=["0000:07:00.0"] * 4), a100(1, "0000:07:00.0", links=["0000:87:00.0"] * 4))
    gpus = look("nvml", machine, library).gpus
    assert [(gpu.file, gpu.seen_as, gpu.links) for gpu in gpus] == [("/dev/nvidia1", "0", (-1, 4)), ("/dev/nvidia0", "1", (4, -1))]
    assert gpus[0].cpus == {0, 1, 2, 3}
    assert not library.is_open


def test_links_to_a_switch_are_links_to_no_gpu(machine: Machine) -> None:
    assert look("nvml", machine, Nvml(a100(0, "0000:07:00.0", links=["0000:c1:00.0"] * 6))).gpus[0].links == ()


def test_a_divided_gpu_is_its_instances_with_the_files_that_each_needs(machine: Machine) -> None:
    machine.file("/proc/driver/nvidia-caps/mig-minors", "config 1\nmonitor 2\ngpu0/gi1/access 12\ngpu0/gi1/ci0/access 13\n"
                 "gpu0/gi5/access 48\ngpu0/gi5/ci0/access 49\n")
    part = {"name": b"NVIDIA A100-SXM4-40GB MIG 3g.20gb"}
    gpus = look("nvml", machine, Nvml(a100(0, "0000:07:00.0", instances={
        0: {**part, "gi": 1, "uuid": "MIG-aa"}, 3: {**part, "gi": 5, "uuid": "MIG-bb"}}), a100(1, "0000:87:00.0"))).gpus
    assert [(gpu.type, gpu.file, gpu.seen_as) for gpu in gpus] == [
        ("nvidia_a100-sxm4-40gb_3g.20gb", "/dev/nvidia0,/dev/nvidia-caps/nvidia-cap12,/dev/nvidia-caps/nvidia-cap13", "MIG-aa"),
        ("nvidia_a100-sxm4-40gb_3g.20gb", "/dev/nvidia0,/dev/nvidia-caps/nvidia-cap48,/dev/nvidia-caps/nvidia-cap49", "MIG-bb"),
        ("nvidia_a100-sxm4-40gb", "/dev/nvidia1", "1")]


def test_amds_gpus_are_numbered_as_rocm_does_with_their_xgmi_links(machine: Machine) -> None:
    machine.drm(128, "0000:83:00.0", "0x1002", "0x740f", "amdgpu", "8-15", product_name="AMD INSTINCT MI210")
    machine.drm(129, "0000:03:00.0", "0x1002", "0x740f", "amdgpu", "0-7", product_name="AMD INSTINCT MI210")
    machine.drm(130, "0000:00:02.0", "0x8086", "0x3e98", "i915", "0-15")
    for node, minor, peer in ((0, 0, 0), (1, 128, 2), (2, 129, 1)):
        machine.file(f"/sys/class/kfd/kfd/topology/nodes/{node}/properties", f"cpu_cores_count 0\ndrm_render_minor {minor}\n")
        if minor:
            machine.file(f"/sys/class/kfd/kfd/topology/nodes/{node}/io_links/0/properties", f"type 2\nnode_from {node}\nnode_to 0\n")
            machine.file(f"/sys/class/kfd/kfd/topology/nodes/{node}/io_links/1/properties", f"type 11\nnode_from {node}\nnode_to {peer}\n")
    assert [(gpu.type, gpu.file, gpu.seen_as, gpu.links, min(gpu.cpus)) for gpu in look("rsmi", machine).gpus] == [
        ("amd_instinct_mi210", "/dev/dri/renderD128", "0", (-1, 1), 8), ("amd_instinct_mi210", "/dev/dri/renderD129", "1", (1, -1), 0)]


def test_intels_gpus_have_their_names_from_the_list_of_pci_ids(machine: Machine) -> None:
    machine.file("/usr/share/misc/pci.ids", "# ids\n1002  AMD\n\t0bd5  wrong\n8086  Intel Corporation\n"
                 "\t0bd5  Ponte Vecchio XT (2 Tile) [Data Center GPU Max 1550]\n")
    machine.drm(129, "0000:9a:00.0", "0x8086", "0x0bd5", "i915", "8-15")
    machine.drm(128, "0000:29:00.0", "0x8086", "0x56c0", "xe", "0-7")
    assert [(gpu.type, gpu.file, gpu.seen_as) for gpu in look("oneapi", machine).gpus] == [
        ("intel_56c0", "/dev/dri/renderD128", "0"), ("data_center_gpu_max_1550", "/dev/dri/renderD129", "1")]


def test_a_neuron_device_is_seen_by_the_numbers_of_its_cores(machine: Machine) -> None:
    for number in (0, 1, 10):
        machine.file(f"/dev/neuron{number}")
        machine.file(f"/sys/class/neuron_device/neuron{number}/core_count", "2\n")
        machine.file(f"/sys/class/neuron_device/neuron{number}/info/architecture/device_name", "Trainium1\n")
    assert [(gpu.type, gpu.file, gpu.seen_as) for gpu in look("nrt", machine).gpus] == [
        ("trainium1", "/dev/neuron0", "0,1"), ("trainium1", "/dev/neuron1", "2,3"), ("trainium1", "/dev/neuron10", "4,5")]


def test_nvml_without_its_library_is_refused_with_what_to_do() -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    with pytest.raises(ConfigError, match="configured to autodetect nvml functionality") as caught:
        detect.look("nvml", Tree("/nowhere"), missing)
    assert "slurm-py[gpu]" in caught.value.hints[0]
    assert "AutoDetect=nvidia" in caught.value.hints[1]


def test_a_driver_that_is_not_loaded_is_told_and_finds_nothing(machine: Machine) -> None:
    library = Nvml()
    library.nvmlInit = lambda: (_ for _ in ()).throw(NVMLError("Driver Not Loaded"))  # type: ignore[method-assign]
    assert look("nvml", machine, library) == ([], [
        "Failed to initialize NVML: Driver Not Loaded", "AutoDetect=nvml: 0 GPU system device(s) detected"])
