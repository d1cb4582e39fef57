"""The outbox: what slurmctld must be told and has not acknowledged yet, in order, repeated after each reconnection.

It lives in memory: after a restart of slurmd the same reports follow from the step folders (`reattach`).
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.wire.node_messages import BatchLaunched, JobGone, JobPrepared, LaunchRefused, StepEnded

Report = BatchLaunched | LaunchRefused | StepEnded | JobGone | JobPrepared


class Outbox:
    """Numbers reports and keeps them until they are acknowledged. Serials grow from `first`, also over restarts if it does."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._waiting: dict[int, tuple[Report, Callable[[], None] | None]] = {}
        self._send: Callable[[Report], None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, report: Report, done: Callable[[], None] | None = None) -> None:
        """Number a report, send it as soon as slurmctld listens, call `done` once it is acknowledged."""
        report.serial = self._next
        self._next += 1
        self._waiting[report.serial] = (report, done)
        if self._send is not None:
            self._send(report)

    def acknowledge(self, serial: int) -> None:
        """Forget a report; one that is not known was acknowledged twice."""
        found = self._waiting.pop(serial, None)
        if found is not None and found[1] is not None:
            found[1]()

    def withdraw(self, job: int, attempt: int) -> None:
        """Forget all reports of an attempt without calling anybody: slurmctld does not want them."""
        for serial in [s for s, (report, _) in self._waiting.items() if (report.job, report.attempt) == (job, attempt)]:
            del self._waiting[serial]

    def open(self, send: Callable[[Report], None]) -> None:
        """slurmctld listens: send everything that waits, then what comes."""
        self._send = send
        for report, _ in list(self._waiting.values()):
            send(report)

    def shut(self) -> None:
        """slurmctld does not listen any more."""
        self._send = None
