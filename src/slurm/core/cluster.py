"""Cluster: the fold. `apply` is the only writer of cluster state; everything else reads, or makes events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slurm.core import (
    clock,
    configuration,
    crontabs,
    epochs,
    lifecycle,
    machines,
    policing,
    purging,
    recording,
    starting,
    together,
    triggers,
    waiting,
)
from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.nodes import dynamic, power, rebooting, registering
from slurm.core.reserving import holding
from slurm.core.state import ClusterState
from slurm.model.ids import JobId
from slurm.model.job import Allocation

_WORLD: dict[type[e.Event], Callable[[ClusterState, Any], list[Effect]]] = {
    e.Configured: configuration.on_configured,
    e.PartitionUpdated: configuration.on_partition_updated,
    e.PartitionCreated: configuration.on_partition_created,
    e.PartitionDeleted: configuration.on_partition_deleted,
    e.NodesCreated: dynamic.on_created,
    e.NodesDeleted: dynamic.on_deleted,
    e.PowerChanged: power.on_changed,
    e.ResumeFailed: power.on_resume_failed,
    e.RebootAsked: rebooting.on_asked,
    e.RebootIssued: rebooting.on_issued,
    e.RebootCancelled: rebooting.on_cancelled,
    e.Submitted: waiting.on_submitted,
    e.NodeRegistered: registering.on_registered,
    e.NodeSilent: machines.on_silent,
    e.NodeLost: machines.on_lost,
    e.NodeFenced: machines.on_fenced,
    e.NodeUpdated: machines.on_updated,
    e.Purged: purging.on_purged,
    e.CrontabReplaced: crontabs.on_replaced,
    e.TriggerSet: triggers.on_set,
    e.TriggersCleared: triggers.on_cleared,
    e.TriggerPulled: triggers.on_pulled,
    e.TriggerDone: triggers.on_done,
    e.NumberingContinued: waiting.on_numbering_continued,
    e.RecordsMissed: recording.on_missed,
    e.PolicyChanged: policing.on_changed,
    e.Accrued: policing.on_accrued,
    e.UsagePeriodEnded: policing.on_usage_period_ended,
    e.ClockSet: clock.on_clock_set,
    e.EpochStarted: epochs.on_started,
    e.ReservationCreated: holding.on_created,
    e.ReservationUpdated: holding.on_updated,
    e.ReservationBegun: holding.on_begun,
    e.ReservationEnded: holding.on_ended,
}
"""Events that are not about one known job."""
_CHANGES_NODES = frozenset({e.Configured, e.PartitionUpdated, e.NodeRegistered, e.NodeSilent, e.NodeLost, e.NodeFenced, e.NodeUpdated,
    e.PartitionCreated, e.PartitionDeleted, e.NodesCreated, e.NodesDeleted, e.PowerChanged, e.ResumeFailed, e.RebootAsked, e.RebootIssued,
    e.RebootCancelled})

_LEAVES_PLANS = frozenset({e.Submitted, e.Launched, e.Warned, e.StepCreated, e.StepEnding, e.StepExited, e.Purged})
"""Events after which whoever waited waits as before: they only bring new jobs into the queue, or tell of what runs."""
_LEAVES_ORDER = _LEAVES_PLANS | {e.Started, e.BatchExited, e.NodeFreed, e.TimedOut, e.AllocationRelinquished, e.Prepared, e.EpilogEnded}
"""Events by which jobs join and leave the queue while the order of the others stays."""

_CHANGES_RESERVATIONS = frozenset({e.ReservationCreated, e.ReservationUpdated, e.ReservationBegun, e.ReservationEnded})


class Cluster(ClusterState):
    """The state of a cluster as a fold over events."""

    def apply(self, event: e.Event) -> list[Effect]:
        """Carry out one event; returns what is to be done outside once it is on disk.

        IllegalTransition, with nothing changed, when it cannot happen now. Late news is passed over: [] and no change.
        """
        try:
            effects = self._fold(event)
            if self.uneven:
                effects = effects + together.level(self, event.at)
        except BaseException:
            self.recording.forget()
            self.uneven.clear()
            raise
        if self.settings.accounting:
            effects = effects + recording.take(self)
        return effects + recording.take_notices(self) if self.recording.notices else effects

    def _fold(self, event: e.Event) -> list[Effect]:
        kind = type(event)
        if kind not in _LEAVES_PLANS:
            self.changes += 1
            if kind not in _LEAVES_ORDER:
                self.reordered += 1
        fold = _WORLD.get(kind)
        if fold is None:
            return lifecycle.step(self, event)
        if kind in _CHANGES_RESERVATIONS:
            self.generation += 1
        if kind not in _CHANGES_NODES:
            return fold(self, event)
        self.generation += 1
        effects = fold(self, event)
        recording.after_node_event(self, event)
        return effects

    def starting(
        self, job: JobId, task: int | None, allocation: Allocation, at: float, time_limit: int | None = None,
        components: Sequence[e.Start] = (),
    ) -> e.Started | None:
        """The event that carries out a proposal; None when the proposal is out of date (see `starting.refusal` for why)."""
        return starting.starting(self, job, task, allocation, at, time_limit, components)
