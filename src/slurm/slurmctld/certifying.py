"""Certificates for users, by which the srun of a step proves itself to the slurmds of other machines; with auth/munge, for slurmds and
sackds too."""

from __future__ import annotations

import time
from collections.abc import Callable

from slurm.net.authority import Authority
from slurm.net.tls import Trust
from slurm.wire.messages import Certified

USER_SECONDS = 7 * 86400.0
"""A certificate starts and shows nothing without a credential of the step, good for two minutes; clocks of nodes may differ by days."""


class Certifier:
    """Vouches for others with what `authority()` is now; `trust` says by what slurmds are known."""

    def __init__(self, authority: Callable[[], Authority], trust: Trust, now: Callable[[], float] = time.time) -> None:
        self._authority = authority
        self._trust = trust
        self._now = now

    def certify(self, role: str, name: str, seconds: float | None = None) -> Certified:
        """A certificate that names this party, good for so long; None: for ever."""
        authority = self._authority()
        pair = authority.issue(role, name, now=self._now(), seconds=seconds)
        return Certified(
            cluster=authority.cluster, certificate=pair.certificate.decode(), key=pair.key.decode(),
            authorities=self._trust.credentials.authorities.decode())
