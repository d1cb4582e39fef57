"""What one task has used so far: the largest memory of its processes together, and sums that never become less."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.slurmd.stepd.usage.processes import Reading
from slurm.slurmd.stepd.usage.reaping import Reaped


class Sums:
    """Seconds of CPU, major page faults, bytes read and written."""

    __slots__ = ("faults", "read", "system", "user", "written")

    def __init__(self) -> None:
        self.user = self.system = 0.0
        self.faults = self.read = self.written = 0

    def at_least(self, other: Sums) -> None:
        """Become no less than the other in anything."""
        for name in self.__slots__:
            setattr(self, name, max(getattr(self, name), getattr(other, name)))


class TaskUsage:
    """One task. `left_by_fork` bytes is what its first process had resident before it became its program: no measure of the program."""

    def __init__(self, rank: int, left_by_fork: int) -> None:
        self.rank = rank
        self.memory = 0  # of now
        self.most_memory = 0
        self.most_vmem = 0
        self.gpu_memory = 0
        self.gpu_percent = 0
        self._gpu_sum = 0.0
        self._gpu_seconds = 0.0
        self._left_by_fork = left_by_fork
        self._at_most = 0
        self._living: dict[int, Reading] = {}
        self._ended = Sums()
        self._told = Sums()

    def seen(self, readings: Iterable[Reading]) -> None:
        """Its processes as they are now."""
        self._living = {reading.pid: reading for reading in readings}
        self.memory = sum(reading.memory for reading in self._living.values())
        self.most_memory = max(self.most_memory, self.memory)
        self.most_vmem = max(self.most_vmem, sum(reading.vmem for reading in self._living.values()))

    def held(self, memory: int) -> None:
        """Bytes that its processes hold together now, as whoever knows better tells."""
        self.memory = memory
        self.most_memory = max(self.most_memory, memory)

    def on_gpus(self, memory: int, percent: int, seconds: float) -> None:
        """Bytes of GPU memory and percent of a GPU's time that its processes take now, and probably for so many seconds."""
        self.gpu_memory = max(self.gpu_memory, memory)
        self.gpu_percent = max(self.gpu_percent, percent)
        self._gpu_sum += percent * seconds
        self._gpu_seconds += seconds

    @property
    def mean_gpu_percent(self) -> int:
        """Percent of a GPU's time, on average over the time in which it was looked at."""
        return round(self._gpu_sum / self._gpu_seconds) if self._gpu_seconds else 0

    def reaped(self, process: Reaped) -> None:
        """A process of it was waited for by slurmstepd: what wait4(2) tells counts, with that of the processes it had waited for.

        So what descended from it is not counted any more as it was last seen: who lives on is seen again at the next look.
        """
        if self._living.pop(process.pid, None) is not None:
            self._forget_children({process.pid})
        ended = self._ended
        ended.user += process.user
        ended.system += process.system
        ended.faults += process.faults
        ended.read += process.read
        ended.written += process.written
        largest = process.memory * 1024
        if largest > self._left_by_fork:
            self.most_memory = max(self.most_memory, largest)
        else:
            self._at_most = max(self._at_most, largest)

    def _forget_children(self, parents: set[int]) -> None:
        while parents:
            parents = {reading.pid for reading in self._living.values() if reading.parent in parents}
            for pid in parents:
                del self._living[pid]

    def never_seen_holding(self, at_most: int | None) -> None:
        """It has ended. A task that was too short to be looked at held no more than wait4(2) says, nor than `at_most` bytes."""
        if not self.most_memory:
            self.most_memory = self._at_most if at_most is None else min(self._at_most, at_most)
        self.most_vmem = max(self.most_vmem, self.most_memory)

    def told(self) -> list[float]:
        """Its rank, seconds of CPU in user mode and in the kernel, memory, virtual memory, page faults, bytes read and written."""
        sums = self.sums()
        return [self.rank, round(sums.user, 3), round(sums.system, 3), self.most_memory, max(self.most_vmem, self.most_memory), sums.faults,
            sums.read, sums.written]

    def sums(self) -> Sums:
        """What it has used so far. Time of a process whose parent does not wait for it is not lost once it was told."""
        if not self._living:
            self._told.at_least(self._ended)
            return self._told
        sums = Sums()
        sums.at_least(self._ended)
        for reading in self._living.values():
            sums.user += reading.user
            sums.system += reading.system
            sums.faults += reading.faults
            sums.read += reading.read
            sums.written += reading.written
        self._told.at_least(sums)
        return self._told
