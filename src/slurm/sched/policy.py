"""When to plan. Pure: slurmctld and the simulator tell it what happens and what passes found, and ask it whether a pass is due.

A pass follows from the refusals: each names the events that could cure it. Until a full pass has looked at every waiting job there may be
refusals that nobody knows, so any event may help. What lets nobody start, whatever waits, is in UNHELPFUL; what brings somebody who may
start into the queue, or may change anything about nodes and limits, in ALWAYS.
"""

from __future__ import annotations

from collections.abc import Iterable

from slurm.model.refusal import Refusal

ALWAYS = frozenset({"Submitted", "Eligible", "Released", "Requeued", "JobUpdated", "LaunchFailed", "Configured", "PartitionUpdated",
    "NodeRegistered", "NodeUpdated",
    "NodeFenced", "ProofWaived", "PolicyChanged", "UsagePeriodEnded", "ClockSet", "ReservationCreated",
    "ReservationUpdated", "ReservationBegun", "ReservationEnded", "Preempted", "PromiseEnded", "GraceEnded"})
UNHELPFUL = frozenset({"Launched", "Warned", "StepCreated", "StepExited", "NodeSilent", "Purged", "Accrued", "Resumed"})
LIKE = {"Suspended": "NodeFreed"}
"""What cures whatever another event does, and is too rare to be told of."""


class Policy:
    """Whether a quick and a full pass are due. `quick` and `full` are cleared by `begin`, set by `noticed`."""

    def __init__(self) -> None:
        self.quick = True
        self.full = True
        self._cures: set[str] | None = None  # None: not all refusals are known

    def noticed(self, kind: str, *, own: bool = False, awaited: bool = True) -> bool:
        """An event of this kind happened; whether passes became due by it.

        `own`: a start that the pass itself proposed, which it has reckoned with. `awaited`: jobs wait for others to start or end.
        """
        if kind in ALWAYS:
            self._cures = None
        elif kind in UNHELPFUL or (own and not awaited) or (
                self._cures is not None and kind not in self._cures and LIKE.get(kind) not in self._cures):
            return False
        self.quick = self.full = True
        return True

    def begin(self, *, full: bool) -> None:
        """A pass begins; what happens from here on is not in it."""
        self.quick = False
        if full:
            self.full = False
            self._cures = None

    def put_off(self) -> None:
        """A start that a pass proposed could not be carried out: what would let that job start nobody has said."""
        self._cures = None

    def looked(self, refusals: Iterable[Refusal], *, full: bool, everybody: bool) -> None:
        """A pass found these. `everybody`: no waiting job was left out; what a quick pass found is added to what a full one did."""
        if full and everybody and not self.full:
            self._cures = set()
        if self._cures is not None:
            for cures in {refusal.cures for refusal in refusals}:
                self._cures.update(cures)
