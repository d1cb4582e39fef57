"""`slurm.tui.dashboard.app`: the screen of `slurm top` for a cluster that a program has."""

from __future__ import annotations

import argparse

from slurm.commands import which_cluster
from slurm.commands.top.app import TopApp
from slurm.commands.top.cluster_source import ClusterSource
from slurm.sdk.cluster import Cluster

__all__ = ["DashboardApp"]


class DashboardApp(TopApp):
    """`slurm top` on this cluster, asked every `refresh_interval` seconds; `run()` shows it."""

    def __init__(self, cluster: Cluster, refresh_interval: float = 30) -> None:
        name = which_cluster.name(argparse.Namespace(env=cluster.env_name), cluster)
        super().__init__(ClusterSource(cluster.backend, name, float(refresh_interval)))
