"""Tokens by which TCP peers of a server under test say who they are: what stands behind `verify` matters to nothing there."""

from __future__ import annotations

import base64
import hmac
import secrets
import socket
import time
from collections.abc import Callable

import msgspec

from slurm.model.errors import NotPermitted
from slurm.wire.credentials import Identity


class Notary:
    """Mints and verifies tokens with one key; each is good once."""

    def __init__(self, key: bytes, *, now: Callable[[], float] = time.time, host: str = "") -> None:
        self._key = key
        self._now = now
        self._host = host or socket.gethostname()
        self._used: set[str] = set()

    def mint(self, uid: int, gid: int) -> str:
        """A token for this user."""
        nonce = secrets.token_hex(16)
        body = msgspec.msgpack.encode((nonce, Identity(uid=uid, gid=gid, host=self._host, issued=self._now())))
        return base64.urlsafe_b64encode(hmac.digest(self._key, body, "sha256") + body).decode()

    def verify(self, token: str) -> Identity:
        """Who the token says; NotPermitted when it is not ours or was used before."""
        try:
            raw = base64.urlsafe_b64decode(token.encode())
        except ValueError as error:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the credential is not one of ours"]) from error
        if not hmac.compare_digest(raw[:32], hmac.digest(self._key, raw[32:], "sha256")):
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the credential was not signed with this cluster's key"])
        nonce, identity = msgspec.msgpack.decode(raw[32:], type=tuple[str, Identity])
        if nonce in self._used:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the credential was used before"])
        self._used.add(nonce)
        return identity
