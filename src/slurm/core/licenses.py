"""Licences: how many of each the jobs hold that hold anything. Derived from their allocations, and kept with every event."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.core.policy.book import Book
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.policy import Resource
from slurm.model.settings import Settings
from slurm.notation import licenses
from slurm.notation.licenses import Choice


class Licenses:
    """What is in use, by name. How many there are is in the settings and in the policy: fewer than are in use after a change of these."""

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

    def totals(self, settings: Settings, book: Book) -> dict[str, int]:
        """How many of each this cluster may use: those of slurm.conf, and what it is allowed of those that slurmdbd knows, as
        name@server."""
        if not book.resources:
            return settings.licenses
        return settings.licenses | {one.full_name: one.share(settings.cluster_name) for one in resources(settings, book)}

    def free(self, settings: Settings, book: Book) -> dict[str, int]:
        """How many of each may be given out.

        Of those of a server fewer, where more are in use there than jobs here and what is left to others account for.
        """
        found = {name: total - self.used.get(name, 0) for name, total in self.totals(settings, book).items()}
        for one in resources(settings, book):
            found[one.full_name] -= self.deficit(one, settings.cluster_name)
        return found

    def deficit(self, resource: Resource, cluster: str) -> int:
        """How many of this cluster's are in use by somebody else, going by what the server said last (LastConsumed)."""
        outside = resource.last_consumed - self.used.get(resource.full_name, 0)
        return max(0, outside - (resource.count - resource.share(cluster)))


def resources(settings: Settings, book: Book) -> list[Resource]:
    """The resources of which this cluster may use some."""
    return [one for one in book.resources.values() if settings.cluster_name in one.allowed]


def missing(counts: Mapping[str, int] | Choice, free: Mapping[str, int]) -> list[str]:
    """The licences of which fewer are free than that."""
    return [name for name, count in (counts.items() if isinstance(counts, Mapping) else counts) if free.get(name, 0) < count]


def satisfied(text: str, free: Mapping[str, int]) -> bool:
    """Whether a request can be met, in some way, with so many of each."""
    choices = licenses.parse(text)
    return not choices or any(not missing(choice, free) for choice in choices)
