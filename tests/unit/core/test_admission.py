"""Admission: what is filled in, what is refused, in Slurm's words with ours below."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.model.errors import InvalidRequest, NotNow, NotPermitted, SlurmError
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b


def refused(**request: object) -> SlurmError:
    c = b.lab_cluster()
    with pytest.raises(SlurmError) as raised:
        b.submit(c, **request)  # type: ignore[arg-type]
    assert not c.jobs
    return raised.value


def test_defaults_are_filled_in() -> None:
    job = b.submit(b.lab_cluster(), name="", command="/home/alice/train.sh")
    assert (job.id, job.request.name, job.partition, job.request.qos, job.time_limit, job.request.mem_per_cpu) == (
        1, "train.sh", "debug", "normal", 600, 500)
    assert (job.state, job.reason, job.submit_time, job.eligible_time) == (JobState.PENDING, Reason.NONE, b.T0, b.T0)


@pytest.mark.parametrize(("partition", "asked", "limit"), [
    ("debug", None, 600), ("batch", None, 7 * 86400), ("debug", 90, 90), ("debug", -1, -1), ("debug", 0, -1), ("gpu,batch", None, 3 * 86400),
])
def test_the_time_limit_comes_from_the_job_or_its_partition(partition: str, asked: int | None, limit: int) -> None:
    assert b.submit(b.lab_cluster(), partition=partition, time_limit=asked).time_limit == limit


def test_several_partitions_are_kept_in_order() -> None:
    assert b.submit(b.lab_cluster(), partition="gpu,debug,gpu").partition == "gpu,debug"


@pytest.mark.parametrize(("request_", "name", "message"), [
    ({"partition": "nosuch"}, "ESLURM_INVALID_PARTITION_NAME", "Invalid partition name specified"),
    ({"qos": "nosuch"}, "ESLURM_INVALID_QOS", "Invalid qos specification"),
    ({"gres": "bogus:1"}, "ESLURM_INVALID_GRES", "Invalid generic resource (gres) specification"),
    ({"gres": "gpu:::"}, "ESLURM_INVALID_GRES", "Invalid generic resource (gres) specification"),
    ({"features": "nosuch"}, "ESLURM_INVALID_FEATURE", "Invalid feature specification"),
    ({"features": "intel&("}, "ESLURM_INVALID_FEATURE", "Invalid feature specification"),
    ({"nodelist": "nosuch"}, "ESLURM_INVALID_NODE_NAME", "Invalid node name specified"),
    ({"exclude": "cn[01-99]"}, "ESLURM_INVALID_NODE_NAME", "Invalid node name specified"),
    ({"nodelist": "cn[01"}, "ESLURM_INVALID_NODE_NAME", "Invalid node name specified"),
    ({"nodelist": "cn01", "exclude": "cn01"}, "ESLURM_INVALID_NODE_NAME", "Invalid node name specified"),
    ({"nodelist": "cn04", "partition": "batch"}, "ESLURM_REQUESTED_NODES_NOT_IN_PARTITION", "Requested node configuration is not available"),
    ({"dependency": "afterok:999999"}, "ESLURM_DEPENDENCY", "Job dependency problem"),
    ({"dependency": "bogus"}, "ESLURM_DEPENDENCY", "Job dependency problem"),
    ({"array": "5-1"}, "ESLURM_INVALID_ARRAY", "Invalid job array specification"),
    ({"array": "0-99999"}, "ESLURM_INVALID_ARRAY", "Invalid job array specification"),
    ({"array": "bogus"}, "ESLURM_INVALID_ARRAY", "Invalid job array specification"),
    ({"licenses": "nosuch:1"}, "ESLURM_INVALID_LICENSES", "Invalid license specification"),
    ({"reservation": "nosuch"}, "ESLURM_RESERVATION_INVALID", "Requested reservation is invalid"),
    ({"nodes_min": 4, "nodes_max": 2}, "ESLURM_INVALID_NODE_COUNT", "Node count specification invalid"),
    ({"ntasks_per_node": 513}, "ESLURM_BAD_TASK_COUNT", "Task count specification invalid"),
    ({"time_limit": 60, "time_min": 120}, "ESLURM_INVALID_TIME_MIN_LIMIT",
         "Invalid time-min specification (exceeds job's time or other limits)"),
    ({"deadline": b.T0 + 60, "time_limit": 120}, "ESLURM_INVALID_TIME_LIMIT",
         "Requested time limit is invalid (missing or exceeds some limit)"),
    ({"priority": 100}, "ESLURM_ACCESS_DENIED", "Access/permission denied"),
    ({"signal": "BOGUS"}, "ESLURM_INVALID_OPTION", "Invalid --signal specification"),
])
def test_what_slurm_refuses_is_refused_in_its_words(request_: dict[str, object], name: str, message: str) -> None:
    error = refused(**request_)
    assert (error.name, error.message) == (name, message)
    assert error.hints, "our own line says what would be valid"


def test_an_unknown_partition_has_slurms_line_before_it() -> None:
    error = refused(partition="debgu")
    assert error.preface == ("invalid partition specified: debgu",)
    assert error.hints == ('did you mean "debug"?', "partitions of this cluster: debug, batch, gpu")


def test_what_can_never_start_is_accepted() -> None:
    c = b.lab_cluster()
    assert b.submit(c, nodes_min=100, nodes_max=100).state is JobState.PENDING
    assert b.submit(c, time_limit=99 * 86400).time_limit == 99 * 86400


@pytest.mark.parametrize(("request_", "name"), [
    ({"time_limit": 99 * 86400}, "ESLURM_INVALID_TIME_LIMIT"), ({"nodes_min": 5}, "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE"),
    ({"nodes_min": 650_000}, "ESLURM_TOO_MANY_REQUESTED_CPUS"), ({"ntasks": 65}, "ESLURM_TOO_MANY_REQUESTED_CPUS"),
    ({"ntasks": 33, "cpus_per_task": 2}, "ESLURM_TOO_MANY_REQUESTED_CPUS"),
])
def test_limits_are_enforced_where_the_configuration_says_so(request_: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        b.submit(b.lab_cluster(enforce_part_limits="ALL"), **request_)  # type: ignore[arg-type]
    assert raised.value.name == name


def test_one_partition_within_limits_is_enough_for_any() -> None:
    assert b.submit(b.lab_cluster(enforce_part_limits="ANY"), partition="debug,batch", time_limit=7200).id == 1


def test_memory_defaults_of_the_partition_go_before_the_clusters() -> None:
    c = b.lab_cluster()
    c.partitions["gpu"].def_mem_per_node = 8000
    assert b.submit(c, partition="gpu").request.mem_per_node == 8000
    assert b.submit(c, mem_per_node=100).request.mem_per_cpu is None


def test_more_memory_a_cpu_than_allowed_is_given_as_cpus() -> None:
    request = b.submit(b.lab_cluster(max_mem_per_cpu=1000), mem_per_cpu=2500).request
    assert (request.cpus_per_task, request.mem_per_cpu) == (3, 834)


def test_a_begin_time_is_waited_for() -> None:
    job = b.submit(b.lab_cluster(), begin=b.T0 + 7200)
    assert (job.reason, job.eligible_time) == (Reason.BEGIN_TIME, b.T0 + 7200)
    assert b.submit(b.lab_cluster(), begin=b.T0 - 5).reason == Reason.NONE


@pytest.mark.parametrize("request_", [{"hold": True}, {"priority": 0}])
def test_a_held_submission_waits(request_: dict[str, object]) -> None:
    job = b.submit(b.lab_cluster(), **request_)  # type: ignore[arg-type]
    assert (job.held, job.reason) == ("user", Reason.JOB_HELD_USER)


def test_more_nodes_than_tasks_are_cut_with_a_warning() -> None:
    c = b.lab_cluster()
    admitted = b.admission.admit(c, b.JobRequest(ntasks=2, nodes_min=3, nodes_max=3), b.PayloadRef(), b.ALICE, b.T0)
    assert admitted.warnings == ["Warning: can't run 2 processes on 3 nodes, setting nnodes to 2"]
    assert admitted.event.job.request.nodes_min == 2


def test_a_negative_nice_is_for_operators() -> None:
    c = b.lab_cluster()
    assert b.submit(c, nice=-5).request.nice == 0
    assert b.submit(c, nice=-5, by=b.ROOT).request.nice == -5


@pytest.mark.parametrize("state", ["INACTIVE", "DRAIN"])
def test_closed_partitions_take_no_jobs(state: str) -> None:
    c = b.lab_cluster()
    c.partitions["debug"].state = state
    with pytest.raises(NotNow, match="Required partition not available"):
        b.submit(c)


def test_partitions_that_are_down_take_jobs() -> None:
    c = b.lab_cluster()
    c.partitions["debug"].state = "DOWN"
    assert b.submit(c).state is JobState.PENDING


@pytest.mark.parametrize("fields", [{"allow_groups": "staff"}, {"root_only": True}, {"allow_qos": "high"}])
def test_partitions_have_their_users(fields: dict[str, object]) -> None:
    c = b.lab_cluster()
    for field, value in fields.items():
        setattr(c.partitions["debug"], field, value)
    with pytest.raises(NotPermitted, match="Access/permission denied"):
        b.submit(c)


def test_the_queue_has_a_limit() -> None:
    c = b.cluster(max_job_count=1)
    b.submit(c)
    with pytest.raises(NotNow) as raised:
        b.submit(c)
    assert raised.value.name == "ESLURM_MAX_JOB_COUNT"


def test_partitions_that_give_whole_nodes_make_jobs_exclusive() -> None:
    c = b.lab_cluster()
    c.partitions["batch"].oversubscribe = "EXCLUSIVE"
    assert b.submit(c, partition="batch").request.exclusive == "node"


def test_admission_changes_neither_the_cluster_nor_the_request() -> None:
    c = b.lab_cluster()
    request = b.JobRequest(gres="gpu")
    admitted = b.admission.admit(c, request, b.PayloadRef(), b.ALICE, b.T0)
    assert not c.jobs
    assert c.next_job_id == 1
    assert request == b.JobRequest(gres="gpu")
    assert admitted.event.job.request.gres == "gpu:1"


def test_a_configuration_without_default_partition_asks_for_one() -> None:
    c = b.lab_cluster()
    c.partitions["debug"].default = False
    with pytest.raises(InvalidRequest, match="No partition specified or system default partition"):
        b.submit(c)


def test_ids_begin_again_after_the_highest_and_are_never_given_twice() -> None:
    c = b.cluster(max_job_id=3)
    assert [b.submit(c).id for _ in range(3)] == [1, 2, 3]
    with pytest.raises(NotNow, match="unable to accept job"):
        b.submit(c)
    c.apply(e.Cancelled(at=b.T0, job=b.JobId(2), by=b.ROOT.uid))
    c.apply(e.Purged(at=b.T0, jobs=[b.JobId(2)]))
    assert b.submit(c).id == 2


def test_more_named_nodes_than_asked_for_are_refused_and_more_than_tasks_left_out() -> None:
    c = b.cluster()
    with pytest.raises(SlurmError) as refused:
        b.submit(c, nodelist="cn[01-02]", nodes_min=1, nodes_max=1)
    assert refused.value.message == "Node count specification invalid"
    assert b.submit(c, nodelist="cn[01-02]", ntasks=1).request.nodelist == "cn01"


def test_tasks_per_gpu_without_a_number_of_either_say_nothing() -> None:
    with pytest.raises(SlurmError) as refused:
        b.submit(b.cluster(gpus=2), ntasks_per_gpu=2)
    assert refused.value.message == "Invalid generic resource (gres) specification"


def test_accounts_have_small_letters() -> None:
    c = b.cluster()
    c.partitions["debug"].allow_accounts = "My_Acct"
    assert b.submit(c, account="MY_ACCT").request.account == "my_acct"


@pytest.mark.parametrize("gres", ["gpu:1,mps:10", "gpu:1,shard:1", "mps:1,shard:1"])
def test_a_job_has_whole_gpus_or_parts_of_them(gres: str) -> None:
    c = b.cluster(gpus=1)
    c.settings.gres_types.extend(["mps", "shard"])
    with pytest.raises(InvalidRequest) as refused:
        b.submit(c, gres=gres)
    assert refused.value.name == "ESLURM_INVALID_GRES"
