"""Crontabs between scrontab and slurmctld; part of `wire.messages`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model import bounds
from slurm.model.bounds import Many, Name, Whole
from slurm.model.request import BatchPayload, JobRequest
from slurm.wire.message import Message

LINES_MOST = 10_000
CronSpec = Annotated[str, bounds.Text(128)]
CrontabText = Annotated[str, bounds.Text(256 * 1024, plain=False, in_bytes=True, advice="put long commands into scripts")]
LineNumber = Annotated[int, Whole(1, LINES_MOST)]


class CronJob(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line of a crontab as a job: when it runs, and from which line to which it stands there, counted from 1."""

    spec: CronSpec
    first_line: LineNumber
    last_line: LineNumber
    request: JobRequest
    payload: BatchPayload


class ReadCrontab(Message):
    """scrontab -l → CrontabRead, of `user` (name or uid, "": the caller)."""

    user: Name = ""


class CrontabRead(Message, omit_defaults=False):
    """A user's crontab; `found`: there is one."""

    user: str
    text: str = ""
    found: bool = False


class WriteCrontab(Message):
    """scrontab FILE, -e, -r → CrontabWritten. The crontab of `user` is `text` from now on ("": there is none), its lines are `jobs`."""

    user: Name = ""
    text: CrontabText = ""
    jobs: Annotated[list[CronJob], Many(1_000)] = []


class CrontabWritten(Message, omit_defaults=False):
    """The ids of its jobs in the order of its lines; `warnings` are lines for standard error."""

    jobs: list[int] = []
    warnings: list[str] = []
