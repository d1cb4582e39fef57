"""Whoever changes a record says so: here for what random lives seldom come to (tests/properties/test_core_fold.py has the rest)."""

from __future__ import annotations

from slurm.core import admission, keys, recovery
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.journal import rows
from slurm.journal.row import Name, Row
from slurm.model.ids import BATCH_STEP, NodeName
from slurm.model.request import JobRequest, PayloadRef
from slurm.testing import builders as b

CN01, CN02 = NodeName("cn01"), NodeName("cn02")
LATER = b.T0 + 400


class Watched(Cluster):
    """A cluster that looks after each event whether the rows that were given out so far make the whole state."""

    saved: dict[Name, Row]

    def apply(self, event: e.Event) -> list[Effect]:
        effects = super().apply(event)
        self.saved |= {row.name: row for row in (*rows.unsaved(self), rows.own(self))}
        assert {name: row for name, row in self.saved.items() if row.body is not None} == rows.whole(self), event
        return effects


def watched(nodes: int = 4, **settings: object) -> Watched:
    c = Watched()
    c.saved = {}
    made = [b.node(f"cn{i:02d}", position=i) for i in range(1, nodes + 1)]
    c.apply(e.Configured(at=b.T0, settings=b.Settings(def_mem_per_cpu=500, **settings), nodes=made, partitions=[  # type: ignore[arg-type]
        b.partition("debug", made, default=True), b.partition("other", made)]))
    for node in made:
        c.apply(b.registered(node))
    return c


def lose(c: Cluster, *names: NodeName) -> None:
    for name in names:
        c.apply(e.NodeLost(at=LATER, node=name, may_run=True, together=list(names)))


def test_a_job_that_ran_on_lost_nodes_and_is_requeued_by_hand_waits_for_a_proof_that_comes_or_is_waived() -> None:
    for waived in (False, True):
        c = watched()
        job = b.started(c, "cn01", requeue=False)
        lose(c, CN01)
        assert c.nodes[CN01].remains
        c.apply(e.Requeued(at=LATER + 1, job=job.id, by=b.ROOT.uid))
        assert job.unproven == [CN01]
        if waived:
            c.apply(e.ProofWaived(at=LATER + 2, job=job.id, attempt=1))
        else:
            c.apply(e.NodeFreed(at=LATER + 2, job=job.id, attempt=1, node=CN01))
        assert not job.unproven


def test_a_lost_attempt_that_is_over_on_one_node_is_ended_on_the_others() -> None:
    c = watched()
    job = b.started(c, "cn01", "cn02")
    lose(c, CN01, CN02)
    c.apply(b.registered(c.nodes[CN01], LATER + 10))
    for event in recovery.reconcile(c, CN01, [recovery.Held(job.id, job.attempt, BATCH_STEP)], LATER + 10).events:
        c.apply(event)
    c.apply(e.NodeFreed(at=LATER + 20, job=job.id, attempt=1, node=CN02))
    assert c.nodes[CN01].completing == {job.id}


def test_a_node_that_is_removed_while_it_runs_a_job_and_partitions_that_are_changed() -> None:
    c = watched()
    b.started(c, "cn01", requeue=False)
    c.apply(e.PartitionUpdated(at=LATER, partition="other", changes=b_changes(default=True)))
    assert [name for name, partition in c.partitions.items() if partition.default] == ["other"]
    c.apply(e.PartitionUpdated(at=LATER, partition="debug", changes=b_changes(max_time=60)))
    left = [c.nodes[NodeName(f"cn{i:02d}")] for i in (2, 3, 4)]
    c.apply(e.Configured(at=LATER, may_run=True, settings=c.settings, nodes=left, partitions=[b.partition("debug", left, default=True)]))
    assert c.nodes[CN01].state.name == "FUTURE"


def test_the_key_of_a_job_that_left_memory_is_kept_and_forgotten() -> None:
    c = watched()
    for key, at in (("first", LATER), ("second", LATER + keys.KEPT_SECONDS + 1)):
        event = admission.admit(c, JobRequest(name="job", work_dir="/"), PayloadRef(), b.ALICE, at).event
        event.job.key = key
        c.apply(event)
        c.apply(e.Cancelled(at=at, job=event.job.id, by=b.ALICE.uid))
        c.apply(e.Purged(at=at, jobs=[event.job.id]))
    assert [key for _, key in c.keys.past] == ["second"]


def test_a_task_that_has_a_record_of_its_own_already_is_held_by_the_number_of_its_array() -> None:
    c = watched()
    array = b.submit(c, array="0-3")
    c.apply(e.Held(at=LATER, job=array.id, task=2))
    c.apply(e.Released(at=LATER, job=array.id, task=2))
    c.apply(e.Held(at=LATER, job=array.id, task=2, admin=True))
    assert [job.held for job in c.tasks_of(array.id) if job.array_task == 2] == ["admin"]


def b_changes(**fields: object) -> dict[str, object]:
    from slurm.core import configuration

    return configuration.encode(fields)  # type: ignore[return-value]
