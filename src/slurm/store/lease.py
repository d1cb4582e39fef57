"""The lease: which slurmctld leads, and since which epoch. At most one holds the present term; what an earlier one writes is refused.

Lives here: the term, the interface, how a standby judges silence. The term fences the journal: a journal is opened with it, and every write
checks, in the same transaction, that it still is the present one. Not here: who takes the lead when (`slurmctld`), the stores' own leases
(`memory`, `sqlite_state` …).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from slurm.model.errors import StoreError


class Term(NamedTuple):
    """One slurmctld's time in the lead.

    `epoch` is higher than that of every term before it; `holder` its name in SlurmctldHost; `address` where it is reached; `beats` counts
    its signs of life, whatever clocks say; `released`: it has handed over, and a standby may claim at once.
    """

    epoch: int
    holder: str
    address: str = ""
    beats: int = 0
    released: bool = False


class Overtaken(StoreError):
    """Another slurmctld claimed the lead meanwhile: read the lease again, and wait."""


class Deposed(StoreError):
    """The lead has gone to another slurmctld: nothing was written, and nothing will be. This process must stop."""


def deposed(term: Term, now: Term | None) -> Deposed:
    """The error of a write in `term` while `now` is the present one."""
    by = f"{now.holder or 'another slurmctld'} leads since epoch {now.epoch}" if now is not None else "the lease is gone"
    return Deposed(message=f"this slurmctld does not lead any more: its epoch was {term.epoch}, {by}", hints=[
        "what it acknowledged is kept; what it had not acknowledged was not written"])


def overtaken(seen: int, now: Term | None) -> Overtaken:
    """The error of a claim that had seen epoch `seen` while `now` is the present term."""
    by = f"{now.holder or 'another slurmctld'} has epoch {now.epoch}" if now is not None else "there is no term"
    return Overtaken(message=f"the lead cannot be taken after epoch {seen}: {by} by now")


class Lease(Protocol):
    """Who leads, kept beside the journal. Any thread may call; every method raises StoreError (StoreBusy when it may be tried again)."""

    def read(self) -> Term | None:
        """The newest term there ever was, as it is on disk; None before the first."""
        ...

    def claim(self, holder: str, address: str, seen: int, *, least: int = 0) -> Term:
        """Take the lead after the term of epoch `seen` (0: none yet); from then on nothing is written in an earlier term.

        Overtaken when `seen` is not the newest epoch. The new epoch is one above `seen` and `least` both: nodes may know a higher one than
        a state that was restored from a backup.
        """
        ...

    def beat(self, term: Term) -> None:
        """Give a sign of life. Deposed when the lead is another's."""
        ...

    def release(self, term: Term) -> None:
        """Hand over: nothing is written in this term from then on, and a standby may claim at once. Deposed when the lead is another's."""
        ...

    def close(self) -> None:
        """Let go of it without a word; may be called twice."""
        ...


class Silence:
    """For how long a leader has been silent, by the monotonic clock of who watches: no other clock is asked, and none is compared."""

    def __init__(self) -> None:
        self._seen: Term | None = None
        self._since: float | None = None

    def observe(self, term: Term | None, now: float) -> float:
        """Seconds since the term, or its count of beats, was seen to change; 0 at the first look.

        `now`: of a monotonic clock, in seconds.
        """
        if self._since is None or term != self._seen:
            self._seen, self._since = term, now
        return now - self._since
