"""Sharing: CPUs that more than one job may have at once, OverSubscribe=YES and FORCE. Memory and devices are never shared."""

from __future__ import annotations

from slurm.model.ids import NodeName
from slurm.model.job import Allocation, Job
from slurm.model.partition import Partition
from slurm.sched.view import View

DEFAULT_JOBS = 4
"""Jobs a CPU when OverSubscribe does not say how many, as in Slurm."""


def jobs_per_cpu(job: Job, partition: Partition) -> int:
    """How many jobs may share a CPU with this one in this partition; 1: it shares with nobody."""
    word, _, count = partition.oversubscribe.upper().partition(":")
    if word == "FORCE" or (word == "YES" and job.request.oversubscribe):
        return int(count) if count.isdigit() else DEFAULT_JOBS
    return 1


class Sharing:
    """Which CPUs of which nodes take another sharing job, from what runs and what this pass proposes."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._layers: dict[tuple[NodeName, str], list[int]] = {}

    def usable(self, node: NodeName, partition: str, limit: int) -> int:
        """CPUs that sharing jobs use and that take one more of this partition, as bits.

        Only jobs of the same partition count against `limit`.
        """
        mine, all_sharing = self._of(node, partition), self._of(node, "")
        return all_sharing[0] & ~(mine[limit - 1] if limit <= len(mine) else 0) if all_sharing else 0

    def take(self, allocation: Allocation) -> None:
        """A sharing job is proposed."""
        for share in allocation.shares:
            for of in (allocation.partition, ""):
                _add(self._of(share.node, of), share.cpus.bits)

    def kept(self) -> dict[tuple[NodeName, str], list[int]]:
        """Everything as it is now, for `restore`."""
        return {key: list(layers) for key, layers in self._layers.items()}

    def restore(self, layers: dict[tuple[NodeName, str], list[int]]) -> None:
        """Be as it was."""
        self._layers = layers

    def _of(self, name: NodeName, of: str) -> list[int]:
        """Bits: CPUs that at least one sharing job of partition `of` ("": of any) uses, at least two, …; those that a job has for itself
        are in none."""
        found = self._layers.get((name, of))
        if found is None:
            found = self._layers[name, of] = []
            alone = 0
            for job_id in sorted(self._view.nodes[name].jobs):
                job = self._view.jobs[job_id]
                if job.allocation is None or job.without_cpus:
                    continue
                partition = self._view.partitions.get(job.allocation.partition)
                shared = partition is not None and not job.allocation.exclusive and jobs_per_cpu(job, partition) > 1
                for share in job.allocation.shares:
                    if share.node != name:
                        continue
                    if shared and of in (job.allocation.partition, ""):
                        _add(found, share.cpus.bits)
                    elif not shared:
                        alone |= share.cpus.bits
            found[:] = [layer & ~alone for layer in found]
        return found


def _add(layers: list[int], cpus: int) -> None:
    for i, layer in enumerate(layers):
        layers[i], cpus = layer | cpus, layer & cpus
    if cpus:
        layers.append(cpus)
