"""The audit log: what administrators had slurmctld do, who, from where, and how it ended; a line of JSON each in
StateSaveLocation/audit.log.

    {"time": "2026-11-30T12:00:00.000+01:00", "user": "root", "uid": 0, "from": "login1", "act": "UpdateNode", "what": {…}, "result": "ok"}

Noted is what only operators may do, and what they do to jobs. What others are refused is in the daemon's log: nobody without rights may
push an entry out of the files, of which there are FILES at most, SIZE bytes each. Policy that sacctmgr changes is in slurmdbd's
transactions.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import time
from collections.abc import Callable
from datetime import datetime

import msgspec

from slurm.core.events import Caller
from slurm.daemon.logs import Seldom
from slurm.wire import crontab_messages as k
from slurm.wire import follow_messages as f
from slurm.wire import history_messages as h
from slurm.wire import messages as m
from slurm.wire import node_changes as d
from slurm.wire import operation_messages as o
from slurm.wire import plan_messages as p
from slurm.wire import reservation_messages as r
from slurm.wire import token_messages as j
from slurm.wire import trigger_messages as t
from slurm.wire.step_layout import FindStep

log = logging.getLogger("slurmctld.audit")
NAME = "audit.log"
SIZE, FILES = 16 << 20, 10
LONGEST = 300
"""Characters of a text that are kept."""
ACTS: frozenset[type[m.Message]] = frozenset({
    m.UpdateNode, m.UpdatePartition, d.CreateNodes, d.DeleteNodes, d.CreatePartition, d.DeletePartition, d.RebootNodes, r.CreateReservation,
    r.UpdateReservation, r.DeleteReservation, m.Reconfigure, o.SetDebug, m.Shutdown, m.Quiesce, j.MakeToken,
    m.UpdateJob, m.CancelJobs, m.HoldJobs, m.ReleaseJobs, m.RequeueJobs, o.SuspendJobs, o.ResumeJobs, o.MoveToTop, o.NotifyJob,
    o.Takeover, m.CertifyDaemon, k.WriteCrontab, t.SetTrigger, t.ClearTriggers,
})
"""Requests that are noted where an operator makes them."""
LOOKING = "it changes nothing"
OWN = "it is about a job of the caller's own"
NO_ACTS: dict[type[m.Message], str] = {
    **dict.fromkeys((
        m.TestJob, m.BatchScript, m.ReadOutput, m.Ping, m.ListJobs, m.ListNodes, m.Describe, m.ListRecords, m.FindUsage, m.ExplainJob, p.ReadPlan,
        h.ReadHistory, m.ListShares, m.ListPriorities, m.WatchEvents, f.ReadRights, f.Follow, f.ReadMetrics, k.ReadCrontab, t.ListTriggers,
        m.WaitJob, m.WaitReady, FindStep), LOOKING),
    **dict.fromkeys((m.SubmitJob, m.AllocateJob, m.AttachAllocation, m.Relinquish, m.CreateStep, m.FinishStep, m.CertifyUser), OWN),
    m.ReadStatistics: "what it may set to zero are counters",
    j.ActAs: "a portal sends it with each request, which then counts as the user's",
}
"""All other requests, and why they are not noted."""


class Audit:
    """The log at `path`; "": none is kept, as before the state is open."""

    def __init__(self, path: str = "", clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._complaints = Seldom(log)

    def note(self, caller: Caller, request: m.Message, refusal: str = "") -> None:
        """Write down an act; `refusal` is what it was refused with. A disk that takes nothing is told in the log, and holds up nothing."""
        if not self._path:
            return
        at = datetime.fromtimestamp(self._clock()).astimezone().isoformat(timespec="milliseconds")
        line = json.dumps({"time": at, "user": caller.user, "uid": caller.uid, "from": caller.host, "act": type(request).__name__,
                           "what": _short(msgspec.to_builtins(request)), "result": _short(refusal) or "ok"}, separators=(",", ":"))
        try:
            self._append(f"{line}\n".encode())
        except OSError as error:
            self._complaints.warning(self._path, f"an act of {caller.user} ({type(request).__name__}) is not in it: {error.strerror}")

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # the one before was cut off, by a full disk or the end of the machine
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
        if size + len(line) >= SIZE:
            self._rotate()

    def _rotate(self) -> None:
        for number in range(FILES - 1, 0, -1):
            older = self._path if number == 1 else f"{self._path}.{number - 1}"
            with contextlib.suppress(FileNotFoundError):
                os.replace(older, f"{self._path}.{number}")


def _short(value: object) -> object:
    """A request's content without what is empty, its texts cut."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    if isinstance(value, dict):
        return {str(key): _short(one) for key, one in value.items() if key != "type" and one not in ("", [], {}, None, False)}
    if isinstance(value, list | tuple):
        return [_short(one) for one in value[:LONGEST]]
    return value


def files(folder: str) -> list[str]:
    """The files of the log in a StateSaveLocation, oldest first, those that are there."""
    path = os.path.join(folder, NAME)
    return [one for one in (*(f"{path}.{number}" for number in range(FILES - 1, 0, -1)), path) if os.path.exists(one)]
