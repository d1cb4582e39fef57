"""Licences: how many of each the jobs hold that hold anything. Derived from their allocations, and kept with every event."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.settings import Settings
from slurm.notation import licenses
from slurm.notation.licenses import Choice


class Licenses:
    """What is in use, by name. How many there are is in the settings: fewer than are in use after a change of slurm.conf."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}
        self._held: dict[JobId, dict[str, int]] = {}

    def take(self, job: Job) -> None:
        """A job holds what its allocation says, or that of an attempt that nobody hears of."""
        if job.holding is not None and job.holding.licenses:
            self._held[job.id] = counts = dict(job.holding.licenses)
            self._add(counts, 1)

    def give_back(self, job: Job) -> None:
        """It holds nothing any more."""
        self._add(self._held.pop(job.id, {}), -1)

    def _add(self, counts: Mapping[str, int], sign: int) -> None:
        for name, count in counts.items():
            left = self.used.get(name, 0) + sign * count
            if left:
                self.used[name] = left
            else:
                self.used.pop(name, None)

    def free(self, settings: Settings) -> dict[str, int]:
        """How many of each may be given out."""
        return {name: total - self.used.get(name, 0) for name, total in settings.licenses.items()}


def missing(counts: Mapping[str, int] | Choice, free: Mapping[str, int]) -> list[str]:
    """The licences of which fewer are free than that."""
    return [name for name, count in (counts.items() if isinstance(counts, Mapping) else counts) if free.get(name, 0) < count]


def satisfied(text: str, free: Mapping[str, int]) -> bool:
    """Whether a request can be met, in some way, with so many of each."""
    choices = licenses.parse(text)
    return not choices or any(not missing(choice, free) for choice in choices)
