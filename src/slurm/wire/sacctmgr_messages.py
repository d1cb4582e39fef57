"""What administrators and reports ask of slurmdbd, JSON frames as in `wire.messages`.

What anybody asks about jobs is in `wire.accounting_messages`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.accounting import AssociationUsage, ClusterUsage, UsageFilter, WckeyUsage
from slurm.model.bounds import PATH_MAX, JobNumber, Many, Name, Text, Whole
from slurm.wire.messages import Message

UsageKind = Annotated[str, Text(words=("cluster", "association", "wckey"))]
CommentText = Annotated[str, Text(65_536)]
PathName = Annotated[str, Text(PATH_MAX)]
Lives = Annotated[list[tuple[JobNumber, Annotated[int, Whole(0, 2**31 - 1)]]], Many(100_000)]
"""(job id, restarts)."""


class SumUsage(Message):
    """What was used → UsageSummed or Failure; `kind` says which of its lists is filled."""

    kind: UsageKind
    wanted: UsageFilter


class UsageSummed(Message):
    """TRES-seconds in the whole hours that were asked for, as far as they are summed up."""

    cluster: str
    clusters: list[ClusterUsage] = []
    associations: list[AssociationUsage] = []
    wckeys: list[WckeyUsage] = []


class PingDatabase(Message):
    """Does slurmdbd answer, and has it its database? → DatabasePinged."""


class DatabasePinged(Message):
    """`problem` says in a sentence why the database does not answer, "" when it does."""

    version: str
    host: str
    problem: str = ""


class ShowDatabaseStats(Message):
    """What slurmdbd did since it started → DatabaseStats; for operators."""


class ClearDatabaseStats(Message):
    """Count from now on → Done; for operators."""


class Work(Message):
    """How often something was done, and the seconds that took in all."""

    name: str
    count: int
    seconds: float


class DatabaseStats(Message):
    """Requests by type and by user, roll-ups by cluster and kind, and since when they are counted."""

    since: float
    requests: list[Work] = []
    users: list[Work] = []
    rollups: list[Work] = []


class ShowDatabaseConfig(Message):
    """slurmdbd.conf as slurmdbd goes by it, without passwords → DatabaseConfig."""


class DatabaseConfig(Message):
    """Keys and values in the order of the table."""

    values: list[tuple[str, str]]


class ArchiveDump(Message):
    """Purge and archive now what slurmdbd.conf says is old → Archived; for administrators."""


class ArchiveLoad(Message):
    """Put an archive back, a file on slurmdbd's machine → Archived; for administrators."""

    path: PathName


class Archived(Message):
    """How many rows went or came."""

    rows: int


class EndRunaways(Message):
    """End jobs of a cluster that its slurmctld knows nothing of → RunawaysEnded; for operators."""

    cluster: Name
    jobs: Lives


class RunawaysEnded(Message):
    """How many had not ended."""

    jobs: int


class JobChanges(msgspec.Struct, omit_defaults=True, frozen=True):
    """What is written over in the records of jobs that have ended; None leaves it. `derived_status` is a wait status."""

    admin_comment: CommentText | None = None
    comment: CommentText | None = None
    system_comment: CommentText | None = None
    derived_status: Annotated[int, Whole(0, 0xFFFF)] | None = None
    wckey: Name | None = None


class ModifyJobs(Message):
    """Change what the database says of jobs of a cluster that have ended → JobsModified; comment and derived exit code of one's own jobs,
    all else for operators."""

    cluster: Name
    jobs: Lives
    changes: JobChanges


class JobsModified(Message):
    """How many are as they shall be now."""

    jobs: int


class OfCluster(Message):
    """First message of a command that asks slurmdbd itself → Done: what names no cluster is about this one, as if its slurmctld passed it
    on."""

    cluster: Name


class StopDatabaseDaemon(Message):
    """`sacctmgr shutdown` → Done; for administrators."""


class ReconfigureDatabaseDaemon(Message):
    """`sacctmgr reconfigure`: read slurmdbd.conf again → Done; for administrators."""
