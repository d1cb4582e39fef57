"""The tree of errors and the table of Slurm's error codes.

Lives here: what can go wrong, named as Slurm names it. Not here: how an error is shown (the commands prefix it with their
name) or sent (`wire` carries `name`, `message` and `hints`).

    SlurmError
    ├── InvalidRequest      the caller asked for something that cannot be
    │   └── NotationError   a text in one of Slurm's little languages does not parse
    ├── NotFound            a job, step, node, partition … that does not exist
    ├── NotPermitted        the caller has no right to it
    ├── NotNow              right, but impossible in the present state; may be tried again
    ├── Unsupported         known to Slurm, not carried out by slurm-py yet
    ├── ConfigError         slurm.conf and its like
    ├── ProtocolError       bytes on a connection that are no message of ours
    ├── Unreachable         a daemon does not answer
    └── StoreError          a state file that cannot be read or written
"""

from __future__ import annotations

from collections.abc import Iterable

MESSAGES: dict[str, tuple[int, str]] = {
    "SLURM_ERROR": (-1, "Unspecified error"),
    "ESLURM_INVALID_PARTITION_NAME": (2000, "Invalid partition name specified"),
    "ESLURM_DEFAULT_PARTITION_NOT_SET": (2001, "No partition specified or system default partition"),
    "ESLURM_ACCESS_DENIED": (2002, "Access/permission denied"),
    "ESLURM_REQUESTED_NODES_NOT_IN_PARTITION": (2004, "Requested node configuration is not available"),
    "ESLURM_TOO_MANY_REQUESTED_CPUS": (2005, "More processors requested than permitted"),
    "ESLURM_INVALID_NODE_COUNT": (2006, "Node count specification invalid"),
    "ESLURM_ERROR_ON_DESC_TO_RECORD_COPY": (2007, "Unable to create job record, try again"),
    "ESLURM_JOB_MISSING_SIZE_SPECIFICATION": (2008, "Job size specification needs to be provided"),
    "ESLURM_JOB_SCRIPT_MISSING": (2009, "Job script not specified"),
    "ESLURM_USER_ID_MISSING": (2010, "Invalid user id"),
    "ESLURM_GROUP_ID_MISSING": (2011, "Invalid group id"),
    "ESLURM_PATHNAME_TOO_LONG": (2012, "Pathname of a file, directory or other parameter too long"),
    "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE": (2014, "Requested node configuration is not available"),
    "ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE": (2015, "Requested partition configuration not available now"),
    "ESLURM_NODES_BUSY": (2016, "Requested nodes are busy"),
    "ESLURM_INVALID_JOB_ID": (2017, "Invalid job id specified"),
    "ESLURM_INVALID_NODE_NAME": (2018, "Invalid node name specified"),
    "ESLURM_TRANSITION_STATE_NO_UPDATE": (2020, "Job can not be altered now, try again later"),
    "ESLURM_ALREADY_DONE": (2021, "Job/step already completed"),
    "ESLURM_INTERCONNECT_FAILURE": (2022, "Error configuring interconnect"),
    "ESLURM_BAD_DIST": (2023, "Task distribution specification invalid"),
    "ESLURM_JOB_PENDING": (2024, "Job is pending execution"),
    "ESLURM_JOB_SUSPENDED": (2077, "Job is current suspended, requested operation disabled"),
    "ESLURM_JOB_NOT_SUSPENDED": (2087, "Job is not suspended"),
    "ESLURM_PORTS_BUSY": (2059, "Required ports are in use"),
    "ESLURM_PORTS_INVALID": (2060, "Requires more ports than can be reserved"),
    "ESLURM_BAD_TASK_COUNT": (2025, "Task count specification invalid"),
    "ESLURM_DUPLICATE_JOB_ID": (2026, "Duplicate job id"),
    "ESLURM_IN_STANDBY_MODE": (2027, "Slurm backup controller in standby mode"),
    "ESLURM_INVALID_NODE_STATE": (2028, "Invalid node state specified"),
    "ESLURM_INVALID_FEATURE": (2029, "Invalid feature specification"),
    "ESLURM_AUTHTYPE_CHANGE": (2030, "AuthType change requires restart of all Slurm daemons and commands"),
    "ESLURM_NOT_SUPPORTED": (2031, "Requested operation is presently disabled"),
    "ESLURM_DISABLED": (2032, "Requested operation is presently disabled"),
    "ESLURM_DEPENDENCY": (2033, "Job dependency problem"),
    "ESLURM_BATCH_ONLY": (2034, "Only batch jobs are accepted or processed"),
    "ESLURM_JOB_HELD": (2036, "Job is in held state, pending scheduler release"),
    "ESLURM_INVALID_TASK_MEMORY": (2037, "Memory required by task is not available"),
    "ESLURM_INVALID_ACCOUNT": (2045, "Invalid account or account/partition combination specified"),
    "ESLURM_INVALID_PARENT_ACCOUNT": (2046, "Invalid parent account specified"),
    "ESLURM_SAME_PARENT_ACCOUNT": (2047, "Account already child of parent account specified"),
    "ESLURM_INVALID_LICENSES": (2048, "Invalid license specification"),
    "ESLURM_NEED_RESTART": (2049, "The node configuration changes that were made require restart of the slurmctld daemon to take effect"),
    "ESLURM_ACCOUNTING_POLICY": (2050, "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"),
    "ESLURM_INVALID_TIME_LIMIT": (2051, "Requested time limit is invalid (missing or exceeds some limit)"),
    "ESLURM_RESERVATION_ACCESS": (2052, "Access denied to requested reservation"),
    "ESLURM_RESERVATION_INVALID": (2053, "Requested reservation is invalid"),
    "ESLURM_INVALID_TIME_MIN_LIMIT": (2124, "Invalid time-min specification (exceeds job's time or other limits)"),
    "ESLURM_INVALID_TIME_VALUE": (2054, "Invalid time specified"),
    "ESLURM_RESERVATION_BUSY": (2055, "Requested reservation is in use"),
    "ESLURM_RESERVATION_OVERLAP": (2058, "Requested reservation overlaps with another reservation"),
    "ESLURM_PARTITION_IN_USE": (2075, "Partition is in use"),
    "ESLURM_RESERVATION_EMPTY": (2080, "Reservation request lacks users, groups or accounts"),
    "ESLURM_RESERVATION_NAME_DUP": (2082, "Duplicate reservation name"),
    "ESLURM_RSV_ALREADY_STARTED": (2104, "Reservation already started"),
    "ESLURM_CORE_RESERVATION_UPDATE": (2109, "Core-based reservation can not be updated"),
    "ESLURM_RESERVATION_NOT_SKIPPABLE": (2128, "Reservation given is not skipable, try deleting instead"),
    "ESLURM_RESERVATION_USER_GROUP": (2129, "Reservations can't have users and groups specified, only one or the other"),
    "ESLURM_INVALID_WCKEY": (2057, "Invalid wckey specification"),
    "ESLURM_INVALID_CORE_CNT": (2058, "Core count for reservation node list is not consistent!"),
    "ESLURM_JOB_NOT_RUNNING": (2061, "Job is not running"),
    "ESLURM_INVALID_QOS": (2066, "Invalid qos specification"),
    "ESLURM_PARTITION_NOT_AVAIL": (2067, "Required partition not available (inactive or drain)"),
    "ESLURM_INVALID_GRES": (2072, "Invalid generic resource (gres) specification"),
    "ESLURM_RESERVATION_NOT_USABLE": (2076, "Requested reservation not usable now"),
    "ESLURM_MISSING_TIME_LIMIT": (2078, "Time limit specification required, but not provided"),
    "ESLURM_JOB_NOT_PENDING": (2082, "Job is no longer pending execution"),
    "ESLURM_NOT_TOP_PRIORITY": (2089, "Immediate execution impossible, insufficient priority"),
    "ESLURM_INVALID_ARRAY": (2086, "Invalid job array specification"),
    "ESLURM_DUPLICATE_STEP_ID": (2090, "Duplicate step id"),
    "ESLURM_MAX_JOB_COUNT": (2104, "Slurm temporarily unable to accept job, sleeping and retrying"),
    "ESLURM_JOB_SETTING_DB_INX": (2105, "Job update not available right now, the DB index is being set, try again in a bit"),
    "ESLURM_NOT_HET_JOB": (2106, "Job not heterogeneous job"),
    "ESLURM_NOT_HET_JOB_LEADER": (2107, "Job not heterogeneous job leader"),
    "ESLURM_NOT_WHOLE_HET_JOB": (2108, "Operation not permitted on individual component of heterogeneous job"),
    "ESLURM_STEP_LIMIT": (2109, "Step limit reached for this job"),
    "ESLURM_UNSUPPORTED": (2110, "Not supported by slurm-py yet"),
    "ESLURM_INVALID_OPTION": (2111, "Invalid option value"),
    "ESLURM_SCRIPT_TOO_BIG": (2112, "Job script exceeds the size limit"),
    "ESLURM_CAN_NOT_START_IMMEDIATELY": (2113, "Unable to allocate resources"),
    "ESLURM_TRIGGER_MISSING": (2040, "Requested event trigger does not exist"),
    "ESLURM_CANNOT_CANCEL_CRON_JOB": (2182, "Cannot cancel scrontab jobs without --cron flag."),
    "SLURM_PROTOCOL_VERSION_ERROR": (1005, "Incompatible versions of client and server code"),
    "SLURM_COMMUNICATIONS_ERROR": (1000, "Unable to contact slurm controller (connect failure)"),
    "SLURM_MALFORMED_MESSAGE": (1001, "Malformed message"),
    "SLURM_AUTHENTICATION_ERROR": (1007, "Protocol authentication error"),
    "ESLURMD_INVALID_JOB_CREDENTIAL": (4004, "Invalid job credential"),
    "ESLURMD_CREDENTIAL_EXPIRED": (4007, "Job credential expired"),
    "ESLURMD_CREDENTIAL_REVOKED": (4008, "Job credential revoked"),
    "ESLURMD_JOB_NOTRUNNING": (4018, "Job step not running"),
    "ESLURMD_PROLOG_FAILED": (4020, "Job prolog failed"),
    "ESLURM_DB_CONNECTION": (7000, "Unable to connect to database"),
    "ESLURM_DB_QUERY_TOO_WIDE": (7007, "Too wide of a date range in query"),
    "ESLURM_STATE_STORE": (2113, "Unable to write the state of the cluster"),
}
"""Error name → (Slurm's errno value, Slurm's sentence). The numbers are those of slurm_strerror as its users see them in JSON."""


