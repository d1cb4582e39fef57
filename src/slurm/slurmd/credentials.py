"""Step credentials as a node sees them: whether slurmctld signed one, for this cluster, and whether it is still of use.

The node's clock is not asked. What slurmctld's clock says follows from what it said last and from the time since this machine started,
which nobody can set. Public key and clock are kept in the spool, so that a slurmd that was restarted takes credentials before slurmctld is
there.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable

from slurm.model.errors import NotNow, NotPermitted, ProtocolError
from slurm.net.signing import Checker
from slurm.wire import step_credential
from slurm.wire.step_credential import AttachCredential, StepCredential

log = logging.getLogger("slurmd.credentials")
FILE = "slurmctld.json"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_MOVED_SECONDS = 1.0
"""A difference between the two clocks that is worth writing down."""


def since_start() -> float:
    """Seconds since this machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Credentials:
    """What a node knows of the controller that signs. `cluster` is the node's own; `clock` counts seconds since the machine started."""

    def __init__(self, spool: str, cluster: str, *, clock: Callable[[], float] = since_start) -> None:
        self._path = os.path.join(spool, FILE)
        self._cluster = cluster
        self._clock = clock
        self._public = b""
        self._checker: Checker | None = None
        self._started = 0.0  # when this machine started, by slurmctld's clock

    def open(self) -> None:
        """Take up what was learned before a restart of slurmd; of another start of the machine only the key is kept, its clock has gone."""
        try:
            with open(self._path, encoding="ascii") as file:
                kept = json.load(file)
            public, started, boot = bytes.fromhex(kept["public"]), float(kept["started"]), str(kept["boot"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read, slurmctld will tell it again: %s", self._path, error)
            return
        if boot == _boot_id():
            self._public, self._checker, self._started = public, Checker(public), started

    def learn(self, public: bytes, now: float) -> None:
        """slurmctld, proven, says with which key it signs and what its clock shows. OSError is logged: it is learned anew after a restart.

        ProtocolError when that is no key.
        """
        started = now - self._clock()
        news = public != self._public or abs(started - self._started) > _MOVED_SECONDS
        if public != self._public:
            try:
                checker = Checker(public)
            except ValueError as error:
                raise ProtocolError(hints=[f"slurmctld signs with a key of {len(public)} bytes"]) from error
            self._public, self._checker = public, checker
        self._started = started
        if news:
            self._keep()

    def heard(self, now: float) -> None:
        """What slurmctld's clock shows."""
        if self._checker is not None and now:
            self.learn(self._public, now)

    @property
    def now(self) -> float:
        """What slurmctld's clock shows, as far as is known here."""
        return self._started + self._clock()

    def check(self, token: str) -> StepCredential:
        """The credential in a token, if it is genuine and of this moment; NotPermitted, NotNow."""
        found = step_credential.opened(token, self._genuine())
        self._require_present(found.cluster, found.issued, found.expires)
        return found

    def check_to_attach(self, token: str) -> AttachCredential:
        """The same for one that sattach shows."""
        found = step_credential.opened_to_attach(token, self._genuine())
        self._require_present(found.cluster, found.issued, found.expires)
        return found

    def _genuine(self) -> Callable[[bytes, bytes], bool]:
        if self._checker is None:
            raise NotNow(message="slurmd is not registered with slurmctld yet")
        return self._checker.genuine

    def _require_present(self, cluster: str, issued: float, expires: float) -> None:
        if cluster != self._cluster:
            raise NotPermitted("ESLURMD_INVALID_JOB_CREDENTIAL", hints=[f"it is of cluster {cluster}, this is {self._cluster}"])
        if expires < self.now:
            raise NotPermitted("ESLURMD_CREDENTIAL_EXPIRED", hints=[
                f"it was good until {self.now - expires:.0f} s ago by slurmctld's clock: it starts a step within "
                f"{expires - issued:.0f} s (AuthInfo=cred_expire=)"])
        if issued < self._started:
            raise NotPermitted("ESLURMD_CREDENTIAL_EXPIRED", hints=["it was made before this machine started"])

    def _keep(self) -> None:
        kept = {"public": self._public.hex(), "started": self._started, "boot": _boot_id()}
        try:
            with open(self._path + ".new", "w", encoding="ascii") as file:
                json.dump(kept, file)
            os.replace(self._path + ".new", self._path)
        except OSError as error:
            log.error("cannot write %s: %s", self._path, error.strerror)


def _boot_id() -> str:
    with open(_BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
