"""Who holds which allocation: the open connection of its salloc or srun.

When a connection breaks (the program was killed, the network failed) its allocation is kept for GRACE_SECONDS, or InactiveLimit, so that
the program can come back with AttachAllocation, then given up. The same grace starts for every held allocation when the controller starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from slurm.model.ids import JobId
from slurm.slurmctld.session import Session

GRACE_SECONDS = 60.0
"""How long an allocation waits for its vanished holder."""
PROMPT_SECONDS = 2.0
"""The same when the kernel of the holder's machine said that it closed: it cannot come back, a moment is for the order of messages."""


class Holders:
    """Allocations with their holders; `give_up(job)` is called when a holder stayed away too long."""

    def __init__(self, give_up: Callable[[JobId], None], grace: Callable[[], float] = lambda: GRACE_SECONDS) -> None:
        self._give_up = give_up
        self._grace = grace
        self._sessions: dict[JobId, Session] = {}
        self._timers: dict[JobId, asyncio.TimerHandle] = {}
        self._closed = False

    def attach(self, job: JobId, session: Session) -> None:
        """`session` holds the allocation from now on."""
        self._stop_timer(job)
        self._sessions[job] = session

    def holder(self, job: JobId) -> Session | None:
        """The connection that holds the allocation; None while there is none."""
        return self._sessions.get(job)

    def detach(self, job: JobId, session: Session) -> None:
        """The connection of `session` broke; nothing happens when another one took over or it was given back before."""
        if self._sessions.get(job) is session:
            del self._sessions[job]
            self.expect(job, PROMPT_SECONDS if session.peer.left else self._grace())

    def expect(self, job: JobId, seconds: float | None = None) -> None:
        """Give the allocation up unless somebody attaches to it within `seconds` (None: as long as any holder may be away)."""
        self._stop_timer(job)
        if self._closed:
            return
        self._timers[job] = asyncio.get_running_loop().call_later(self._grace() if seconds is None else seconds, self._expired, job)

    def release(self, job: JobId) -> None:
        """The allocation was given back in order."""
        self._stop_timer(job)
        self._sessions.pop(job, None)

    def close(self) -> None:
        """The controller ends: nothing is given up any more, those who hold something will find it again."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._closed = True

    def __len__(self) -> int:
        return len(self._sessions)

    def _expired(self, job: JobId) -> None:
        self._timers.pop(job, None)
        self._give_up(job)

    def _stop_timer(self, job: JobId) -> None:
        timer = self._timers.pop(job, None)
        if timer is not None:
            timer.cancel()
