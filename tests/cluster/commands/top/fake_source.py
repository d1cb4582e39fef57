"""A cluster for the screen's tests: what it holds, and whether it answers, the test decides."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from slurm.commands.top.source import Part, Snapshot
from slurm.sdk.errors import BackendError
from slurm.sdk.following.inspection import JobRecord, NodeRow, QueueRow
from slurm.sdk.following.using import Use


def job(id: str, state: str = "RUNNING", *, user: str = "ada", name: str = "train", used: str = "1:00", cpus: int = 4, reason: str = "None",
        partition: str = "gpu") -> QueueRow:
    """A line of the queue."""
    base = id.partition("_")[0]
    return QueueRow(id, id, base if "_" in id else "", state, user, partition, "lab", "normal", 1, cpus, "4G", "cn01" if state == "RUNNING" else "", "", "", "",
                    used, "1:00:00", 1, "", reason, "", name)


def record(row: QueueRow, stdout: str = "", **fields: str) -> JobRecord:
    """What scontrol knows of a line's job."""
    return JobRecord(row.id, row.raw_id, row.array_id, row.name, row.user, row.state, row.reason, "", "", row.partition, row.account, row.qos, "2026-01-02T03:04:05",
                     "", "", row.used, row.limit, row.nodes, row.cpus, row.nodelist, "cpu=4,mem=16G", "", "/home/ada/train.sh", "/home/ada", stdout, stdout, fields)


def node(name: str, used: int = 4, *, state: str = "MIXED", reason: str = "") -> NodeRow:
    """A node of 16 CPUs, 64 GB and two GPUs."""
    return NodeRow(name, state, ("gpu",), 16, used, 0.5, 65536, used * 4096, 30000, 2, min(2, used // 4), "h100", "", reason, "")


@dataclass
class FakeSource:
    """A Source in memory. `away` makes it not answer; `done` notes what was asked of it."""

    jobs: list[QueueRow] = field(default_factory=list)
    nodes: list[NodeRow] = field(default_factory=list)
    name: str = "test"
    user: str = "ada"
    interval: float = 0.1
    away: str = ""
    looks: int = 0
    log_text: bytes = b""
    uses: dict[str, Use] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)

    def snapshot(self) -> Snapshot:
        """What the test put in."""
        self.looks += 1
        self._answer()
        return Snapshot(time.time(), list(self.jobs), list(self.nodes), self.uses)

    def job(self, job: str) -> JobRecord:
        """The record of a line."""
        self._answer()
        return record(next(row for row in self.jobs if row.id == job), "/home/ada/slurm-1.out")

    def why(self, job: JobRecord) -> list[str]:
        """Why it waits, in two lines."""
        return [f"{job.reason} is lacking", "It can start when a job that runs there ends"] if job.state == "PENDING" else []

    def log(self, path: str, start: int) -> Part:
        """The rest of the log."""
        self._answer()
        begin = max(start, 0)
        return Part(self.log_text[begin:].decode(), len(self.log_text))

    def cancel(self, job: str) -> str:
        """The line goes."""
        return self._did("cancel", job, f"job {job} is cancelled")

    def hold(self, job: str) -> str:
        """Noted."""
        return self._did("hold", job, f"job {job} is held")

    def release(self, job: str) -> str:
        """Noted."""
        return self._did("release", job, f"job {job} is released")

    def requeue(self, job: str) -> str:
        """Noted."""
        return self._did("requeue", job, f"job {job} was put back in the queue")

    def _did(self, what: str, job: str, told: str) -> str:
        self._answer()
        self.done.append((what, job))
        if what == "cancel":
            self.jobs = [row for row in self.jobs if row.id != job]
        return told

    def _answer(self) -> None:
        if self.away:
            raise BackendError(self.away)
