"""`slurm.cli.formatters`: dictionaries of the published SDK's shapes (`cluster.get_queue()`, `job.get_status()` …) as tables on standard
output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slurm.commands.embedded.console import Console

__all__ = ["print_cluster_info", "print_environments_table", "print_job_details", "print_jobs_table"]

QUEUE = {"JOBID": "JOB ID", "NAME": "NAME", "STATE": "STATE", "USER": "USER", "TIME": "TIME", "PARTITION": "PARTITION", "NODES": "NODES"}
DETAILS = {"JobState": "State", "ExitCode": "Exit code", "WorkDir": "Work dir", "Partition": "Partition", "Account": "Account",
    "UserId": "User",
           "SubmitTime": "Submitted", "StartTime": "Started", "EndTime": "Ended", "RunTime": "Run time", "TimeLimit": "Time limit",
           "Reason": "Reason",
           "NodeList": "Nodes", "NumCPUs": "CPUs"}


def print_jobs_table(queue: Sequence[Mapping[str, Any]]) -> None:
    """Rows of `cluster.get_queue()`."""
    if not queue:
        Console().line("No jobs in queue.")
        return
    Console().table(list(QUEUE.values()), [[str(row.get(key, "")) for key in QUEUE] for row in queue], free=("NAME",))


def print_job_details(job_id: str, status: Mapping[str, Any]) -> None:
    """What `job.get_status()` says, as far as people ask for it."""
    Console().sheet({label: str(status.get(key, "")) for key, label in DETAILS.items()}, title=f"Job {job_id}")


def print_environments_table(environments: Sequence[Mapping[str, Any]]) -> None:
    """Rows of `list_slurmfile_environments()`."""
    if not environments:
        Console().line("The Slurmfile has no environments.")
        return
    rows = [[str(one["name"]), str(one.get("hostname") or "(local)"), str(one.get("slurmfile", ""))] for one in environments]
    Console().table(["NAME", "HOSTNAME", "SLURMFILE"], rows, title="Environments", free=("SLURMFILE",))


def print_cluster_info(env_name: str, info: Mapping[str, Any]) -> None:
    """What `cluster.get_cluster_info()` says, a line a partition."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in info.get("partitions") or []:
        rows.setdefault(str(row["PARTITION"]), []).append(row)
    if not rows:
        Console().line(f"{env_name} has no partitions.")
        return
    Console().table(["PARTITION", "AVAIL", "NODES", "NODE STATES", "TIMELIMIT"], [
        [name, str(group[0].get("AVAIL", "")), str(sum(int(row.get("NODES") or 0) for row in group)),
         ", ".join(f"{row.get('NODES')} {row.get('STATE')}" for row in group), str(group[0].get("TIMELIMIT", ""))]
        for name, group in rows.items()], title=f"Cluster partitions ({env_name})", free=("NODE STATES",))
