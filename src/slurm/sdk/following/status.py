"""Status and JobSnapshot: what is known of a job at one moment; and what Slurm's word for why it waits or how it ended means."""

from __future__ import annotations

from typing import NamedTuple

from slurm.model.states import JobState

_FINISHED = frozenset(state.name for state in JobState if state.finished)
UNKNOWN = "UNKNOWN"
"""State of a job that the cluster no longer remembers; its files may still tell."""


class Status(NamedTuple):
    """`state` in Slurm's long words, `exit_code` as "1:0" ("" before the end), `reason` Slurm's word for why it waits or ended."""

    state: str
    exit_code: str = ""
    reason: str = ""

    @property
    def finished(self) -> bool:
        """Whether the job has ended for good, or is no longer known."""
        return self.state in _FINISHED or self.state == UNKNOWN

    @property
    def successful(self) -> bool:
        """Whether it ended well."""
        return self.state == "COMPLETED"


class JobSnapshot(NamedTuple):
    """A job at one moment. `elapsed_seconds` is None before it has started; the tails are the last lines that it has written."""

    job_id: str
    state: str
    exit_code: str | None
    reason: str | None
    stdout_tail: str
    stderr_tail: str
    elapsed_seconds: float | None
    is_terminal: bool
    is_successful: bool


def normal(state: str) -> str:
    """A state as sacct and squeue may write it, "CANCELLED by 1000" or "CANCELLED+", as the plain word."""
    words = state.split()
    return words[0].rstrip("+") if words else UNKNOWN


_WAITS = {
    "Priority": "jobs with a higher priority wait for the same nodes",
    "Resources": "it is next, and waits until enough processors, memory or GPUs are free",
    "Dependency": "it waits for other jobs",
    "DependencyNeverSatisfied": "a job that it waits for ended in a way that never lets it start: cancel it",
    "BeginTime": "it may not start before the time that it asked for",
    "JobHeldUser": "its owner holds it: `scontrol release` lets it go",
    "JobHeldAdmin": "an administrator holds it",
    "JobArrayTaskLimit": "as many elements of its array run as may at once",
    "PartitionDown": "its partition is down: jobs may be submitted and do not start",
    "PartitionInactive": "its partition is inactive",
    "PartitionNodeLimit": "it asks for more or fewer nodes than its partition allows",
    "PartitionTimeLimit": "it asks for more time than its partition allows",
    "PartitionConfig": "its partition cannot run it as it is configured",
    "ReqNodeNotAvail": "nodes that it needs are down, drained or reserved",
    "NodeDown": "a node that it needs is down",
    "BadConstraints": "no node has what it asks for",
    "Licenses": "it waits for licenses",
    "Reservation": "it waits for its reservation to begin",
    "Prolog": "its nodes are being prepared",
    "Cleaning": "what is left of its last run is being cleaned up",
    "InvalidAccount": "its account is not valid",
    "InvalidQOS": "its QOS is not valid",
    "job requeued in held state": "it was put back to the queue to be held there: `scontrol release` lets it go",
    "JobHoldMaxRequeue": "it was requeued too often and is held",
    "launch_failed_requeued_held": "it could not be launched and is held: `scontrol release` tries again",
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions": "nodes that it needs are down, drained "
    "or reserved",
}
_ENDED = {
    "NonZeroExitCode": "its program ended with another exit code than 0",
    "TimeLimit": "it reached its time limit",
    "OutOfMemory": "it used more memory than it had asked for",
    "NodeDown": "a node of it failed",
    "JobLaunchFailure": "it could not be launched on its nodes",
    "DeadLine": "its deadline passed",
    "DependencyNeverSatisfied": "a job that it waited for ended in a way that never let it start",
    "Dependency": "a job that it waited for ended in a way that never let it start",
}


def sentence(status: Status) -> str:
    """Why a job waits or how it ended, in words; "" when there is nothing to say. Words that are not known here come back as they are."""
    word = status.reason
    if word in ("", "None"):
        return "the scheduler has not looked at it yet" if status.state == "PENDING" else ""
    if status.state in ("RUNNING", "COMPLETED"):
        return ""
    if status.finished:
        if word.startswith("RaisedSignal"):
            return f"signal {word.partition(':')[2]} ended it"
        return _ENDED.get(word, word)
    first = word.partition(",")[0]
    if word in _WAITS or first in _WAITS:
        names = word.partition(",")[2].strip() if word not in _WAITS else ""
        return _WAITS.get(word) or f"{_WAITS[first]}{f' ({names})' if names else ''}"
    if word.startswith(("Assoc", "QOS")):
        return f"a limit of its {'QOS' if word.startswith('QOS') else 'account'} is reached ({word})"
    return word
