"""Invariants are found broken when they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slurm.core import invariants
from slurm.core.cluster import Cluster
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.testing import builders as b


def test_a_sound_cluster_has_no_complaints() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, array="1-9", dependency="singleton"))
    assert invariants.check(c) == []


BREAKS: list[tuple[Callable[[Cluster], object], str]] = [
    (lambda c: setattr(c.nodes[b.NodeName("cn01")], "cpus_used", NOTHING), "counts CPUs"),
    (lambda c: setattr(c.nodes[b.NodeName("cn01")], "memory_used", 5), "counts 5 MB"),
    (lambda c: c.nodes[b.NodeName("cn01")].gres_used.clear(), "its jobs hold {'gpu'"),
    (lambda c: c.nodes[b.NodeName("cn01")].jobs.clear(), "lists jobs"),
    (lambda c: c.active.clear(), "not among the active"),
    (lambda c: c.pending.clear(), "not in the queue"),
    (lambda c: c.dependents.clear(), "dependents index"),
    (lambda c: c.names.groups.clear(), "index of names"),
    (lambda c: setattr(c.arrays[b.JobId(2)], "running", 4), "counts 4 running tasks"),
    (lambda c: c.arrays[b.JobId(2)].records.clear(), "lists records"),
    (lambda c: c.jobs[b.JobId(2)].array_part.ranges.append((1, 1, 1)), "have two records"),  # type: ignore[union-attr]
    (lambda c: setattr(c.jobs[b.JobId(1)].allocation.shares[0], "cpus", CpuSet(0b11)), "given twice"),  # type: ignore[union-attr]
]


@pytest.mark.parametrize(("harm", "complaint"), BREAKS)
def test_every_contradiction_is_named(harm: Callable[[Cluster], object], complaint: str) -> None:
    c = b.cluster(gpus=2)
    b.start(c, b.submit(c), gpus=1)
    array = b.submit(c, array="1-5")
    b.start(c, array)
    b.submit(c, dependency="afterok:1")
    assert invariants.check(c) == []
    harm(c)
    with pytest.raises(invariants.BrokenInvariant, match=complaint):
        invariants.assert_valid(c)
