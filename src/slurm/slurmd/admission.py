"""Logins to this node for jobs that run here (`slurm adopt`): whose extern steps there are, and putting a process into one.

By the spool and the step's own socket: neither slurmd nor slurmctld need be there. Not here: whom sshd lets in at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from slurm.model.errors import NotNow
from slurm.slurmd import control
from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.folder import EXTERN

_SECONDS = 10.0
_LONGEST = 65536


class ExternHere(NamedTuple):
    """The extern step of a job in a spool of this machine; `began` seconds since the epoch."""

    began: float
    job: int
    path: str


class JobsHere(NamedTuple):
    """What runs of a user: extern steps, the newest first, and jobs that have none."""

    externs: list[ExternHere]
    bare: list[int]


def of_user(spools: Iterable[str], uid: int) -> JobsHere:
    """What runs of a user on this machine, as these spools say. OSError for one that may not be read; one that is not there has nothing."""
    externs: list[ExternHere] = []
    others: set[int] = set()
    for root in (os.path.join(spool, "steps") for spool in spools):
        try:
            names = os.listdir(root)
        except FileNotFoundError:
            continue
        for name in names:
            key, path = folder.parse_folder_name(name), os.path.join(root, name)
            try:
                journal = folder.read(path) if key is not None else None
                began = os.stat(os.path.join(path, folder.JOURNAL)).st_mtime
            except (*folder.GONE, ValueError, TypeError, KeyError):  # gone meanwhile, or no step's folder
                continue
            if key is None or journal is None or journal.ended is not None or journal.record.uid != uid:
                continue
            if key.step == EXTERN:
                externs.append(ExternHere(began, key.job, path))
            else:
                others.add(key.job)
    return JobsHere(sorted(externs, reverse=True), sorted(others - {each.job for each in externs}))


def adopt(step: ExternHere, pid: int) -> None:
    """Have a process be one of an extern step's own. NotNow, with why, when that cannot be."""
    connection = control.connect(step.path)
    if connection is None:
        raise NotNow(message=f"the extern step of job {step.job} has ended")
    with connection:
        connection.settimeout(_SECONDS)
        try:
            connection.sendall(json.dumps({"op": "adopt", "pid": pid}).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n") and len(answer) < _LONGEST:
                data = connection.recv(_LONGEST)
                if not data:
                    raise NotNow(message=f"the extern step of job {step.job} has ended")
                answer += data
        except OSError as error:
            raise NotNow(message=f"the extern step of job {step.job} does not answer: {error.strerror or error}") from error
    told = json.loads(answer)
    if not told.get("ok"):
        raise NotNow(message=str(told.get("error", "it is refused")).removeprefix("not an order: "))
