"""Crontab: what a user wrote for scrontab, and which jobs it made; CronEntry: the line that a job comes from."""

from __future__ import annotations

import msgspec

from slurm.model.ids import JobId, Uid


class CronEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a job runs again, and the lines of its crontab that say so, counted from 1: the first #SCRON line to that of the command.

    `planned`: the moment for which its present or next run was planned, in seconds since the epoch; 0 while the next one is not known yet.
    """

    spec: str
    first_line: int = 0
    last_line: int = 0
    planned: float = 0.0


class Crontab(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A user's crontab as it stands: the lines of cancelled jobs are remarks in it. `jobs` are those of its lines that go on."""

    uid: Uid
    user: str
    text: str
    jobs: list[JobId] = []
