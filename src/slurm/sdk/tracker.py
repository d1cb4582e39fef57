"""Tracker: one place that knows how a cluster's jobs stand, fed by one thread for all who wait."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError, LoginRefused
from slurm.sdk.status import Status

LOOK_SECONDS = 30.0
"""How long the thread waits for news before it asks whether anybody still cares."""
GONE_SECONDS = 120.0
"""How long a cluster may be away before those who wait are told; it may be restarting."""

Told = Callable[[], None]


class Tracker:
    """States of the jobs of one cluster. The thread lives while somebody waits for a job that has not ended."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._changed = threading.Condition()
        self._known: dict[str, Status] = {}
        self._live: dict[str, None] = {}  # in the order of submission
        self._waiting: dict[str, list[Told]] = {}
        self._thread: threading.Thread | None = None
        self._failure: BackendError | None = None

    def add(self, ids: Iterable[str]) -> None:
        """Remember jobs that were just submitted."""
        with self._changed:
            self._live.update((job, None) for job in ids if job not in self._known or not self._known[job].finished)
            running = self._listening()
        if running:
            self._backend.wake()

    def settle(self, job: str, status: Status) -> None:
        """Say how a job stands without asking: it is known from its files."""
        self.add([job])
        self._take({job: status})

    def status(self, job: str) -> Status:
        """How a job stands now; BackendError when the cluster cannot be asked."""
        return self.statuses([job])[job]

    def statuses(self, ids: Sequence[str]) -> dict[str, Status]:
        """How jobs stand now: known, or asked for in one question with all others that have not ended."""
        with self._changed:
            listening = self._listening() and self._failure is None
            fresh = all((known := self._known.get(job)) is not None and (known.finished or listening) for job in ids)
        if not fresh:
            self.add(ids)
            with self._changed:
                live = list(self._live)
            self._take(self._backend.states(live))
        with self._changed:
            return {job: self._known.get(job) or Status("PENDING") for job in ids}

    def wait(self, ids: Sequence[str], timeout: float | None = None) -> bool:
        """Return True once all these jobs have ended, False after `timeout` seconds; BackendError when the cluster stays away."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self.follow(ids)
        with self._changed:
            while any(job in self._live for job in ids):
                if self._failure is not None:
                    raise self._failure
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def when_done(self, job: str, told: Told) -> None:
        """Call `told` once, from the tracker's thread, when the job has ended; at once when it has."""
        with self._changed:
            known = self._known.get(job)
            if known is None or not known.finished:
                self._waiting.setdefault(job, []).append(told)
                told = _nothing
        _call(told)
        self.follow([job])

    def follow(self, ids: Iterable[str]) -> None:
        """See to it that news of these jobs comes in."""
        self.add(ids)
        with self._changed:
            if self._live and not self._listening():
                self._failure = None
                self._thread = threading.Thread(target=self._run, name="slurm-tracker", daemon=True)
                self._thread.start()

    def _listening(self) -> bool:
        """Whether the thread lives; after a fork it does so only in the parent."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        away_since = 0.0
        pause = 0.1
        while True:
            with self._changed:
                live = list(self._live)
                if not live:
                    self._thread = None
                    self._backend.rest()
                    return
            try:
                self._take(self._backend.changes(live, LOOK_SECONDS))
                away_since, pause = 0.0, 0.1
            except BackendError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > GONE_SECONDS or isinstance(error, LoginRefused):
                    self._give_up(error)
                    return
                time.sleep(pause)
                pause = min(2.0, pause * 2)
            except Exception as error:
                # Nobody else can tell those who wait that nothing will come any more.
                problem = BackendError(f"waiting for jobs failed: {type(error).__name__}: {error}")
                problem.__cause__ = error
                self._give_up(problem)
                return

    def _give_up(self, error: BackendError) -> None:
        with self._changed:
            self._failure = error
            self._thread = None
            self._backend.rest()
            waiting = [told for each in self._waiting.values() for told in each]
            self._waiting.clear()
            self._changed.notify_all()
        for told in waiting:
            _call(told)

    def _take(self, found: dict[str, Status]) -> None:
        told: list[Told] = []
        with self._changed:
            for job, status in found.items():
                if job not in self._live:
                    continue
                self._known[job] = status
                if status.finished:
                    del self._live[job]
                    told += self._waiting.pop(job, [])
            self._changed.notify_all()
        for one in told:
            _call(one)


def _call(told: Told) -> None:
    """A callback that raises is shown as a thread's exception is; those of other jobs still have their turn."""
    try:
        told()
    except Exception:
        # It is the user's function: it may raise anything.
        sys.excepthook(*sys.exc_info())


def _nothing() -> None:
    """What is called when there is nobody to tell yet."""
