"""Following the cluster: what slurmrestd keeps of it, sent as it changes, and how it does in numbers; part of `wire.messages`.

A record in a Feed is JSON already, made once for all who follow. It holds fields of Slurm's API under their names (render.feed).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model import bounds
from slurm.model.bounds import JobNumber, Many
from slurm.wire.message import Message

METRICS = ("jobs", "jobs-users-accts", "nodes", "partitions", "scheduler", "slurmctld")
MetricsKind = Annotated[str, bounds.Text(words=METRICS)]


class WatchEvents(Message):
    """Follow the cluster: Changed messages for every visible change, until the connection closes."""

    jobs: Annotated[list[JobNumber], Many(10_000)] = []


class Changed(Message):
    """A job's visible state changed."""

    job_id: int
    shown_id: str
    state: str
    exit_status: int = 0


class RecordsListed(Message, omit_defaults=False):
    """A JSON list of records in order of their ids; `version`: the same records have the same.

    `unchanged`: it is the one that was given, so none is told.
    """

    records: msgspec.Raw = msgspec.Raw(b"[]")
    version: str = ""
    at: float = 0.0
    last_planned: float = 0.0
    unchanged: bool = False


class ReadMetrics(Message):
    """Numbers for Prometheus → Text, in OpenMetrics."""

    what: MetricsKind


class ReadRights(Message):
    """What the caller may see and do, for programs that show it to him → RightsRead."""


class RightsRead(Message, omit_defaults=False):
    """The caller as the controller knows him. `expires`: when his token does, seconds since the epoch, 0: never."""

    user: str
    administrator: bool  # may change nodes, partitions, the configuration
    operator: bool  # may change everybody's jobs, and sees what PrivateData hides
    all_jobs: bool  # PrivateData keeps nobody's jobs from him
    all_nodes: bool  # nor nodes
    expires: float = 0.0


class Follow(Message):
    """Everything of jobs and nodes that the caller may see, then each change, as Feeds until the connection closes."""


class FollowedJob(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A job that is new or has changed. `shown`: "12_3", `tasks`: how many jobs it stands for, array tasks that wait are one record."""

    id: int
    shown: str
    user: str
    account: str
    partition: str  # several with commas while it waits
    state: str
    array: int = 0
    tasks: int = 1
    record: msgspec.Raw = msgspec.Raw(b"{}")


class FollowedNode(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A node that is new or has changed."""

    name: str
    partitions: list[str] = []
    record: msgspec.Raw = msgspec.Raw(b"{}")


class Feed(Message):
    """What is so since event `seq` is on disk. `begins`: what was sent before is void; `more`: a part of the whole, the rest follows."""

    seq: int
    at: float
    cluster: str = ""
    begins: bool = False
    more: bool = False
    jobs: list[FollowedJob] = []
    nodes: list[FollowedNode] = []
    jobs_gone: list[int] = []
    nodes_gone: list[str] = []
