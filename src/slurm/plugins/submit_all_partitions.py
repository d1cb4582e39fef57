"""JobSubmitPlugins=all_partitions: a job that names no partition may run in any of the cluster."""

from __future__ import annotations

from types import SimpleNamespace

from slurm.plugins.records import Submission


def job_submit(job: Submission, settings: SimpleNamespace) -> dict[str, object] | None:
    """All partitions for who names none."""
    return None if job.request.get("partition") or not settings.partitions else {"partition": ",".join(settings.partitions)}
