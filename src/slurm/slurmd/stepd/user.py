"""Becoming the job's owner, in a new task and for good. Only root can; anybody else runs jobs as himself. Looking people up may take long."""

from __future__ import annotations

import os
import pwd

from slurm.slurmd.stepd.folder import StepRecord

_LOGIN_PATH = "/usr/local/bin:/usr/bin:/bin"


def can_become(uid: int) -> bool:
    """Whether this process may run things as `uid`."""
    return os.geteuid() in (0, uid)


def become(record: StepRecord) -> None:
    """The step's owner for good, with all of his groups."""
    if os.geteuid() == 0 and record.uid != 0:
        os.setgroups(os.getgrouplist(record.user, record.gid) if record.groups is None else record.groups)
        os.setgid(record.gid)
        os.setuid(record.uid)


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
