"""A step credential: what a step may use where, as whom, until when, or who may attach to it; and how it lies in a token. Bytes only: who
signs and checks is passed in.

slurmctld signs it with its Ed25519 key, nodes hold the public half (net.signing). srun carries it and cannot alter it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec

from slurm.model import msgpack
from slurm.model.errors import NotPermitted
from slurm.model.job import NodeShare

SIGNATURE = 64
"""Bytes of an Ed25519 signature."""
LIFETIME = 120.0
"""Seconds for which a credential may start a step, unless AuthInfo=cred_expire= says otherwise."""
LONGEST_LIFETIME = 3600.0
"""Seconds at most: a node remembers for so long what it has started."""
_PURPOSE = b"slurm-py step credential 1\0"
_TO_ATTACH = b"slurm-py attach credential 1\0"


class StepCredential(msgspec.Struct, kw_only=True):
    """A step and what it may use. Times in seconds since the epoch by slurmctld's clock; `groups` are all groups of its user, as slurmctld
    sees them (None: nodes look them up)."""

    cluster: str
    job: int
    attempt: int
    step: int
    uid: int
    gid: int
    user: str
    groups: list[int] | None = None
    job_shown: str
    shares: list[NodeShare]  # the step's nodes, and CPUs, memory and GRES on each
    devices: dict[str, list[str]] = {}  # node → device files
    job_memory: dict[str, int] = {}  # node → MB that its job holds there, with all its steps
    issued: float
    expires: float
    time_limit: int = -1
    time_left: float = -1.0  # seconds to the job's limit when it was issued; negative: none
    lease: int = 0  # Job.lease
    sampling: int = -1  # as in LaunchBatch
    prolog: dict[str, str] = {}  # what Prolog is told of the job, on every node
    prolog_nodes: dict[str, dict[str, str]] = {}  # node → what differs there


class AttachCredential(msgspec.Struct, kw_only=True):
    """Who may look at a running step and speak to its tasks; times as in StepCredential. It starts nothing."""

    cluster: str
    job: int
    attempt: int
    step: int
    uid: int
    issued: float
    expires: float


def seal(credential: StepCredential | AttachCredential, sign: Callable[[bytes], bytes]) -> str:
    """The credential and its signature as one printable token."""
    body = msgpack.encode(credential)
    purpose = _PURPOSE if isinstance(credential, StepCredential) else _TO_ATTACH
    return base64.urlsafe_b64encode(sign(purpose + body) + body).decode()


def opened(token: str, genuine: Callable[[bytes, bytes], bool]) -> StepCredential:
    """The credential in a token, if `genuine(signature, text)`; NotPermitted otherwise. Nothing of it is read before the signature."""
    return msgpack.decode(_body(token, _PURPOSE, genuine), type=StepCredential)


def opened_to_attach(token: str, genuine: Callable[[bytes, bytes], bool]) -> AttachCredential:
    """The same for one that sattach shows."""
    return msgpack.decode(_body(token, _TO_ATTACH, genuine), type=AttachCredential)


def _body(token: str, purpose: bytes, genuine: Callable[[bytes, bytes], bool]) -> bytes:
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError as error:
        raise NotPermitted("ESLURMD_INVALID_JOB_CREDENTIAL", hints=["it is not a step credential of slurm-py"]) from error
    signature, body = raw[:SIGNATURE], raw[SIGNATURE:]
    if not genuine(signature, purpose + body):
        raise NotPermitted("ESLURMD_INVALID_JOB_CREDENTIAL", hints=["this cluster's slurmctld did not sign it"])
    return body
