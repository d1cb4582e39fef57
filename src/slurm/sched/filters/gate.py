"""What a filter of jobs looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.sched.need import Need
from slurm.sched.view import View


class Gate(NamedTuple):
    """A job before a partition at a moment (seconds since the epoch); `cpus` tells how many a partition has, in service or not."""

    view: View
    job: Job
    need: Need
    partition: Partition
    now: float
    cpus: Callable[[Partition], int]
