"""What processes take of this machine's GPUs, asked of NVIDIA's driver (NVML) every few seconds and left in a file: a process of slurmd's
own.

    python -m slurm.slurmd.gpu_meter FILE SECONDS     until its standard input ends

A driver that hangs holds up nobody but this. Slurmstepds read the file (`stepd.usage.gpu_readings`, which says what is in it). Not here:
when it runs (`gpu_metering`), whose a process is (`stepd.usage.tree`).
"""

from __future__ import annotations

import importlib
import json
import os
import select
import sys
import time
from collections.abc import Sequence
from typing import Any

from slurm.slurmd.stepd import kernel

LIBRARY = "pynvml"
_MICROSECONDS = 1e6


class Meter:
    """Reads through `library`, a module as nvidia-ml-py is one; the seam at which tests have theirs."""

    def __init__(self, library: Any) -> None:  # noqa: ANN401 - the library has no types
        self._library = library
        library.nvmlInit()
        self._handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]
        self._files = [_file(library, handle) for handle in self._handles]
        self.lost: list[str] = []  # device files of those that the driver had lost when it was asked last
        self._asked = 0
        self._told: set[str] = set()

    def read(self) -> dict[int, list[int]]:
        """pid → [bytes of GPU memory, percent of a GPU's time since the last call], over all GPUs."""
        found: dict[int, list[int]] = {}
        asked = int(time.time() * _MICROSECONDS)
        self.lost = []
        for index, handle in enumerate(self._handles):
            try:
                self._read_one(handle, found)
            except self._library.NVMLError as error:
                self._tell(f"GPU {index} is not measured: {error}")
                if isinstance(error, self._library.NVMLError_GpuIsLost) and self._files[index]:
                    self.lost.append(self._files[index])
        self._asked = asked
        return found

    def _read_one(self, handle: object, found: dict[int, list[int]]) -> None:
        library = self._library
        memory: dict[int, int] = {}
        for process in (*library.nvmlDeviceGetComputeRunningProcesses(handle), *library.nvmlDeviceGetGraphicsRunningProcesses(handle)):
            memory[process.pid] = max(memory.get(process.pid, 0), process.usedGpuMemory or 0)
        percents = self._percents(handle, memory)
        for pid in memory.keys() | percents.keys():
            sums = found.setdefault(pid, [0, 0])
            sums[0] += memory.get(pid, 0)
            sums[1] += round(percents.get(pid, 0.0))

    def _percents(self, handle: object, memory: dict[int, int]) -> dict[int, float]:
        """Of each process where the GPU tells that, else a fair part of the GPU's whole for each."""
        library = self._library
        try:
            samples = library.nvmlDeviceGetProcessUtilization(handle, self._asked)
        except library.NVMLError_NotFound:
            return {}  # nobody has used it since
        except library.NVMLError_NotSupported:
            rate = library.nvmlDeviceGetUtilizationRates(handle).gpu if memory else 0
            return {pid: rate / len(memory) for pid in memory}
        each: dict[int, list[int]] = {}
        for sample in samples:
            if sample.timeStamp > self._asked:
                each.setdefault(sample.pid, []).append(sample.smUtil)
        return {pid: sum(percents) / len(percents) for pid, percents in each.items()}

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            os.write(2, f"slurmd: error: {sentence}\n".encode(errors="replace"))


def _file(library: Any, handle: object) -> str:  # noqa: ANN401 - the library has no types
    """The device file of a GPU, "" where the driver does not say."""
    try:
        return f"/dev/nvidia{library.nvmlDeviceGetMinorNumber(handle)}"
    except library.NVMLError:
        return ""


def write(path: str, readings: dict[int, list[int]], lost: Sequence[str] = ()) -> None:
    """Put readings where slurmstepds look, and the device files of lost GPUs, whole or not at all. OSError."""
    fresh = f"{path}.new"
    with open(fresh, "w", encoding="ascii") as file:
        json.dump({"at": time.clock_gettime(time.CLOCK_BOOTTIME), "processes": {str(pid): pair for pid, pair in readings.items()}, "lost": lost},
            file)
    os.rename(fresh, path)


def main() -> int:
    """Measure until nobody wants it any more."""
    path, seconds = sys.argv[1], float(sys.argv[2])
    kernel.set_title("slurmd: gpu_meter")
    try:
        meter = Meter(importlib.import_module(LIBRARY))
    except Exception as error:  # noqa: BLE001 - whatever the library or the driver has to say is told, and nothing is measured
        os.write(2, f"slurmd: error: GPUs are not measured: {error}\n".encode(errors="replace"))
        return 1
    poll = select.poll()
    poll.register(0, select.POLLIN)
    while True:
        try:
            write(path, meter.read(), meter.lost)
        except OSError as error:
            os.write(2, f"slurmd: error: readings of GPUs cannot be written: {error.strerror}\n".encode())
        if poll.poll(seconds * 1000) and not os.read(0, 64):
            return 0


if __name__ == "__main__":
    sys.exit(main())
