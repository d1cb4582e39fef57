"""What a driver tells of the processes on its GPUs; the library is ours, at the seam at which nvidia-ml-py stands."""

from __future__ import annotations

import json
from typing import NamedTuple

from slurm.slurmd.gpu_meter import Meter, write
from slurm.slurmd.stepd.usage import gpu_readings

GB = 1 << 30


class Process(NamedTuple):
    pid: int
    usedGpuMemory: int | None  # noqa: N815 - NVML's name


class Sample(NamedTuple):
    pid: int
    timeStamp: int  # noqa: N815
    smUtil: int  # noqa: N815


class Rates(NamedTuple):
    gpu: int


class Driver:
    """Two GPUs: the first tells of each process, the second of the whole only; `broken` ones tell nothing."""

    class NVMLError(Exception):
        """Of the driver."""

    class NVMLError_GpuIsLost(NVMLError):  # noqa: N801
        """It fell off the bus."""

    class NVMLError_NotFound(NVMLError):  # noqa: N801
        """Nothing has run."""

    class NVMLError_NotSupported(NVMLError):  # noqa: N801
        """An older GPU."""

    def __init__(self) -> None:
        self.broken: set[int] = set()
        self.idle = False
        self.asked: list[int] = []

    def nvmlInit(self) -> None:  # noqa: N802
        """Begins."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Two."""
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        """The number itself."""
        return index

    def nvmlDeviceGetMinorNumber(self, handle: int) -> int:  # noqa: N802
        """Device files are numbered the other way round; the driver of the second does not say."""
        if handle == 1 and self.idle:
            raise self.NVMLError_NotSupported("Not Supported")
        return 1 - handle

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Process]:  # noqa: N802
        """Process 7 is on both."""
        if handle in self.broken:
            raise self.NVMLError_GpuIsLost("GPU is lost")
        return [Process(7, 2 * GB), Process(8, None)] if handle == 0 else [Process(7, GB)]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: int) -> list[Process]:  # noqa: N802
        """The same ones may be here too."""
        return [Process(7, 2 * GB)] if handle == 0 else [Process(9, GB)]

    def nvmlDeviceGetProcessUtilization(self, handle: int, since: int) -> list[Sample]:  # noqa: N802
        """Samples of the first; old ones among them."""
        self.asked.append(since)
        if handle == 1:
            raise self.NVMLError_NotSupported("Not Supported")
        if self.idle:
            raise self.NVMLError_NotFound("Not Found")
        return [Sample(7, since + 1, 60), Sample(7, since + 2, 80), Sample(8, since + 1, 10), Sample(8, since, 99)]

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Rates:  # noqa: N802
        """Of the whole."""
        return Rates(50)


def test_memory_and_time_of_a_process_are_those_of_all_gpus():
    assert Meter(Driver()).read() == {7: [3 * GB, 70 + 25], 8: [0, 10], 9: [GB, 25]}


def test_a_gpu_that_fails_is_told_once_and_the_others_count(capfd):
    driver = Driver()
    driver.broken, driver.idle = {1}, True
    meter = Meter(driver)
    assert meter.read() == meter.read() == {7: [2 * GB, 0], 8: [0, 0]}
    assert capfd.readouterr().err == "slurmd: error: GPU 1 is not measured: GPU is lost\n"


def test_the_device_file_of_a_lost_gpu_is_written_as_long_as_it_is_lost(tmp_path):
    driver = Driver()
    driver.broken = {1}
    meter = Meter(driver)
    meter.read()
    assert meter.lost == ["/dev/nvidia0"]
    write(str(tmp_path / "readings"), {}, meter.lost)
    assert json.loads((tmp_path / "readings").read_text())["lost"] == ["/dev/nvidia0"]
    driver.broken = set()
    meter.read()
    assert meter.lost == []


def test_each_question_is_about_the_time_since_the_one_before():
    driver = Driver()
    meter = Meter(driver)
    meter.read()
    meter.read()
    assert driver.asked[0] == 0 < driver.asked[2]


def test_what_is_written_is_what_slurmstepds_read(tmp_path):
    path = str(tmp_path / "gpu_readings")
    write(path, {7: [GB, 70]})
    assert gpu_readings.read(path) == {7: (GB, 70)}
    assert json.loads((tmp_path / "gpu_readings").read_text())["processes"] == {"7": [GB, 70]}
