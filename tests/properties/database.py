"""What an accounting database would know after the records of a cluster: the last one of each key, and whether that is the truth."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from slurm.core import records
from slurm.core.effects import Effect, Record
from slurm.core.state import ClusterState
from slurm.model import accounting as a


class Database:
    """Takes the records of one journal."""

    def __init__(self) -> None:
        self.sequence = 0
        self.jobs: dict[tuple[int, int], a.JobRecord] = {}
        self.steps: dict[tuple[int, int, int], a.StepRecord] = {}
        self.nodes: dict[tuple[str, float], a.NodeEventRecord] = {}
        self.cluster: a.ClusterRecord | None = None

    def take(self, effects: Iterable[Effect]) -> None:
        """The numbers have no gap; a later record of a key replaces an earlier one."""
        for effect in effects:
            if not isinstance(effect, Record):
                continue
            assert effect.sequence == self.sequence + 1, f"record {effect.sequence} follows {self.sequence}"
            self.sequence = effect.sequence
            record = effect.record
            if isinstance(record, a.JobRecord):
                self.jobs[record.id, record.restarts] = record
            elif isinstance(record, a.StepRecord):
                self.steps[record.job, record.restarts, record.step] = record
            elif isinstance(record, a.NodeEventRecord):
                self.nodes[record.node, record.start_time] = record
            elif isinstance(record, a.ClusterRecord):
                self.cluster = record

    def check(self, state: ClusterState) -> None:
        """What is recorded last is what the state says, whatever has left memory has ended, and nothing else goes on."""
        assert self.sequence == state.recording.sequence
        alive = {(job.id, job.restarts): job for job in state.jobs.values()}
        for key, job in alive.items():
            recorded, true = self.jobs[key], records.job_record(state, job)
            if job.id in state.recording.behind:  # it is told with the next slice which of its tasks still wait
                recorded = msgspec.structs.replace(recorded, array_tasks=true.array_tasks)
            assert recorded == true, f"job {job.id}, restarted {job.restarts} times"
        for key, record in self.jobs.items():
            assert key in alive or (record.state.finished and record.end_time), f"a life is over and its record is {record}"
        running = {
            (job.id, job.restarts, step.id): (job, step) for job in state.jobs.values()
            for step in (job.lost.steps if job.lost is not None else job.steps).values()}
        for step_key, (job, step) in running.items():
            assert self.steps[step_key] == records.step_record(state, job, step)
        for step_key, ended in self.steps.items():
            assert step_key in running or ended.end_time, f"step {step_key} is over and its record is {ended}"
        out = {node.name: found for node in state.nodes.values() if (found := records.node_event(state, node, 0.0)) is not None}
        open_ = [event for event in self.nodes.values() if not event.end_time]
        assert sorted(event.node for event in open_) == sorted(out)
        for event in open_:
            assert event.reason == out[event.node].reason
        now = records.cluster_record(state, 0.0)
        assert self.cluster is not None
        assert (self.cluster.tres, self.cluster.nodes) == (now.tres, now.nodes)
