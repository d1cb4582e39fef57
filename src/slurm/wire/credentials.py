"""Credentials: who a peer is. Bytes and HMAC only; keys and clocks are passed in.

Local peers need none: the kernel says who they are (SO_PEERCRED). Across machines a local daemon mints an identity token for the
caller that the kernel vouches for (auth/slurm, key `slurm.key`). What a step may use: `step_credential`.
"""

from __future__ import annotations

import base64
import hmac

import msgspec

from slurm.model.errors import NotPermitted


class Identity(msgspec.Struct, kw_only=True):
    """Who calls, from where, when (seconds since the epoch), good for `ttl` seconds; `nonce` makes each one-time."""

    uid: int
    gid: int
    host: str
    issued: float
    ttl: float = 60.0
    nonce: str = ""
    to: str = ""  # the daemon that it is for: "slurmctld", or the endpoint of a slurmd


def sign(key: bytes, record: Identity) -> str:
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
