"""Epochs begin one after the other, and never again."""

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition


def test_the_cluster_knows_who_leads_and_an_epoch_does_not_begin_twice() -> None:
    cluster = Cluster()
    assert cluster.apply(e.EpochStarted(at=1.0, epoch=3, holder="a")) == []
    assert (cluster.epoch, cluster.leader) == (3, "a")
    for late in (3, 2):
        with pytest.raises(IllegalTransition, match="epoch 3 of a has begun already"):
            cluster.apply(e.EpochStarted(at=2.0, epoch=late, holder="b"))
    cluster.apply(e.EpochStarted(at=2.0, epoch=9, holder="b"))
    assert (cluster.epoch, cluster.leader) == (9, "b")
