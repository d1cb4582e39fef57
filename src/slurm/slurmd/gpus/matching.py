"""What a machine has, held against what gres.conf and a node's Gres= say. Pure.

What is written checks what was found (its file, its cores, its links, its type, which may be a part of the type found) and gives it the
written type; what is found and not written fills up the rest of Gres=. Source: gres.conf(5), AutoDetect and Type.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from slurm.config.gres import GresDevice, GresLine, Wanted, read_wanted
from slurm.slurmd.gpus.found import FoundGpu
from slurm.slurmd.processors import shown

CoresOf = Callable[[Collection[int]], list[int]]
"""Numbers of the machine's CPUs → the node's cores that have them."""


class Matching:
    """The devices of one node. `told`: a sentence for whatever does not agree; a device that is not as written is not given to jobs."""

    def __init__(self, node: str, lines: Sequence[GresLine], found: Sequence[FoundGpu], cores_of: CoresOf, core_count: int) -> None:
        self.told: list[str] = []
        own = [line for line in lines if line.name == "gpu" and line.is_for(node)]
        ignored = {file for line in own if line.ignored for file in line.files}
        self._written = [line for line in own if not line.ignored]
        self._cores_of = cores_of
        self._core_count = core_count
        self._free = [gpu for gpu in found if not ignored.intersection((gpu.file, gpu.file.partition(",")[0]))]
        self._numbers = {id(gpu): place for place, gpu in enumerate(found)}
        self._spoilt: set[int] = set()

    def devices(self, gres: str) -> list[GresDevice]:
        """The GPUs behind the node's Gres=, fewer where fewer were found; a part with a type before one without is served first."""
        parts = [part for part in read_wanted(gres) if part.name == "gpu"]
        given: dict[int, list[GresDevice]] = {}
        for place in sorted(range(len(parts)), key=lambda place: -len(parts[place].type)):
            given[place] = self._serve(parts[place])
        devices = [device for place in range(len(parts)) for device in given[place]]
        for index, device in enumerate(devices):
            device.index = index
        if self._free and parts:
            self.told.append(f"{len(self._free)} more GPU{'s were' if len(self._free) > 1 else ' was'} found than Gres={gres} has: "
                             f"{', '.join(gpu.file for gpu in self._free)}")
        return devices

    def _serve(self, part: Wanted) -> list[GresDevice]:
        taken: list[tuple[int, GresDevice]] = []
        for line in self._written:
            if part.type and line.type not in ("", part.type):
                continue  # written for another type, which this node need not have
            kind = part.type or line.type
            for file in line.files or [""] * (line.number if line.number is not None else 1):
                if len(taken) < part.number:
                    self._take_as_written(line, file, kind, part, taken)
        for gpu in list(self._free):
            if len(taken) < part.number and part.type.lower() in gpu.type and id(gpu) not in self._spoilt:
                self._take(gpu, part.type, part, taken)
        taken.sort(key=lambda pair: pair[0])
        if len(taken) < part.number:
            self.told.append(f"gres/gpu{':' + part.type if part.type else ''}: {len(taken)} found, Gres= has {part.number}")
        return [device for _, device in taken]

    def _take_as_written(self, line: GresLine, file: str, kind: str, part: Wanted, taken: list[tuple[int, GresDevice]]) -> None:
        fitting = [gpu for gpu in self._free if (not file or file in (gpu.file, gpu.file.partition(",")[0])) and kind.lower() in gpu.type]
        if not fitting:
            if file and all(device.file != file for _, device in taken):
                there = next((gpu for gpu in self._free if file == gpu.file), None)
                self._complain(line, f"File={file} is " + (f"a {there.type}, not a {kind}" if there else "no GPU that was found"), there)
            return
        gpu = fitting[0]
        near = self._near(gpu)
        if line.cores and near and sorted(line.cores) != near:
            self._complain(line, f"Cores of {gpu.file} are {shown(near)}, not {shown(sorted(line.cores))}", gpu)
        elif line.links and gpu.links and tuple(line.links) != gpu.links:
            self._complain(line, f"Links of {gpu.file} are {_commas(gpu.links)}, not {_commas(line.links)}", gpu)
        elif id(gpu) not in self._spoilt:
            self._take(gpu, kind, part, taken)
            taken[-1][1].cores = taken[-1][1].cores or line.cores
            taken[-1][1].links = taken[-1][1].links or line.links

    def _take(self, gpu: FoundGpu, kind: str, part: Wanted, taken: list[tuple[int, GresDevice]]) -> None:
        self._free.remove(gpu)
        device = GresDevice("gpu", kind, gpu.file, self._near(gpu), 0, 1)
        device.links, device.seen_as, device.consumed = list(gpu.links), gpu.seen_as, part.consumed
        taken.append((self._numbers[id(gpu)], device))

    def _near(self, gpu: FoundGpu) -> list[int]:
        """The cores near a GPU; empty where that is all of them, or what they are is not known."""
        cores = [core for core in self._cores_of(gpu.cpus) if core < self._core_count]
        return [] if len(cores) >= self._core_count else cores

    def _complain(self, line: GresLine, what: str, gpu: FoundGpu | None) -> None:
        self.told.append(f"{line.origin}: {what}: it is not given to jobs")
        if gpu is not None:
            self._spoilt.add(id(gpu))


def _commas(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
