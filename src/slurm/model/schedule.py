"""Schedule: what runs until when and what is planned to start when, at one moment; for commands, pages and programs alike."""

from __future__ import annotations

import msgspec


class Bar(msgspec.Struct, kw_only=True):
    """A job on its nodes: from `start` to `end`, in seconds since the epoch. `nodes` is a host list.

    `planned`: it waits, and is expected to start then. `endless`: it has no time limit, `end` is only where a drawing stops.
    """

    job: str
    name: str
    user: str
    partition: str
    start: float
    end: float
    nodes: str
    cpus: int = 0
    planned: bool = False
    endless: bool = False


class Waiting(msgspec.Struct, kw_only=True):
    """A job that waits and for which no start is in sight; `reason` is Slurm's word for why."""

    job: str
    name: str
    user: str
    partition: str
    reason: str


class Schedule(msgspec.Struct, kw_only=True):
    """The plan of a cluster as of `at`. `bars` what runs, then what is planned, the first to start first; `nodes` all nodes, a host list.

    `left_out`: so many more jobs wait without a start than `waiting` names. `planned_at` is when the planner made it.
    """

    cluster: str
    at: float
    planned_at: float = 0.0
    nodes: str = ""
    bars: list[Bar] = []
    waiting: list[Waiting] = []
    left_out: int = 0
