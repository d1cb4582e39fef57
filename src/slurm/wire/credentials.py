"""Credentials: who a peer is, and what a step may use. Bytes and HMAC only; keys and clocks are passed in.

Local peers need none: the kernel says who they are (SO_PEERCRED). Across machines a local daemon mints an identity token for the
caller that the kernel vouches for (auth/slurm, key `slurm.key`). A step credential is signed by slurmctld with a key that it gives
each registered slurmd; srun carries it and cannot alter it.
"""

from __future__ import annotations

import base64
import hmac

import msgspec

from slurm.model.errors import NotPermitted
from slurm.model.job import NodeShare


class Identity(msgspec.Struct, kw_only=True):
    """Who calls, from where, when (seconds since the epoch), good for `ttl` seconds; `nonce` makes each one-time."""

    uid: int
    gid: int
    host: str
    issued: float
    ttl: float = 60.0
    nonce: str = ""
    node: str = ""  # set when a slurmd speaks for its node


class StepCredential(msgspec.Struct, kw_only=True):
    """What a step may use on which nodes, as whom."""

    job: int
    attempt: int
    step: int
    uid: int
    gid: int
    user: str
    job_shown: str
    shares: list[NodeShare]
    devices: dict[str, list[str]] = {}  # node → device files
    issued: float = 0.0
    time_limit: int = -1


def sign(key: bytes, record: Identity | StepCredential) -> str:
    """The record and its HMAC-SHA256 as one printable token."""
    body = msgspec.msgpack.encode(record)
    mac = hmac.digest(key, type(record).__name__.encode() + body, "sha256")
    return base64.urlsafe_b64encode(mac + body).decode()


def _verified(key: bytes, token: str, kind: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(token.encode())
    except ValueError as error:
        raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the credential is not one of ours"]) from error
    mac, body = raw[:32], raw[32:]
    if not hmac.compare_digest(mac, hmac.digest(key, kind.encode() + body, "sha256")):
        raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the credential was not signed with this cluster's key"])
    return body


def verify_identity(key: bytes, token: str, now: float) -> Identity:
    """The identity in a token; NotPermitted when the signature is wrong or it is not of this moment."""
    identity = msgspec.msgpack.decode(_verified(key, token, "Identity"), type=Identity)
    if abs(now - identity.issued) > identity.ttl:
        raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the credential has expired: are the clocks of both machines right?"])
    return identity


def verify_step(key: bytes, token: str) -> StepCredential:
    """The step credential in a token; NotPermitted when the signature is wrong."""
    return msgspec.msgpack.decode(_verified(key, token, "StepCredential"), type=StepCredential)
