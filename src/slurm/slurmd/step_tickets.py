"""Tickets: steps that a srun on another machine has asked for over TLS, until it comes back with a connection that can be given to
slurmstepd.

A ticket is good once, for a moment, and for one step; a further one for the same step takes its place. Memory only: after a restart of
slurmd srun asks again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from slurm.model.errors import NotNow
from slurm.slurmd.stepd.folder import StepKey, StepRecord
from slurm.wire.step_credential import StepCredential
from slurm.wire.step_io import TICKET_BYTES

SECONDS = 30.0
MOST = 4096
MOST_OF_A_USER = 1024


class Claim(NamedTuple):
    """A step that may begin: with which credential, as what, and whose srun asked (uid)."""

    key: StepKey
    credential: StepCredential
    record: StepRecord
    uid: int
    until: float = 0.0  # of a ticket; 0: srun is on this machine and needs none

    @property
    def remote(self) -> bool:
        """Whether srun is on another machine, and TLS between it and slurmstepd."""
        return self.until > 0.0


class Tickets:
    """The tickets that are out; `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._claims: dict[bytes, Claim] = {}  # in order of their time
        self._secrets: dict[StepKey, bytes] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def give(self, key: StepKey, credential: StepCredential, record: StepRecord, uid: int) -> bytes:
        """A ticket for this step; NotNow when too many are out."""
        self._expire()
        former = self._secrets.get(key)
        if former is not None:
            self._drop(former)
        mine = sum(claim.uid == uid for claim in self._claims.values())
        if len(self._claims) >= MOST or (uid != 0 and mine >= MOST_OF_A_USER):
            raise NotNow(message="too many steps are being started on this node", hints=["srun tries again"])
        secret = secrets.token_bytes(TICKET_BYTES)
        self._claims[secret] = Claim(key, credential, record, uid, self._clock() + SECONDS)
        self._secrets[key] = secret
        return secret

    def take(self, secret: bytes) -> Claim | None:
        """What a ticket is for; None when it is none of ours, used, replaced or too old."""
        self._expire()
        claim = self._claims.get(secret)
        if claim is not None:
            self._drop(secret)
        return claim

    def _drop(self, secret: bytes) -> None:
        claim = self._claims.pop(secret)
        self._secrets.pop(claim.key, None)

    def _expire(self) -> None:
        now = self._clock()
        for secret in list(self._claims):
            if self._claims[secret].until >= now:
                return
            self._drop(secret)
