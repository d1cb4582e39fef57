"""Tracker: one place that knows how a cluster's jobs stand, fed by one thread for all who wait."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError, LoginRefused
from slurm.sdk.status import Status

LOOK_SECONDS = 30.0
"""How long the thread waits for news before it asks whether anybody still cares."""
GONE_SECONDS = 120.0
"""How long a cluster may be away before waiting for it ends with an error; it may be restarting."""
NOTICE_SECONDS = 5.0
"""How long it may be away before those who wait are told that it is."""

SHOWN = 10
"""So many jobs are listed by their ids."""

Told = Callable[[], None]


class Listener(Protocol):
    """Who hears of all changes."""

    def news(self, found: Mapping[str, Status]) -> None:
        """How jobs stand that had not ended before; called by whichever thread has heard."""
        ...

    def caught_up(self, ids: Iterable[str]) -> None:
        """Return once the ends of these jobs have been dealt with; called by who has waited for them."""
        ...


class Tracker:
    """States of the jobs of one cluster. The thread lives while somebody waits for a job that has not ended."""

    def __init__(self, backend: Backend, patience: float = GONE_SECONDS) -> None:
        self._backend = backend
        self._patience = patience
        self._trouble = ""
        self.listener: Listener | None = None
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

    def known(self, ids: Iterable[str]) -> dict[str, Status]:
        """What has been heard of these jobs so far."""
        with self._changed:
            return {job: self._known[job] for job in ids if job in self._known}

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
                try:
                    self._changed.wait(left)
                except KeyboardInterrupt as stop:
                    stop.add_note(goes_on(job for job in ids if job in self._live))
                    raise
        if self.listener is not None:
            self.listener.caught_up(ids)
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
        away_since = pause = 0.0
        while True:
            with self._changed:
                live = list(self._live)
                if not live:
                    self._thread = None
                    self._backend.rest()
                    return
            try:
                self._take(self._backend.changes(live, LOOK_SECONDS))
                self._back(away_since)
                away_since = pause = 0.0
            except BackendError as error:
                away_since = away_since or time.monotonic()
                away = time.monotonic() - away_since
                if away > self._patience or isinstance(error, LoginRefused):
                    self._give_up(error if isinstance(error, LoginRefused) else _gone(error, away))
                    return
                self._away(error, away)
                pause = min(2.0, pause * 2 or 0.1)
                time.sleep(min(pause, max(0.01, self._patience - away)))
            except Exception as error:
                # Nobody else can tell those who wait that nothing will come any more.
                problem = BackendError(f"waiting for jobs failed: {type(error).__name__}: {error}")
                problem.__cause__ = error
                self._give_up(problem)
                return

    def _away(self, error: BackendError, seconds: float) -> None:
        if seconds >= NOTICE_SECONDS and not self._trouble:
            print(f"slurm: the cluster has not answered for {seconds:.0f} s ({error}); it is asked for {self._patience:.0f} s, jobs go on meanwhile",
                  file=sys.stderr, flush=True)
            self._trouble = str(error)

    def _back(self, since: float) -> None:
        if self._trouble:
            print(f"slurm: the cluster answers again, after {time.monotonic() - since:.0f} s", file=sys.stderr, flush=True)
            self._trouble = ""

    def _give_up(self, error: BackendError) -> None:
        with self._changed:
            self._failure = error
            self._trouble = ""
            self._thread = None
            self._backend.rest()
            waiting = [told for each in self._waiting.values() for told in each]
            self._waiting.clear()
            self._changed.notify_all()
        for told in waiting:
            _call(told)

    def _take(self, found: dict[str, Status]) -> None:
        told: list[Told] = []
        fresh: dict[str, Status] = {}
        with self._changed:
            for job, status in found.items():
                if job not in self._live:
                    continue
                self._known[job] = fresh[job] = status
                if status.finished:
                    del self._live[job]
                    told += self._waiting.pop(job, [])
            self._changed.notify_all()
        if self.listener is not None:
            self.listener.news(fresh)
        for one in told:
            _call(one)


def goes_on(ids: Iterable[str]) -> str:
    """What to know of jobs for which nobody waits any more."""
    jobs = list(dict.fromkeys(job.partition("_")[0] for job in ids))
    shown = ",".join(jobs[:SHOWN]) + (" …" if len(jobs) > SHOWN else "")
    return (f"job {shown} goes on" if len(jobs) == 1 else f"{len(jobs)} jobs go on") + (
        f" without this program: `squeue -j {shown}` shows, `scancel {shown.replace(',', ' ')}` ends what is left of it, "
        f"Cluster.get_job({jobs[0]!r}).result() waits for it again") if jobs else ""


def _gone(error: BackendError, seconds: float) -> BackendError:
    gone = type(error)(f"the cluster has not answered for {seconds:.0f} s: {error}. Jobs go on without it; ask again when it is back")
    gone.__cause__ = error
    return gone


def _call(told: Told) -> None:
    """A callback that raises is shown as a thread's exception is; those of other jobs still have their turn."""
    try:
        told()
    except Exception:
        # It is the user's function: it may raise anything.
        sys.excepthook(*sys.exc_info())


def _nothing() -> None:
    """What is called when there is nobody to tell yet."""
