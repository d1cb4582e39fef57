"""JobSubmitPlugins=require_timelimit: whoever submits a job says how long it will take."""

from __future__ import annotations

from types import SimpleNamespace

from slurm.plugins.records import Submission
from slurm.plugins.refused import Refused

MISSING = "Time limit specification required, but not provided"


def job_submit(job: Submission, settings: SimpleNamespace) -> None:
    """Refuse who gives none."""
    if job.request.get("time_limit") is None:
        raise Refused(MISSING)
