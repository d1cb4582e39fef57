"""Acting as the job's owner: for opening files, and for good in a task. Only root can; anybody else runs jobs as himself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from slurm.slurmd.stepd.folder import StepRecord


def can_become(uid: int) -> bool:
    """Whether this process may run things as `uid`."""
    return os.geteuid() in (0, uid)


def _must_change(record: StepRecord) -> bool:
    return os.geteuid() == 0 and record.uid != 0


def _groups(record: StepRecord) -> Sequence[int]:
    return os.getgrouplist(record.user, record.gid) if record.groups is None else record.groups


@contextmanager
def acting_as(record: StepRecord) -> Iterator[None]:
    """The step's owner for file access while inside, ourselves again afterwards."""
    if not _must_change(record):
        yield
        return
    own_groups, own_gid = os.getgroups(), os.getegid()
    os.setgroups(_groups(record))
    os.setegid(record.gid)
    os.seteuid(record.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(own_gid)
        os.setgroups(own_groups)


def become(record: StepRecord) -> None:
    """The step's owner for good, with all of his groups."""
    if _must_change(record):
        os.setgroups(_groups(record))
        os.setgid(record.gid)
        os.setuid(record.uid)
