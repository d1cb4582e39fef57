"""States of jobs and nodes, and the reasons a job waits: Slurm's words and letters.

Light on purpose: user commands import it.
"""

from __future__ import annotations

import enum


class JobState(enum.IntEnum):
    """A job's base state; numbers as in Slurm's API."""

    PENDING = 0
    RUNNING = 1
    SUSPENDED = 2
    COMPLETED = 3
    CANCELLED = 4
    FAILED = 5
    TIMEOUT = 6
    NODE_FAIL = 7
    PREEMPTED = 8
    BOOT_FAIL = 9
    DEADLINE = 10
    OUT_OF_MEMORY = 11

    @property
    def compact(self) -> str:
        """The two-letter code of `squeue %t`."""
        return _COMPACT[self]

    @property
    def finished(self) -> bool:
        """Whether the job has ended for good."""
        return self >= JobState.COMPLETED


_COMPACT = {
    JobState.PENDING: "PD", JobState.RUNNING: "R", JobState.SUSPENDED: "S", JobState.COMPLETED: "CD", JobState.CANCELLED: "CA",
    JobState.FAILED: "F", JobState.TIMEOUT: "TO", JobState.NODE_FAIL: "NF", JobState.PREEMPTED: "PR", JobState.BOOT_FAIL: "BF",
    JobState.DEADLINE: "DL", JobState.OUT_OF_MEMORY: "OOM",
}

JOB_FLAGS: dict[str, str] = {
    "completing": "CG", "configuring": "CF", "expediting": "EX", "resizing": "RS", "resv_del_hold": "RD", "requeued": "RQ",
    "requeue_fed": "RF", "requeue_hold": "RH", "revoked": "RV", "signaling": "SI", "special_exit": "SE", "stage_out": "SO",
    "stopped": "ST",
}
"""States that lie over a base state, in the order in which `squeue --helpstate` and its error message list them."""

STATE_NAMES: tuple[str, ...] = tuple(s.name.lower() for s in JobState) + tuple(JOB_FLAGS)

STATE_WORDS: dict[str, str] = {
    **{name: name for name in STATE_NAMES}, **{state.compact.lower(): state.name.lower() for state in JobState},
    **{letters.lower(): name for name, letters in JOB_FLAGS.items()},
}
"""What `squeue -t` and `scancel -t` take, in small letters: names and letters of states → the name."""


class NodeState(enum.Enum):
    """A node's base state, the words of `sinfo`; MIXED and ALLOCATED follow from what runs there."""

    UNKNOWN = "unknown"
    DOWN = "down"
    IDLE = "idle"
    ALLOCATED = "allocated"
    MIXED = "mixed"
    ERROR = "error"
    FUTURE = "future"


class Power(enum.Enum):
    """Whether a node is there to run anything: it is on, on its way down, off, or on its way up."""

    ON = "on"
    GOING_DOWN = "going_down"
    OFF = "off"
    COMING_UP = "coming_up"


class Reason:
    """Why a job waits or ended as it did: the words of `squeue %r`. Texts, because some of Slurm's are sentences."""

    NONE = "None"
    PRIORITY = "Priority"
    DEPENDENCY = "Dependency"
    RESOURCES = "Resources"
    PARTITION_NODE_LIMIT = "PartitionNodeLimit"
    PARTITION_TIME_LIMIT = "PartitionTimeLimit"
    PARTITION_DOWN = "PartitionDown"
    PARTITION_INACTIVE = "PartitionInactive"
    PARTITION_CONFIG = "PartitionConfig"
    JOB_HELD_ADMIN = "JobHeldAdmin"
    JOB_HELD_USER = "JobHeldUser"
    BEGIN_TIME = "BeginTime"
    LICENSES = "Licenses"
    RESERVATION = "Reservation"
    RESERVATION_DELETED = "Reservation {} was deleted"
    INVALID_ACCOUNT = "InvalidAccount"
    INVALID_QOS = "InvalidQOS"
    INVALID_WCKEY = "InvalidWCKey"
    ASSOC_LIMIT = "AssociationJobLimit"
    ACCOUNT_NOT_ALLOWED = "AccountNotAllowed"
    QOS_NOT_ALLOWED = "QOSNotAllowed"
    QOS_USAGE_THRESHOLD = "QOSUsageThreshold"
    JOB_ARRAY_TASK_LIMIT = "JobArrayTaskLimit"
    REQ_NODE_NOT_AVAIL = "ReqNodeNotAvail"
    NODE_DOWN = "NodeDown"
    BAD_CONSTRAINTS = "BadConstraints"
    DEPENDENCY_NEVER_SATISFIED = "DependencyNeverSatisfied"
    NON_ZERO_EXIT_CODE = "NonZeroExitCode"
    RAISED_SIGNAL = "RaisedSignal:{}"
    TIME_LIMIT = "TimeLimit"
    OUT_OF_MEMORY = "OutOfMemory"
    JOB_LAUNCH_FAILURE = "JobLaunchFailure"
    LAUNCH_FAILED_REQUEUED_HELD = "launch_failed_requeued_held"
    JOB_HOLD_MAX_REQUEUE = "JobHoldMaxRequeue"
    REQUEUED_HELD = "job requeued in held state"
    DEADLINE = "DeadLine"
    UNAVAILABLE_NODES = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"
    CLEANING = "Cleaning"
    PROLOG = "Prolog"
