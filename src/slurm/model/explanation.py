"""Explanation: all that can be said of why a job waits, what would start it and when; for commands, pages and programs alike."""

from __future__ import annotations

import msgspec


class Other(msgspec.Struct):
    """Another job, as an explanation names it.

    `end` is when it gives its nodes back at the latest, in seconds since the epoch; 0: not known.
    """

    job: str
    name: str
    user: str
    state: str
    nodes: str = ""
    end: float = 0.0


class Suggestion(msgspec.Struct):
    """A change to a waiting job after which it would start sooner, as the planner itself found with that change made.

    `change` says it in words, `command` carries it out; `start` is when it would start, in seconds since the epoch, and `nodes` where.
    """

    change: str
    command: str
    start: float
    nodes: str = ""


class Explanation(msgspec.Struct, kw_only=True):
    """Of one job at one moment, `at`. Times are seconds since the epoch, 0 where there is none; nodes are host lists.

    `reason` is Slurm's word, `sentence` what it means here, `evidence` what that is seen from (what → how it is), `cures` what would let
    the job start.
    """

    job: str
    name: str
    user: str
    partition: str
    state: str
    at: float
    reason: str = ""
    sentence: str = ""
    evidence: list[tuple[str, str]] = []
    cures: list[str] = []
    advice: list[str] = []  # of one that has ended otherwise than it should: what to change before it is submitted again
    again: str = ""  # how to submit it again, with what has to be changed
    error_file: str = ""  # where its standard error is, of a batch job that has ended so
    unsuited: list[tuple[str, str]] = []  # nodes of its partition that do not come into question → why
    refused: list[tuple[str, int]] = []  # by what nodes of its partition are refused → how many of them
    partition_nodes: int = 0  # how many nodes that partition has
    before: int = 0  # jobs that are looked at before it, in its partition
    first: Other | None = None  # the one of them that is next
    waits_for: list[Other] = []  # jobs that it depends on
    start: float = 0.0  # when it is expected to start, and where
    nodes: str = ""
    holders: list[Other] = []  # jobs that have to end there before
    suggestions: list[Suggestion] = []  # what would let it start sooner, each tried by the planner
    priority: list[tuple[str, str]] = []  # what its priority is made of, where that was asked for: factor → worth and why
