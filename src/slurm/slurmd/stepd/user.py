"""Becoming the job's owner: in a new task for good, in slurmstepd while it touches his files. Only root can; anybody else runs jobs as
himself.

Looking people up may take long.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from slurm.slurmd.stepd.folder import StepRecord

_LOGIN_PATH = "/usr/local/bin:/usr/bin:/bin"


def can_become(uid: int) -> bool:
    """Whether this process may run things as `uid`."""
    return os.geteuid() in (0, uid)


def become(record: StepRecord) -> None:
    """The step's owner for good, with all of his groups."""
    if changes_user(record):
        os.setgroups(os.getgrouplist(record.user, record.gid) if record.groups is None else record.groups)
        os.setgid(record.gid)
        os.setuid(record.uid)


def changes_user(record: StepRecord) -> bool:
    """Whether the step's owner is another than who runs this."""
    return os.geteuid() == 0 and record.uid != 0


@contextmanager
def acting_as(record: StepRecord) -> Iterator[None]:
    """The step's owner for file access while inside. His real and saved ids stay ours: he can neither signal nor trace this process.

    Only with the groups of which the record knows: nobody is looked up here.
    """
    if not changes_user(record):
        yield
        return
    own_groups, own_gid = os.getgroups(), os.getegid()
    os.setgroups(record.groups or ())
    os.setegid(record.gid)
    os.seteuid(record.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(own_gid)
        os.setgroups(own_groups)


def login_variables(uid: int, export: str) -> dict[str, str]:
    """What a login would set, for a job that did not bring its submitter's environment; `export` is the text of --export.

    Empty for ALL (and no --export), which bring it, for NIL, which asks for nothing, and for a uid that has no account.
    """
    if not export or not {"ALL", "NIL"}.isdisjoint(export.split(",")):
        return {}
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return {}
    return {"HOME": account.pw_dir, "SHELL": account.pw_shell, "USER": account.pw_name, "LOGNAME": account.pw_name, "PATH": _LOGIN_PATH}
