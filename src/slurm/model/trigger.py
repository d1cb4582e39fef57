"""Trigger: a program that is run when something happens to a job, to nodes, or to a daemon. Set by strigger, kept in the journal."""

from __future__ import annotations

import msgspec

from slurm.model.ids import Gid, JobId, Uid

JOB, NODE, SLURMCTLD, SLURMDBD = "job", "node", "slurmctld", "slurmdbd"
OF_JOB = ("time", "fini", "down", "up", "drained", "draining", "resume")
OF_NODE = ("down", "up", "drained", "draining", "resume", "idle", "reconfig")
OF_DAEMON = {
    SLURMCTLD: ("primary_slurmctld_resumed_operation", "primary_slurmctld_resumed_control", "primary_slurmctld_failure",
                "backup_slurmctld_assumed_control", "backup_slurmctld_failure", "backup_slurmctld_resumed_operation"),
    SLURMDBD: ("primary_slurmdbd_failure", "primary_slurmdbd_resumed_operation"),
}
"""What may be waited for, by the kind of thing that it happens to."""


class Pull(msgspec.Struct, frozen=True):
    """It happened: the program is to be run with `argument` at `moment`, seconds since the epoch."""

    argument: str
    moment: float


class Trigger(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`kind` is what it looks at, `what` the word of what happens; `nodes` a host list, "*": any.

    `offset` seconds from what happens to the run.
    """

    id: int
    uid: Uid
    gid: Gid
    user: str
    kind: str
    what: str
    program: str
    job: JobId = JobId(0)
    nodes: str = "*"
    offset: int = 0
    permanent: bool = False
    pulled: list[Pull] = []  # runs that are due and not over
