"""Priorities of 50 waiting jobs as Debian's Slurm 22.05 reckons them (its sprio, recorded): ours are the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.settings import Settings
from slurm.notation.tres import parse_weights
from slurm.sched.priority import Scale
from slurm.testing import builders as b

RECORDED = json.loads((Path(__file__).parent / "goldens" / "priorities_22_05.json").read_text())
SETTINGS: dict[str, dict[str, object]] = {
    "plain": {}, "small": {"priority_favor_small": True}, "time": {"priority_flags": ["SMALL_RELATIVE_TO_TIME"]},
    "small+time": {"priority_favor_small": True, "priority_flags": ["SMALL_RELATIVE_TO_TIME"]}, "nonormal": {"priority_flags": ["NO_NORMAL_ALL"]}}


def cluster(**settings: object) -> Cluster:
    """The recorded cluster: one node of 64 CPUs, partitions of factors 1 and 3."""
    c = Cluster()
    node = b.node("vm", 64, 64000)
    rules = Settings(
        def_mem_per_cpu=500, priority_weight_job_size=1000, priority_weight_partition=2000, priority_weight_tres=parse_weights("cpu=1000,mem=2000"),
        **settings)  # type: ignore[arg-type]
    c.apply(e.Configured(at=b.T0, settings=rules, nodes=[node], partitions=[
        b.partition("debug", [node], default=True), b.partition("gpu", [node], position=1), b.partition("gpu2", [node], position=2, priority_job_factor=3)]))
    c.apply(b.registered(node))
    return c


@pytest.mark.parametrize("name", SETTINGS)
def test_fifty_jobs_have_the_priorities_that_real_slurm_gives_them(name: str) -> None:
    c = cluster(**SETTINGS[name])
    for (ntasks, memory, nice, partition, minutes), (priority, size, of_partition, of_tres, nice_shown) in zip(
            RECORDED["jobs"], RECORDED["answers"][name], strict=True):
        job = b.submit(c, ntasks=ntasks, mem_per_cpu=memory, nice=nice, partition=partition, time_limit=minutes * 60 or None, by=b.ROOT)
        told = Scale(c, b.T0).weighted(job)
        shown = ",".join(f"{one}={worth:.0f}" for one, worth in told.tres)
        assert (told.total, round(told.job_size), round(told.partition), shown, told.nice) == (priority, pytest.approx(size, abs=1), of_partition, of_tres, nice_shown)
