"""Source: the seam between the screen and a cluster, and what passes through it.

`cluster_source` is the real one; tests have one of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from slurm.sdk.following.inspection import JobRecord, NodeRow, QueueRow
from slurm.sdk.following.using import Use


class Snapshot(NamedTuple):
    """Queue and nodes at one moment (Unix time), and what running jobs use, by their id, as far as the cluster tells."""

    taken: float
    jobs: Sequence[QueueRow]
    nodes: Sequence[NodeRow]
    uses: Mapping[str, Use] = {}  # noqa: RUF012 - a NamedTuple's default, which nobody changes


class Part(NamedTuple):
    """Some of a growing file: the text, where it ends, and how many bytes before it were left out."""

    text: str
    end: int
    skipped: int = 0


class Source(Protocol):
    """A cluster as the screen sees it. Every method may take long and raise SdkError, SlurmError or OSError; it is called in threads."""

    name: str
    user: str
    interval: float

    def snapshot(self) -> Snapshot:
        """Queue and nodes now."""
        ...

    def job(self, job: str) -> JobRecord:
        """All about one job, or about the waiting elements of an array that share a line of the queue."""
        ...

    def why(self, job: JobRecord) -> Sequence[str]:
        """Why it waits or how it ended, in lines; none where there is nothing to say."""
        ...

    def log(self, path: str, start: int) -> Part:
        """What stands in a file from byte `start` on; its end when `start` is below 0."""
        ...

    def cancel(self, job: str) -> str:
        """End a job; a sentence that says what became of it."""
        ...

    def hold(self, job: str) -> str:
        """Keep a waiting job from starting; a sentence."""
        ...

    def release(self, job: str) -> str:
        """Let a held job start; a sentence."""
        ...

    def requeue(self, job: str) -> str:
        """Put a job back in the queue; a sentence."""
        ...
