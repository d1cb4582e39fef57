"""What jobs ask for and hold, as trackable resources."""

import pytest

from slurm.core import tres
from slurm.testing import builders as b


@pytest.mark.parametrize(("dearest", "billed"), [(False, 4 * 1.0 + 2048 * 0.5 / 1024 + 2 * 10.0), (True, 20.0)])
def test_billing_is_the_sum_of_what_is_weighed_or_the_dearest_of_it(dearest: bool, billed: float) -> None:
    c = b.cluster(gpus=4, priority_flags=["MAX_TRES"] if dearest else [])
    c.partitions["debug"].tres_billing_weights = "CPU=1.0,Mem=0.5G,GRES/gpu=10"
    job = b.submit(c, ntasks=4, mem_per_node=2048, gres="gpu:2")
    assert tres.requested(c, job) == {"cpu": 4, "mem": 2048, "node": 1, "billing": int(billed), "gres/gpu": 2}


def test_without_weights_cpus_are_billed() -> None:
    c = b.cluster(cpus=8)
    job = b.started(c, ntasks=3)
    assert tres.held(c, job.allocation)["billing"] == tres.held(c, job.allocation)["cpu"]
    assert tres.held(c, None) == {}
