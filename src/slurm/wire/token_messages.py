"""Tokens (auth/jwt) between scontrol, slurmrestd and slurmctld; part of `wire.messages`."""

from __future__ import annotations

from typing import Annotated

from slurm.model import bounds
from slurm.model.bounds import Count, Name
from slurm.wire.message import Message

TokenText = Annotated[str, bounds.Text(16_384)]


class MakeToken(Message):
    """scontrol token → UserToken: of `username` ("": the caller), for `lifespan` seconds (0: half an hour)."""

    username: Name = ""
    lifespan: Count = 0


class UserToken(Message):
    """What SLURM_JWT is set to on a machine without a daemon."""

    token: str


class ActAs(Message):
    """slurmrestd: from here on this connection speaks for the user of a token → ActingAs.

    `token`: on a unix socket, whose Hello is the kernel's; "" where the Hello was one. `user`: "" or whom it shall speak for: the token's
    user, or with a token of root or SlurmUser anybody.
    """

    token: TokenText = ""
    user: Name = ""


class ActingAs(Message):
    """For whom the connection speaks."""

    user: str
    group: str
