"""Tracker: one place that knows how a cluster's jobs stand, fed by one thread for all who wait.

A job may have several attempts, each with an id of its own. Whoever asks by any of them hears of the job: it has ended when nobody tries it
again.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol
from weakref import WeakSet

from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError, LoginRefused
from slurm.sdk.following.status import UNKNOWN, Status


class Forkable(Protocol):
    """What has locks or threads."""

    def after_fork(self) -> None:
        """Make its locks anew, in the child, where no other thread is."""
        ...


_known: WeakSet[Forkable] = WeakSet()


def remember(one: Forkable) -> None:
    """Tell it after each fork, for as long as it lives."""
    _known.add(one)


def _forked() -> None:
    for one in list(_known):
        one.after_fork()


os.register_at_fork(after_in_child=_forked)


LOOK_SECONDS = 30.0
"""How long the thread waits for news before it asks whether anybody still cares."""
GONE_SECONDS = 120.0
"""How long a cluster may be away before waiting for it ends with an error; it may be restarting."""
NOTICE_SECONDS = 5.0
"""How long it may be away before those who wait are told that it is."""

SHOWN = 10
"""So many jobs are listed by their ids."""
LATER = ""
"""Instead of a new id: what becomes of the job cannot be said before more is known of others."""

Told = Callable[[], None]
Lost = Callable[[BackendError], None]


class Listener(Protocol):
    """Who hears of all changes."""

    def news(self, found: Mapping[str, Status]) -> None:
        """How jobs stand that had not ended before; called by whichever thread has heard."""
        ...

    def caught_up(self, ids: Iterable[str]) -> None:
        """Return once the ends of these jobs have been dealt with; called by who has waited for them."""
        ...


class Guard(Protocol):
    """Whoever may try jobs again that ended badly (`attempts`)."""

    def again(self, ended: Mapping[str, Status]) -> Mapping[str, str]:
        """Jobs by their first ids → the ids under which they were submitted again, or LATER. Those left out have ended for good."""
        ...


class Tracker:
    """States of the jobs of one cluster. The thread lives while somebody waits for a job that has not ended."""

    def __init__(self, backend: Backend, patience: float = GONE_SECONDS) -> None:
        self._backend = backend
        self._patience = patience
        self._trouble = ""
        self.listener: Listener | None = None
        self.after_fork()
        remember(self)
        self._known: dict[str, Status] = {}
        self._live: dict[str, str] = {}  # first id → present id, in the order of submission
        self._first: dict[str, str] = {}  # present id → first id, of live jobs; of ended ones where it is another
        self._attempts: dict[str, list[str]] = {}  # first id → all ids, where there are several
        self._held: dict[str, Status] = {}  # ended badly, and not yet known whether for good
        self._notes: dict[str, str] = {}
        self._cancelled: set[str] = set()  # first ids of jobs that were told to end
        self._asked: list[str] = []  # present ids of live jobs, and perhaps some that have ended
        self._waiting: dict[str, list[tuple[Told, Lost | None]]] = {}
        self._failure: BackendError | None = None

    def after_fork(self) -> None:
        """The thread lives on in the parent only, and only the parent tries jobs again: both would submit them."""
        self._guards: dict[str, Guard] = {}
        self._changed = threading.Condition()
        self._judging = threading.RLock()
        self._thread: threading.Thread | None = None

    def add(self, ids: Iterable[str]) -> None:
        """Remember jobs that were just submitted."""
        with self._changed:
            for job in ids:
                key = self._first.get(job, job)
                known = self._known.get(key)
                if key not in self._live and (known is None or not known.finished):
                    self._live[key], self._first[key] = key, key
                    self._asked = []
            running = self._listening()
        if running:
            self._backend.wake()

    def guard(self, ids: Iterable[str], guard: Guard) -> None:
        """Ask `guard` when one of these jobs has ended badly, before anybody is told."""
        with self._changed:
            self._guards.update((job, guard) for job in ids)

    def guarded(self, job: str) -> bool:
        """Whether the job may be tried again."""
        with self._changed:
            return self._first.get(job, job) in self._guards

    def unguard(self, ids: Iterable[str]) -> None:
        """See to it that these jobs are not tried again: their present attempts are the last ones."""
        told: list[Told] = []
        try:
            with self._judging:
                with self._changed:
                    for job in ids:
                        self._guards.pop(self._first.get(job, job), None)
                self._judge(told)
        finally:
            _call_all(told)

    def cancel(self, ids: Sequence[str], orders: Sequence[str] = ()) -> None:
        """Have the cluster end these jobs, `orders` being ids that mean the same; they are not tried again. BackendError when it refuses.

        How they stand is asked at once. One that the cluster forgets over this, as Slurm does with elements that had not started, is
        CANCELLED.
        """
        self.unguard(ids)
        with self._changed:
            keys = [self._first.get(job, job) for job in ids]
            self._cancelled.update(keys)
        try:
            self._backend.cancel(orders or [self.current(job) for job in ids])
        except BackendError:
            with self._changed:
                self._cancelled.difference_update(keys)
            raise
        self.add(ids)
        with suppress(BackendError):  # who waits asks again
            self._take(self._backend.states([self.current(job) for job in ids]))

    def current(self, job: str) -> str:
        """The id of a job's latest attempt."""
        attempts = self._attempts.get(self._first.get(job, job))
        return attempts[-1] if attempts else job

    def attempts(self, job: str) -> list[str]:
        """The ids of all attempts, the first one first."""
        return list(self._attempts.get(self._first.get(job, job), (job,)))

    def note(self, job: str, text: str) -> None:
        """Keep a sentence for those who are told that the job has failed."""
        self._notes[self._first.get(job, job)] = text

    def noted(self, job: str) -> str:
        """That sentence, or ""."""
        return self._notes.get(self._first.get(job, job), "")

    def settle(self, job: str, status: Status) -> None:
        """Say how a job stands without asking: it is known from its files."""
        self.add([job])
        self._take({self.current(job): status})

    def status(self, job: str) -> Status:
        """How a job stands now; BackendError when the cluster cannot be asked."""
        return self.statuses([job])[job]

    def statuses(self, ids: Sequence[str]) -> dict[str, Status]:
        """How jobs stand now: known, or asked for in one question with all others that have not ended."""
        with self._changed:
            keys = {job: self._first.get(job, job) for job in ids}
            listening = self._listening() and self._failure is None
            fresh = all((known := self._known.get(key)) is not None and (known.finished or listening) for key in keys.values())
        if not fresh:
            self.add(ids)
            with self._changed:
                live = list(self._live.values())
            self._take(self._backend.states(live))
        with self._changed:
            return {job: self._known.get(key) or Status("PENDING") for job, key in keys.items()}

    def known(self, ids: Iterable[str]) -> dict[str, Status]:
        """What has been heard of these jobs so far."""
        with self._changed:
            keys = {job: self._first.get(job, job) for job in ids}
            return {job: self._known[key] for job, key in keys.items() if key in self._known}

    def wait(self, ids: Sequence[str], timeout: float | None = None) -> bool:
        """Return True once all these jobs have ended, False after `timeout` seconds; BackendError when the cluster stays away."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self.follow(ids)
        with self._changed:
            keys = [self._first.get(job, job) for job in ids]
            left = list(keys)
            while True:
                while left and left[-1] not in self._live:
                    left.pop()
                if not left:
                    break
                if self._failure is not None:
                    raise self._failure
                seconds = None if deadline is None else deadline - time.monotonic()
                if seconds is not None and seconds <= 0:
                    return False
                try:
                    self._changed.wait(seconds)
                except KeyboardInterrupt as stop:
                    stop.add_note(goes_on(self._live[key] for key in left if key in self._live))
                    raise
        if self.listener is not None:
            self.listener.caught_up(keys)
        return True

    def when_done(self, job: str, told: Told, lost: Lost | None = None) -> None:
        """Call `told` once, from the tracker's thread, when the job has ended; at once when it has.

        `lost`, or `told` without it, is called instead when the cluster stays away.
        """
        with self._changed:
            key = self._first.get(job, job)
            known = self._known.get(key)
            if known is None or not known.finished:
                self._waiting.setdefault(key, []).append((told, lost))
                told = _nothing
        _call(told)
        self.follow([job])

    def forget(self, job: str, told: Told) -> None:
        """Do not call `told` any more: nobody waits for it."""
        with self._changed:
            key = self._first.get(job, job)
            left = [one for one in self._waiting.pop(key, []) if one[0] is not told]
            if left:
                self._waiting[key] = left

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
                if not self._live:
                    self._thread = None
                    self._backend.rest()
                    return
                if len(self._asked) < len(self._live) or len(self._asked) > 2 * len(self._live):
                    self._asked = list(self._live.values())
                asked = self._asked
            try:
                self._take(self._backend.changes(asked, LOOK_SECONDS))
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
            print(f"slurm: the cluster has not answered for {seconds:.0f} s ({error}); it is asked for {self._patience:.0f} s, jobs go on "
                  "meanwhile",
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
            waiting = [partial(lost, error) if lost is not None else told for each in self._waiting.values() for told, lost in each]
            self._waiting.clear()
            self._changed.notify_all()
        _call_all(waiting)

    def _take(self, found: Mapping[str, Status]) -> None:
        final: dict[str, Status] = {}
        with self._changed:
            for job, status in found.items():
                key = self._first.get(job, job)
                if self._live.get(key) != job:
                    continue  # late news of an earlier attempt, or of somebody else's job
                if status.state == UNKNOWN and key in self._cancelled:
                    status = Status("CANCELLED", "0:0")
                if status.finished and not status.successful and key in self._guards:
                    self._held[key] = status
                else:
                    final[key] = status
        told = self._settle(final)
        try:
            if self._held:
                self._judge(told)
        finally:
            _call_all(told)

    def _judge(self, told: list[Told]) -> None:
        """Let the guards decide what becomes of jobs that ended badly, again as long as that decides anything for others.

        `told` gets who is to be called.
        """
        with self._judging:
            decided = True
            while decided:
                with self._changed:
                    self._held = {key: status for key, status in self._held.items() if key in self._live}
                    each: dict[int, tuple[Guard | None, dict[str, Status]]] = {}
                    for key, status in self._held.items():
                        guard = self._guards.get(key)
                        each.setdefault(id(guard), (guard, {}))[1][key] = status
                decided = False
                for guard, ended in each.values():
                    again = guard.again(ended) if guard is not None else {}
                    new = {key: job for key, job in again.items() if job != LATER}
                    self.renew(new)
                    over = {key: status for key, status in ended.items() if key not in again}
                    told += self._settle(over)
                    decided = decided or bool(new or over)

    def renew(self, new: Mapping[str, str]) -> None:
        """Say under which ids jobs, by their first ones, have been submitted again."""
        with self._changed:
            for key, job in new.items():
                self._attempts.setdefault(key, [key]).append(job)
                self._first[job], self._live[key] = key, job
                self._known[key] = Status("PENDING")
                self._held.pop(key, None)
            self._asked = []
            self._changed.notify_all()
            running = self._listening()
        if new and running:
            self._backend.wake()
        if self.listener is not None:
            self.listener.news(dict.fromkeys(new, Status("PENDING")))

    def _settle(self, statuses: Mapping[str, Status]) -> list[Told]:
        """Write down how jobs stand; who is to be called, once no lock is held."""
        told: list[Told] = []
        with self._changed:
            for key, status in statuses.items():
                self._known[key] = status
                if status.finished:
                    self._live.pop(key, None)
                    self._held.pop(key, None)
                    self._guards.pop(key, None)
                    told += [one for one, _ in self._waiting.pop(key, [])]
            self._changed.notify_all()
        if self.listener is not None:
            self.listener.news(statuses)
        return told


class Home(Protocol):
    """What a job needs of its cluster."""

    backend: Backend
    tracker: Tracker


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


def _call_all(told: Iterable[Told]) -> None:
    for one in told:
        _call(one)


def _nothing() -> None:
    """What is called when there is nobody to tell yet."""
