"""How many jobs wait and run, and what those that run hold: for each association with all below it, each QOS, and each user and account in
a QOS.

Kept with every event by `state` (a job enters or leaves the queue, or the jobs that hold something), and by the planner for what it
proposes in one pass. Nothing is counted while there is no policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slurm.model.ids import JobId

Key = tuple[str, int | str, str]
"""("association", id, ""), ("qos", name, ""), ("user", qos, user), ("account", qos, account)."""


class Counts:
    """Of one key. `submitted` counts waiting and running jobs, each task of an array as one."""

    __slots__ = ("accruing", "running", "submitted", "tres")

    def __init__(self) -> None:
        self.accruing = 0  # waiting jobs whose age counts; an array's waiting tasks have one age and are one
        self.submitted = 0
        self.running = 0
        self.tres: dict[str, int] = {}


NOTHING = Counts()


class Held(NamedTuple):
    """What a running job counts as: keys, amounts, and when its limit ends it (infinity without one)."""

    keys: tuple[Key, ...]
    amounts: dict[str, int]
    until: float


class Tally:
    """The counts of all keys."""

    def __init__(self) -> None:
        self._counts: dict[Key, Counts] = {}
        self._waiting: dict[JobId, tuple[tuple[Key, ...], int, bool]] = {}
        self._running: dict[JobId, Held] = {}
        self._proposed: list[tuple[tuple[Key, ...], dict[str, int], int]] = []
        self._ahead: dict[Key, dict[str, float]] = {}  # minutes of what is proposed
        self._minutes: tuple[float, int, dict[Key, dict[str, float]]] = (-1.0, -1, {})
        self._changes = 0

    def of(self, key: Key) -> Counts:
        """The counts of one key; all zero for one that nobody counts under."""
        return self._counts.get(key, NOTHING)

    def minutes_left(self, key: Key, name: str, now: float) -> float:
        """TRES minutes that the running jobs of a key may still use before their limits end them."""
        if self._minutes[:2] != (now, self._changes):
            sums: dict[Key, dict[str, float]] = {}
            for held in self._running.values():
                left = max(0.0, held.until - now) / 60
                for one in held.keys:
                    row = sums.setdefault(one, {})
                    for held_name, amount in held.amounts.items():
                        row[held_name] = row.get(held_name, 0.0) + amount * left
            self._minutes = now, self._changes, sums
        return self._minutes[2].get(key, {}).get(name, 0.0) + self._ahead.get(key, {}).get(name, 0.0)

    def wait(self, job: JobId, keys: tuple[Key, ...], count: int, *, accruing: bool = False) -> None:
        """A job or the tasks of an array wait; a second call changes how many, or whether its age counts."""
        self.stop_waiting(job)
        self._waiting[job] = keys, count, accruing
        for key in keys:
            counts = self._at(key)
            counts.submitted += count
            counts.accruing += accruing

    def stop_waiting(self, job: JobId) -> None:
        """It does not wait any more."""
        keys, count, accruing = self._waiting.pop(job, ((), 0, False))
        for key in keys:
            counts = self._at(key)
            counts.submitted -= count
            counts.accruing -= accruing

    def run(self, job: JobId, held: Held) -> None:
        """A job holds something; a second call changes what."""
        self.stop_running(job)
        self._running[job] = held
        self._add(held.keys, held.amounts, 1)
        for key in held.keys:
            self._at(key).submitted += 1
        self._changes += 1

    def stop_running(self, job: JobId) -> Held | None:
        """It holds nothing any more; what it had."""
        held = self._running.pop(job, None)
        if held is not None:
            self._add(held.keys, held.amounts, -1)
            for key in held.keys:
                self._at(key).submitted -= 1
            self._changes += 1
        return held

    def running(self, job: JobId) -> Held | None:
        """What a job counts as while it runs."""
        return self._running.get(job)

    def propose(self, keys: tuple[Key, ...], amounts: dict[str, int], minutes: int) -> None:
        """Count a start that a pass proposes, of a job that may run so many minutes, until `withdraw`."""
        self._look_ahead(keys, amounts, minutes)
        self._proposed.append((keys, amounts, minutes))
        self._add(keys, amounts, 1)

    def retract(self, count: int) -> None:
        """The last so many starts are not proposed after all."""
        for _ in range(count):
            keys, amounts, minutes = self._proposed.pop()
            self._look_ahead(keys, amounts, -minutes)
            self._add(keys, amounts, -1)

    def withdraw(self) -> None:
        """The pass is over: what it proposed counts when it is carried out."""
        for keys, amounts, _ in self._proposed:
            self._add(keys, amounts, -1)
        self._proposed.clear()
        self._ahead.clear()

    def counted(self) -> Iterable[Key]:
        """Everything that is counted under."""
        return self._counts.keys()

    def _look_ahead(self, keys: tuple[Key, ...], amounts: dict[str, int], minutes: int) -> None:
        for key in keys:
            ahead = self._ahead.setdefault(key, {})
            for name, amount in amounts.items():
                ahead[name] = ahead.get(name, 0.0) + amount * minutes

    def _at(self, key: Key) -> Counts:
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = Counts()
        return found

    def _add(self, keys: tuple[Key, ...], amounts: dict[str, int], sign: int) -> None:
        for key in keys:
            counts = self._at(key)
            counts.running += sign
            for name, amount in amounts.items():
                counts.tres[name] = counts.tres.get(name, 0) + sign * amount
