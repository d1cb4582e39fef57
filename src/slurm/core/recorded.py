"""Recorded: the part of the state that says what was recorded last. Who notes what, and makes records of it, is `recording`."""

from __future__ import annotations

from slurm.core.effects import Tell
from slurm.model.accounting import AccountingRecord, ClusterRecord, JobRecord, NodeEventRecord
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Owner
from slurm.model.request import JobRequest, PayloadRef


class Recorded:
    """`sequence` is the number of the last record; `out_of_service` the open events of nodes, `cluster` what it had at last.

    `behind` are arrays whose waiting record says that tasks wait which have begun since: it is told anew when records are sent.
    `asked` is what `records` has ready. Within an event: `made` holds records that are finished (None: one that a replay only counts),
    `jobs` those of which one is due;
    `notices` whom the event concerns outside. `completions` and `mail` say whether anybody takes notices of ended jobs, and mail: the
    process knows, not the journal.
    """

    __slots__ = ("asked", "asked_at", "behind", "cluster", "completions", "jobs", "made", "mail", "notices", "out_of_service", "sequence", "silent")

    def __init__(self) -> None:
        self.sequence = 0
        self.out_of_service: dict[NodeName, NodeEventRecord] = {}
        self.cluster: ClusterRecord | None = None
        self.silent = False
        self.asked: dict[tuple[int, int, int, JobId, str], tuple[JobRecord, JobRequest, Owner, PayloadRef]] = {}
        self.asked_at = 0  # the generation for which it was made
        self.made: list[AccountingRecord | None] = []
        self.jobs: dict[JobId, None] = {}
        self.behind: dict[JobId, None] = {}
        self.notices: list[Tell] = []
        self.completions = self.mail = False

    def end(self) -> None:
        """Nothing is recorded any more: what was open is not known to be so when recording begins again. The numbers go on then."""
        self.out_of_service = {}
        self.cluster = None
        self.behind = {}

    def forget(self) -> None:
        """Nothing is noted any more: the event is over, or was refused."""
        self.made = []
        self.jobs = {}
        self.notices = []