class SlurmError(Exception):
    """Something a user, a daemon or a file did that slurm-py can name.

    `name` is a key of MESSAGES; `message` is the first line, Slurm's own unless given; `hints` are further lines of ours: what
    was wrong, what would be valid, what to do. `preface` are lines that Slurm's commands print before it, each as an error of its own.
    """

    default = "ESLURM_INVALID_OPTION"

    def __init__(self, name: str = "", message: str = "", *, hints: Iterable[str] = (), preface: Iterable[str] = ()) -> None:
        self.name = name or self.default
        self.message = message or MESSAGES[self.name][1]
        self.hints = tuple(hints)
        self.preface = tuple(preface)
        super().__init__(self.message)

    @property
    def number(self) -> int:
        """Slurm's errno value of this error."""
        return MESSAGES[self.name][0]

    def lines(self) -> list[str]:
        """The error as lines: Slurm's sentence, then our hints."""
        return [self.message, *self.hints]


class InvalidRequest(SlurmError):
    """The caller asked for something that cannot be."""


class NotationError(InvalidRequest, ValueError):
    """A text in one of Slurm's little languages does not parse; `message` says what, where and what would be valid."""

    def __init__(self, message: str, *, hints: Iterable[str] = ()) -> None:
        super().__init__("ESLURM_INVALID_OPTION", message, hints=hints)


