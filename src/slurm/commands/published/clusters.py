"""`slurm.cli.utils`: the clusters of a Slurmfile, for programs."""

from __future__ import annotations

import os

from slurm.sdk import slurmfile as slurmfiles
from slurm.sdk.cluster import Cluster

__all__ = ["get_cluster", "get_slurmfile_path", "list_slurmfile_environments"]


def get_cluster(env: str | None = None, slurmfile: str | None = None) -> Cluster:
    """The cluster of an environment of the Slurmfile; SlurmfileError. None is started for it."""
    return Cluster.from_env(slurmfile, env=env, overrides={"start": False})


def get_slurmfile_path(slurmfile: str | None = None) -> os.PathLike[str]:
    """The Slurmfile that is meant; SlurmfileNotFoundError."""
    return slurmfiles.find(slurmfile, os.environ)


def list_slurmfile_environments(slurmfile: str | None = None) -> list[dict[str, object]]:
    """The environments of the Slurmfile, each as {"name", "hostname" ("" without one), "has_hostname", "slurmfile" (its path)};
    SlurmfileError."""
    path, names = slurmfiles.names(slurmfile, os.environ)
    hosts = {name: str(slurmfiles.settings(path, name, os.environ, submitting=False).get("hostname") or "") for name in names}
    return [{"name": name, "hostname": host, "has_hostname": bool(host), "slurmfile": str(path)} for name, host in hosts.items()]
