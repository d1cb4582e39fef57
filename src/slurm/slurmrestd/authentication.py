"""Who asks: what a request brings to prove it, and what is made of that. Nothing is verified here but a unix socket's peer: tokens
slurmctld verifies.

rest_auth/jwt: a token of `scontrol token` in X-SLURM-USER-TOKEN or as `Authorization: Bearer`; X-SLURM-USER-NAME may say whose it is, or
with a token of root or SlurmUser for whom it speaks. rest_auth/local: whoever runs as the same user as slurmrestd, by a unix socket or as
what started it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from slurm.model.errors import NotPermitted

LOCAL, JWT = "rest_auth/local", "rest_auth/jwt"
PLUGINS = (LOCAL, JWT)
USER_NAME, USER_TOKEN, AUTHORIZATION = "x-slurm-user-name", "x-slurm-user-token", "authorization"
NOBODY = -1


class Client(NamedTuple):
    """The other end of an HTTP connection: `uid` as a kernel says, NOBODY where none does; `place` for logs and `meta`."""

    place: str
    uid: int = NOBODY

    @property
    def source(self) -> str:
        """Whence it comes: its address, or its user on this machine."""
        return self.place.rpartition(":")[0] if self.uid == NOBODY else f"uid {self.uid}"


class Claim(NamedTuple):
    """Whom a request claims to come from. Without a token it is this process's own user, whom the kernel vouched for."""

    token: str = ""
    user: str = ""

    @property
    def is_local(self) -> bool:
        """Whether slurmrestd speaks for its own user."""
        return not self.token


def refused(*why: str) -> NotPermitted:
    """Nobody is believed."""
    return NotPermitted("SLURM_AUTHENTICATION_ERROR", "Authentication failure", hints=why)


def claim(headers: Iterable[tuple[str, str]], client: Client, plugins: Iterable[str], own_uid: int) -> Claim:
    """What a request's headers claim; NotPermitted where nothing in it can be believed. Names of headers are in small letters."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name in (USER_NAME, USER_TOKEN, AUTHORIZATION):
            if name in found:
                raise refused(f"the header {name} is there twice")
            found[name] = value.strip()
    token = found.get(USER_TOKEN, "")
    bearer = _bearer(found.get(AUTHORIZATION, ""))
    if token and bearer and token != bearer:
        raise refused("X-SLURM-USER-TOKEN and Authorization bring two tokens")
    token, user = token or bearer, found.get(USER_NAME, "")
    if token:
        if JWT not in plugins:
            raise refused("rest_auth/jwt is not loaded: this slurmrestd takes no tokens (-a)")
        return Claim(token, user)
    if USER_TOKEN in found or AUTHORIZATION in found or user:
        raise refused("there is no token: X-SLURM-USER-TOKEN or Authorization: Bearer brings the one of `scontrol token`")
    if LOCAL in plugins and client.uid in (0, own_uid):
        return Claim()
    why = "the client runs as another user than slurmrestd" if client.uid != NOBODY else "a client on a TCP port needs a token"
    raise refused(f"{why}: X-SLURM-USER-TOKEN or Authorization: Bearer brings the one of `scontrol token`" if JWT in plugins else why)


def _bearer(text: str) -> str:
    if not text:
        return ""
    scheme, _, token = text.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise refused("Authorization: only `Bearer TOKEN` is taken")
    return token.strip()


def usable(wanted: str) -> tuple[str, ...]:
    """The plug-ins of -a or SLURMRESTD_AUTH_TYPES, all where none is named; ValueError names one that there is not."""
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    found = []
    for name in names:
        full = name if name.startswith("rest_auth/") else f"rest_auth/{name}"
        if full not in PLUGINS:
            raise ValueError(f"there is no plug-in {name}; valid: {', '.join(PLUGINS)}")
        found.append(full)
    return tuple(found) or PLUGINS


def own_uid() -> int:
    """Whose requests go without a token."""
    return os.geteuid()
