"""Tokens between scontrol and slurmctld; part of `wire.messages`."""

from __future__ import annotations

from slurm.model.bounds import Count, Name
from slurm.wire.message import Message


class MakeToken(Message):
    """scontrol token → UserToken: of `username` ("": the caller), for `lifespan` seconds (0: half an hour)."""

    username: Name = ""
    lifespan: Count = 0


class UserToken(Message):
    """What SLURM_JWT is set to on a machine without a daemon."""

    token: str
