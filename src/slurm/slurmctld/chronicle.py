"""The chronicle: what the log says of events once they are on disk, one plain sentence each.

What operators do stands there at the usual level; the lives of jobs from `verbose` on (SlurmctldDebug=verbose, or -v), since hundreds of
jobs a second would drown everything else. Nodes that come and go are told by `nodes`, which knows of their connections.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.daemon.logs import VERBOSE
from slurm.model.ids import JobId
from slurm.notation import exitstatus, hostlist

log = logging.getLogger("slurmctld.events")


def _shown(cluster: Cluster, job_id: JobId) -> str:
    job = cluster.jobs.get(job_id)
    return f"Job {job.shown_id if job is not None else job_id}"


def _submitted(cluster: Cluster, event: e.Submitted) -> str:
    job = event.job
    tasks = f" with {job.array_part.count} tasks" if job.array_part is not None else ""
    tasks += f" with {len(event.components) + 1} components" if event.components else ""
    return f"Job {job.id} ({job.request.name}) of {job.owner.user}{tasks} waits in partition {job.partition}"


def _started(cluster: Cluster, event: e.Started) -> str:
    parts = [(event.started or event.job, event.allocation), *((one.job, one.allocation) for one in event.components)]
    return "; ".join(
        f"{_shown(cluster, job)} starts on {hostlist.compress(given.nodes)} with {given.cpu_count} CPUs in partition {given.partition}"
        for job, given in parts)


def _exited(cluster: Cluster, event: e.BatchExited) -> str:
    ended = exitstatus.from_wait(event.status).show()
    return f"{_shown(cluster, event.job)}: its script ended with {ended}{' for lack of memory' if event.oom else ''}"


def _cancelled(cluster: Cluster, event: e.Cancelled) -> str:
    tasks = f", {sum(len(range(first, last + 1, step)) for first, last, step in event.tasks)} of its tasks" if event.tasks else ""
    return f"{_shown(cluster, event.job)}{tasks} cancelled by uid {event.by}"


def _requeued(cluster: Cluster, event: e.Requeued) -> str:
    return f"{_shown(cluster, event.job)} requeued by uid {event.by}{', held' if event.hold else ''}{f': {event.why}' if event.why else ''}"


def _node_updated(cluster: Cluster, event: e.NodeUpdated) -> str:
    word = f" set to {event.state}" if event.state else " changed"
    return f"Node {event.node}{word} by {event.by_name or event.by}{f': {event.reason}' if event.reason else ''}"


SENTENCES: dict[type[e.Event], tuple[int, Callable[[Cluster, Any], str]]] = {
    e.Submitted: (VERBOSE, _submitted),
    e.Started: (VERBOSE, _started),
    e.BatchExited: (VERBOSE, _exited),
    e.AllocationRelinquished: (VERBOSE, lambda c, event: f"{_shown(c, event.job)}: its allocation was given back"),
    e.TimedOut: (VERBOSE, lambda c, event: f"{_shown(c, event.job)} reached "
                                           f"{'the limit of its group: ' + event.why if event.why else 'its time limit'}"),
    e.DeadlinePassed: (VERBOSE, lambda c, event: f"{_shown(c, event.job)} can not end before its deadline any more"),
    e.Cancelled: (VERBOSE, _cancelled),
    e.Held: (VERBOSE, lambda c, event: f"{_shown(c, event.job)} held by {'an operator' if event.admin else 'its owner'}"),
    e.Released: (VERBOSE, lambda c, event: f"{_shown(c, event.job)} released"),
    e.Requeued: (VERBOSE, _requeued),
    e.JobUpdated: (VERBOSE, lambda c, event: f"{_shown(c, event.job)}: {', '.join(sorted(event.changes))} changed"),
    e.StepCreated: (VERBOSE, lambda c, event: f"{_shown(c, event.job)}: step {event.step.id} on {hostlist.compress(event.step.nodes)}"),
    e.NodeReturned: (logging.INFO, lambda c, event: f"{_shown(c, event.job)}: node {event.node} is back with its attempt {event.attempt}"),
    e.NodeFenced: (logging.INFO, lambda c, event: f"Node {event.node} runs nothing any more of {len(event.attempts)} attempts: "
                                                  f"{event.why}"),
    e.NodeUpdated: (logging.INFO, _node_updated),
    e.PartitionUpdated: (logging.INFO, lambda c, event: f"Partition {event.partition}: {', '.join(sorted(event.changes))} changed"),
    e.Accrued: (VERBOSE, lambda c, event: f"the age of {len(event.jobs)} jobs counts from now on"),
    e.UsagePeriodEnded: (logging.INFO, lambda c, event: "usage was set back to 0 (PriorityUsageResetPeriod)"),
    e.ClockSet: (logging.WARNING, lambda c, event: f"the clock of this machine was set {'forward' if event.by > 0 else 'back'} by "
                                                   f"{abs(event.by):.0f} s: since when jobs run and wait, and what they used, is "
                                                   "told by the new one; no job gains or loses time"),
    e.EpochStarted: (logging.INFO, lambda c, event: f"epoch {event.epoch}: {event.holder or 'this slurmctld'} leads"),
    e.PolicyChanged: (logging.INFO, lambda c, event: f"policy: {len(event.records)} records {'to come' if event.staged else 'changed'}"),
    e.ReservationCreated: (logging.INFO, lambda c, event: f"reservation {event.reservation.name} of "
                                                          f"{hostlist.compress(event.reservation.nodes)}"),
    e.ReservationUpdated: (logging.INFO, lambda c, event: f"reservation {event.reservation.name} changed: "
                                                          f"{hostlist.compress(event.reservation.nodes)}"),
    e.ReservationBegun: (logging.INFO, lambda c, event: f"reservation {event.name} begins"),
    e.ReservationEnded: (logging.INFO, lambda c, event: f"reservation {event.name} {'was deleted' if event.by is not None else 'is over'}"),
    e.Purged: (logging.DEBUG, lambda c, event: f"{len(event.jobs)} ended jobs left memory"),
}
"""Event → the level of its line, and the sentence. Events that are not here have no line."""


def sentence(cluster: Cluster, event: e.Event) -> str:
    """What the log says of an event, "" when it says nothing."""
    found = SENTENCES.get(type(event))
    return found[1](cluster, event) if found is not None else ""


def tell(cluster: Cluster, events: Sequence[e.Event]) -> None:
    """Log the events whose level is wanted."""
    least = log.getEffectiveLevel()
    for event in events:
        found = SENTENCES.get(type(event))
        if found is not None and found[0] >= least:
            log.log(found[0], "%s", found[1](cluster, event))
