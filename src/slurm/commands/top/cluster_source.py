"""ClusterSource: what `slurm top` shows, asked of a cluster through its backend; one squeue a look, and the nodes when that is not too
often."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from slurm.commands.top.source import Part, Snapshot
from slurm.notation import jobref
from slurm.render.explanation import lines
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError
from slurm.sdk.following import ending, explaining, inspection
from slurm.sdk.following.explaining import Explaining
from slurm.sdk.following.inspection import JobRecord, NodeRow, QueueRow
from slurm.sdk.following.using import Looks, Use, Using

log = logging.getLogger("slurm.top")

TAIL = 1 << 16
"""Bytes of a log that are shown of what it held before."""
USE_SECONDS = 3.0
"""What jobs use is asked of their nodes, so not with every look."""
DOUBT_SECONDS = 60.0
NODE_PAUSE = 5.0
"""So many times as long as the last question about all nodes took, none is asked: a big cluster's are asked about seldom."""


class ClusterSource:
    """A Source on a backend; `name` is what the cluster is called."""

    def __init__(self, backend: Backend, name: str, interval: float) -> None:
        self.name, self.interval = name, interval
        self.user = ""
        self._backend = backend
        self._nodes: Sequence[NodeRow] = ()
        self._nodes_due = 0.0
        self._looks = Looks()
        self._uses: Mapping[str, Use] = {}
        self._uses_due = 0.0

    def snapshot(self) -> Snapshot:
        """Queue and nodes."""
        self.user = self.user or self._backend.around().user
        jobs = inspection.queue(self._backend.ask)
        began = time.monotonic()
        if began >= self._nodes_due:
            self._nodes = inspection.nodes(self._backend.ask)
            self._nodes_due = time.monotonic() + NODE_PAUSE * (time.monotonic() - began)
        return Snapshot(time.time(), jobs, self._nodes, self._used(jobs))

    def _used(self, jobs: Sequence[QueueRow]) -> Mapping[str, Use]:
        """What the user's running jobs use, asked about seldom; a cluster that does not tell is not asked again for a while."""
        began = time.monotonic()
        if isinstance(self._backend, Using) and began >= self._uses_due:
            pause = USE_SECONDS
            try:
                self._uses = self._looks.look(self._backend, [job for job in jobs if job.user == self.user])
            except BackendError as error:
                self._uses, pause = {}, DOUBT_SECONDS
                log.info("what jobs use is not known: %s", error)
            self._uses_due = time.monotonic() + max(pause, NODE_PAUSE * (time.monotonic() - began))
        return self._uses

    def job(self, job: str) -> JobRecord:
        """The record of this id; of an array's waiting elements the one that they share."""
        found = inspection.job(self._backend.ask, job)
        # The elements that wait become fewer while they are looked at.
        return next((record for record in found if record.id == job), None) or next(
            (record for record in found if ("[" in record.id) == ("[" in job)), found[0])

    def why(self, job: JobRecord) -> Sequence[str]:
        """The cluster's explanation of a job that waits where it has one, else what Slurm's word for it means."""
        if job.state == "PENDING" and isinstance(self._backend, Explaining):
            found = explaining.explanation(self._backend, job.id)
            return [found.sentence, *lines(found)[1:]]
        return [job.why] if job.why else []

    def log(self, path: str, start: int) -> Part:
        """What was added to the file; over ssh only that travels."""
        told = self._backend.grown({path: start if start >= 0 else -TAIL}).get(path)
        if told is None:
            return Part("", max(start, 0))
        end, data = told
        return Part(data.decode(errors="replace"), end, max(0, end - len(data)) if start < 0 else 0)

    def cancel(self, job: str) -> str:
        """scancel, and how the job stands then."""
        return ending.cancel(self._backend, [job])[0].message

    def hold(self, job: str) -> str:
        """scontrol hold, which real Slurm also grants for a job that runs."""
        states = self._after("hold", job)
        return f"job {job} is held: it does not start before it is released (u)" if states == {
            "PENDING"} else f"job {job} goes on ({_words(states)}): to hold keeps jobs from starting"

    def release(self, job: str) -> str:
        """scontrol release."""
        states = self._after("release", job)
        return f"job {job} is released: it may start" if states == {"PENDING"} else f"job {job} is released, and {_words(states)}"

    def requeue(self, job: str) -> str:
        """scontrol requeue."""
        return f"job {job} was put back in the queue, and is {_words(self._after('requeue', job))}"

    def _after(self, verb: str, job: str) -> set[str]:
        """Do it; the states that the job, or an array's elements, are in then."""
        self._backend.ask(["scontrol", verb, ending.plain(job)])
        ref = jobref.parse(ending.plain(job))
        return {row.state for row in inspection.queue(self._backend.ask, ids=[str(ref.job)], states=["all"]) if ending.covers(ref, row)}


def _words(states: set[str]) -> str:
    return ", ".join(sorted(states)) or "no longer in the queue"
