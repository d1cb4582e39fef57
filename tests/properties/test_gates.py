"""The planner's queue, the planner and the check of its proposals ask the same gates."""

from hypothesis import given
from hypothesis import strategies as st

from slurm.core.gates import stack
from slurm.core.standing import FAILED, FULFILLED, OPEN
from slurm.core.state import ClusterState
from slurm.model.ids import Gid, JobId, NodeName, Uid
from slurm.model.job import DependencyClause, Job, Owner
from slurm.model.partition import Partition
from slurm.model.request import JobRequest

clauses = st.lists(st.builds(DependencyClause, kind=st.just("afterok"), job=st.just(JobId(7)), state=st.sampled_from([OPEN, FULFILLED, FAILED])), max_size=3)


@given(st.sampled_from(["", "user", "admin"]), st.sampled_from([0.0, 5.0]), clauses, st.booleans(), st.lists(st.just(NodeName("n1")), max_size=1))
def test_what_is_in_the_queue_is_what_the_gates_of_the_job_itself_let_through(
        held: str, not_before: float, dependency: list[DependencyClause], either: bool, unproven: list[NodeName]) -> None:
    owner = Owner(uid=Uid(1), gid=Gid(1), user="alice", group="users")
    job = Job(id=JobId(9), owner=owner, request=JobRequest(), held=held, not_before=not_before, dependency=dependency, dependency_any=either, unproven=unproven)
    state, partition = ClusterState(), Partition(name="debug")
    own = [gate for gate in stack.GATES if gate.own]
    assert stack.eligible(job) == (not any(gate.closed(state, job, partition, 1.0) for gate in own))
    refusal = stack.refuse(state, job, partition, 1.0)
    assert (refusal is None) == stack.eligible(job)
    if refusal is not None:
        assert refusal.sentence and refusal.cures
