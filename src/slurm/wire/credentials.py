"""Who a peer is, as the kernel, a token or MUNGE says. What a step may use: `step_credential`."""

from __future__ import annotations

import msgspec


class Identity(msgspec.Struct, kw_only=True):
    """Who calls, from where, known since when (seconds since the epoch); what a token says is good for `ttl` seconds."""

    uid: int
    gid: int
    host: str
    issued: float
    ttl: float = 60.0
