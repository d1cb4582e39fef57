"""Certificates that slurmctld issues to users' steps and to daemons; part of `wire.messages`."""

from __future__ import annotations

from typing import Annotated

from slurm.model import bounds
from slurm.model.bounds import JobNumber, Name
from slurm.wire.message import Message

DaemonRole = Annotated[str, bounds.Text(words=("slurmd", "sackd", "sackd-admin"))]


class CertifyUser(Message):
    """srun, which has a step on another machine: a certificate of the caller's uid, to prove it to that machine's slurmd → Certified.

    `job_id` is a running job of the caller; the certificate has role `user` and his uid as name.
    """

    job_id: JobNumber


class CertifyDaemon(Message):
    """A daemon that has proved by MUNGE to be root's or SlurmUser's asks for its certificate → Certified."""

    role: DaemonRole
    name: Name


class Certified(Message):
    """A certificate, its private key, and the authorities by which to know others of this cluster. PEM."""

    cluster: str
    certificate: str
    key: str
    authorities: str
