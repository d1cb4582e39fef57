"""What the daemon did since it started: requests by type and by user, roll-ups by cluster."""

from __future__ import annotations

from slurm.wire.sacctmgr_messages import DatabaseStats, Work

_MOST_USERS = 10_000


class Stats:
    """Counters; `since` in seconds since the epoch."""

    def __init__(self, since: float) -> None:
        self.since = since
        self._requests: dict[str, list[float]] = {}
        self._users: dict[str, list[float]] = {}
        self._rollups: dict[str, list[float]] = {}

    def request(self, kind: str, user: str, seconds: float) -> None:
        """A request of this type was answered in so many seconds."""
        _add(self._requests, kind, 1, seconds)
        if user in self._users or len(self._users) < _MOST_USERS:
            _add(self._users, user, 1, seconds)

    def rollup(self, what: str, count: int, seconds: float) -> None:
        """So many periods were summed up."""
        _add(self._rollups, what, count, seconds)

    def told(self) -> DatabaseStats:
        """All of it, the most frequent first."""
        requests, users, rollups = (
            [Work(name=name, count=int(count), seconds=seconds) for name, (count, seconds) in sorted(found.items(),
            key=lambda item: (-item[1][0], item[0]))]
            for found in (self._requests, self._users, self._rollups))
        return DatabaseStats(since=self.since, requests=requests, users=users, rollups=rollups)


def _add(found: dict[str, list[float]], name: str, count: int, seconds: float) -> None:
    counters = found.setdefault(name, [0.0, 0.0])
    counters[0] += count
    counters[1] += seconds