class NotFound(SlurmError):
    """A job, step, node, partition … that does not exist."""

    default = "ESLURM_INVALID_JOB_ID"


class NotPermitted(SlurmError):
    """The caller has no right to what it asked."""

    default = "ESLURM_ACCESS_DENIED"


class NotNow(SlurmError):
    """Valid, but impossible in the present state; may be tried again."""

    default = "ESLURM_TRANSITION_STATE_NO_UPDATE"


class Unsupported(SlurmError):
    """Known to Slurm, not carried out by slurm-py yet; said, never swallowed."""

    default = "ESLURM_UNSUPPORTED"


class ConfigError(SlurmError):
    """A configuration that cannot be used; `message` names file and line."""


class ProtocolError(SlurmError):
    """Bytes on a connection that are no message of ours."""

    default = "SLURM_MALFORMED_MESSAGE"


class Unreachable(SlurmError):
    """A daemon that does not answer."""

    default = "SLURM_COMMUNICATIONS_ERROR"


class StoreError(SlurmError):
    """A state file that cannot be read or written."""

    default = "ESLURM_STATE_STORE"


KINDS: dict[str, type[SlurmError]] = {
    kind.__name__: kind for kind in (
        SlurmError, InvalidRequest, NotFound, NotPermitted, NotNow, Unsupported, ConfigError, ProtocolError, Unreachable, StoreError)
}


def describe(error: SlurmError) -> dict[str, object]:
    """The error as the plain mapping that replies carry: kind, name, message, hints, preface."""
    kind = next(k.__name__ for k in type(error).__mro__ if k.__name__ in KINDS)
    return {"kind": kind, "name": error.name, "message": error.message, "hints": list(error.hints),
            "preface": list(error.preface)}


def revive(kind: str, name: str, message: str, hints: Iterable[str], preface: Iterable[str] = ()) -> SlurmError:
    """The error that `describe` described, of the same kind."""
    found = KINDS.get(kind, SlurmError)
    return found(name if name in MESSAGES else "", message, hints=hints, preface=preface)
