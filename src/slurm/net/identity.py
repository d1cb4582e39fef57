"""Identity: the cluster's key, tokens minted with it for callers that the kernel vouches for, and their verification (auth/slurm).

Not here: what a token looks like (`wire.credentials`), the commands' side (`net.client.token`).
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable, Collection

import msgspec

from slurm.model.errors import ConfigError, NotPermitted
from slurm.net.peer import Peer
from slurm.net.tls import Trust
from slurm.wire import frames
from slurm.wire.credentials import Identity, sign, verify_identity
from slurm.wire.messages import MintToken

MIN_KEY = 16
MAX_NONCES = 1_000_000
REMEMBER_SECONDS = 120.0
"""Twice what a token holds: its issuer's clock may be ahead by as much."""


def read_key(path: str, owners: Collection[int]) -> bytes:
    """The key in `path`, which must belong to one of `owners` (uids) and be readable by its owner alone; ConfigError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(message=f"cannot read the key {path}: {error.strerror}", hints=[
            f"make one with: dd if=/dev/random of={path} bs=1024 count=1; chmod 0600 {path}"]) from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError(message=f"the key {path} is not a regular file")
        if facts.st_mode & 0o077:
            raise ConfigError(
                message=f"the key {path} has mode {facts.st_mode & 0o777:04o}: others could speak as anybody", hints=[f"chmod 0600 {path}"])
        if facts.st_uid not in owners:
            raise ConfigError(
                message=f"the key {path} belongs to uid {facts.st_uid}", hints=["it must belong to root or SlurmUser"])
        key = file.read()
    if len(key) < MIN_KEY:
        raise ConfigError(message=f"the key {path} has {len(key)} bytes", hints=[f"it needs at least {MIN_KEY}, better 1024"])
    return key


def make_key(path: str) -> bytes:
    """A new random key, written to `path` with mode 0600; ConfigError when there is one already or it cannot be written."""
    key = secrets.token_bytes(1024)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise ConfigError(message=f"cannot write the key {path}: {error.strerror}") from error
    return key


class Notary:
    """Mints and verifies tokens with one key. Each is good once, for a minute, and for one daemon: that which calls itself `here`.

    Used ones are remembered in two halves, of which the older is forgotten as a whole: longer than a token holds, at no cost a token.
    """

    def __init__(self, key: bytes, *, now: Callable[[], float] = time.time, host: str = "", here: str = "") -> None:
        self._key = key
        self._now = now
        self._host = host or socket.gethostname()
        self._here = here
        self._used: set[str] = set()
        self._used_before: set[str] = set()
        self._halved = now()

    def mint(self, uid: int, gid: int, *, to: str = "") -> str:
        """A token for this user, made now, for the daemon that calls itself `to`."""
        return sign(self._key, Identity(uid=uid, gid=gid, host=self._host, issued=self._now(), nonce=secrets.token_hex(16), to=to))

    def verify(self, token: str) -> Identity:
        """Who the token says; NotPermitted when it is not ours, not for this daemon, not of this moment, or was used before."""
        now = self._now()
        identity = verify_identity(self._key, token, now)
        if identity.to != self._here:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[f"the credential is for {identity.to or 'nobody'}, this is {self._here}"])
        if abs(now - self._halved) > REMEMBER_SECONDS:
            self._used, self._used_before, self._halved = set(), self._used, now
        if not identity.nonce or identity.nonce in self._used or identity.nonce in self._used_before:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the credential was used before"])
        if len(self._used) >= MAX_NONCES:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["too many credentials in this minute; try again"])
        self._used.add(identity.nonce)
        return identity


def minter(notary: Notary, trust: Trust | None) -> Callable[[Peer, int, bytes], None]:
    """The handler of a daemon's identity socket (net.server on a unix socket): a token for whom the kernel says is calling, for the daemon that
    the caller means, and the authorities by which the caller knows that daemon before it gives the token away."""

    def on_message(peer: Peer, codec: int, payload: bytes) -> None:
        if not peer.local:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["tokens are minted for callers on this machine only"])
        token = notary.mint(peer.identity.uid, peer.identity.gid, to=msgspec.json.decode(payload, type=MintToken).to)
        reply = {"type": "Token", "token": token, "authorities": trust.credentials.authorities.decode() if trust is not None else ""}
        peer.send(frames.pack(frames.JSON, json.dumps(reply).encode()))
        peer.close()

    return on_message
