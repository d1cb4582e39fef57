"""Whether a daemon that does not understand a request is of another slurm-py than this one. Asked only then."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from slurm.model.version import VERSION

ADVICE = "`slurm down` and `slurm up`, or a restart of slurmctld, bring the cluster to this version"


def hints(pong: Mapping[str, Any], installed: float) -> list[str]:
    """What its Pong says about that, this slurm-py lying here since `installed`: nothing where the two seem to be the same."""
    release, started = str(pong.get("release") or ""), float(pong.get("started") or 0.0)
    if release and release != VERSION:
        return [f"the running slurmctld is slurm-py {release} and this is slurm-py {VERSION}: it does not know all that this one asks",
            ADVICE]
    if not release:
        return [f"the running slurmctld is an earlier slurm-py than this one ({VERSION}): it does not know all that this one asks", ADVICE]
    if started and started < installed:
        began, came = (time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment)) for moment in (started, installed))
        return [f"the running slurmctld began at {began} and this slurm-py was installed at {came}: it may not know all that this one asks",
            ADVICE]
    return []


def installed() -> float:
    """When the files of this slurm-py were written, in seconds since the epoch."""
    return os.path.getmtime(__file__)
