"""scontrol update jobid=: what may be changed, by whom, when."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import hold, timers, update
from slurm.core.cluster import Cluster
from slurm.model.errors import SlurmError
from slurm.model.states import Reason
from slurm.testing import builders as b


def change(c: Cluster, ids: str = "1", by: e.Caller = b.ALICE, **changes: str) -> None:
    for event in update.update_job(c, ids, changes, by, b.T0 + 5):
        c.apply(event)


def refused(c: Cluster, by: e.Caller = b.ALICE, ids: str = "1", **changes: str) -> SlurmError:
    with pytest.raises(SlurmError) as raised:
        change(c, ids, by, **changes)
    return raised.value


def test_limit_and_name_change_as_in_the_transcript() -> None:
    c = b.lab_cluster()
    job = b.submit(c)
    change(c, timelimit="2:00", name="renamed")
    assert (job.time_limit, job.request.name) == (120, "renamed")


def test_the_nodes_and_what_is_preferred_of_them_change_under_each_of_their_names() -> None:
    c = b.lab_cluster()
    job = b.submit(c)
    change(c, NodeList="cn02", Prefer="ib", Reboot="yes", ReqSockets="1", ReqCores="2", ReqThreads="1")
    found = job.request
    assert (found.nodelist, found.prefer, found.reboot) == ("cn02", "ib", True)
    assert (found.sockets_per_node, found.cores_per_socket, found.threads_per_core) == (1, 2, 1)


def test_the_end_of_a_running_job_is_its_limit() -> None:
    c = b.lab_cluster()
    job = b.started(c)
    change(c, EndTime="now+20minutes", by=b.ROOT)
    assert job.time_limit == b.T0 + 5 + 1200 - job.start_time
    waiting = b.submit(c)
    assert refused(c, ids=str(waiting.id), EndTime="now+20minutes").message == "Job is not running"


@pytest.mark.parametrize(("text", "limit"), [("+10", 1200), ("-5", 300), ("UNLIMITED", -1), ("1-00:00:00", 86400)])
def test_limits_are_set_or_moved(text: str, limit: int) -> None:
    c = b.lab_cluster()
    job = b.submit(c, time_limit=600)
    change(c, TimeLimit=text)
    assert job.time_limit == limit


def test_the_owner_may_shorten_but_not_lengthen_a_running_job() -> None:
    c = b.lab_cluster()
    job = b.started(c, time_limit=600)
    change(c, TimeLimit="5")
    assert job.time_limit == 300
    assert refused(c, TimeLimit="20").message == "Access/permission denied"
    change(c, by=b.ROOT, TimeLimit="20")
    assert job.time_limit == 1200


def test_a_shortened_limit_is_due_at_its_new_time() -> None:
    c = b.lab_cluster()
    job = b.started(c, time_limit=600)
    change(c, TimeLimit="1")
    assert timers.due(c, b.T0 + 59) == []
    assert timers.due(c, b.T0 + 60) == [e.TimedOut(at=b.T0 + 60, job=job.id, attempt=1)]


@pytest.mark.parametrize(("changes", "field", "value"), [
    ({"Partition": "batch"}, "partition", "batch"), ({"Comment": "hello"}, "comment", "hello"), ({"Features": "intel&ib"}, "features", "intel&ib"),
    ({"NumNodes": "2-4"}, "nodes_max", 4), ({"NumNodes": "3"}, "nodes_min", 3), ({"NumCPUs": "8"}, "ntasks", 8),
    ({"Gres": "gpu"}, "gres", "gpu:1"), ({"ReqNodeList": "cn02,cn01"}, "nodelist", "cn[02,01]"), ({"MinMemoryNode": "2G"}, "mem_per_node", 2048),
    ({"Requeue": "0"}, "requeue", False), ({"Nice": "50"}, "nice", 50), ({"OverSubscribe": "yes"}, "oversubscribe", True),
])
def test_fields_are_set_in_the_form_that_a_submission_gives_them(changes: dict[str, str], field: str, value: object) -> None:
    c = b.lab_cluster()
    job = b.submit(c)
    change(c, **changes)
    assert getattr(job.request, field) == value


def test_memory_replaces_the_other_kind_of_memory() -> None:
    c = b.lab_cluster()
    job = b.submit(c)
    change(c, MinMemoryNode="2G")
    assert job.request.mem_per_cpu is None


def test_a_waiting_job_moves_to_the_new_partition() -> None:
    c = b.lab_cluster()
    job = b.submit(c)
    change(c, Partition="batch,gpu")
    assert job.partition == "batch,gpu"


@pytest.mark.parametrize(("changes", "message"), [
    ({"Partition": "nosuch"}, "Invalid partition name specified"), ({"Features": "nosuch"}, "Invalid feature specification"),
    ({"Gres": "bogus:1"}, "Invalid generic resource (gres) specification"), ({"ReqNodeList": "cn77"}, "Invalid node name specified"),
    ({"Dependency": "afterok:77"}, "Job dependency problem"), ({"QOS": "nosuch"}, "Invalid qos specification"),
    ({"TimeLimit": "bogus"}, "Invalid TimeLimit value"), ({"NumTasks": "0"}, "Invalid NumTasks value: 0"),
    ({"Priority": "7"}, "Access/permission denied"), ({"Nice": "-5"}, "Access/permission denied"), ({"AdminComment": "x"}, "Access/permission denied"),
    ({"Bogus": "1"}, "Update of this parameter is not supported: Bogus=1"), ({"ArrayTaskThrottle": "2"}, "Invalid job array specification"),
])
def test_what_a_submission_would_refuse_an_update_refuses(changes: dict[str, str], message: str) -> None:
    c = b.lab_cluster()
    b.submit(c)
    assert refused(c, **changes).message == message


def test_an_unknown_key_names_the_nearest() -> None:
    c = b.lab_cluster()
    b.submit(c)
    assert 'did you mean "timelimit"?' in refused(c, TimeLimt="5").hints


def test_other_peoples_jobs_and_unknown_jobs_are_refused_as_in_the_transcript() -> None:
    c = b.lab_cluster()
    b.submit(c)
    assert refused(c, b.BOB, timelimit="1").message == "Invalid user id"
    assert refused(c, ids="999999", timelimit="3").message == "Invalid job id specified"


def test_what_only_waiting_jobs_may_change() -> None:
    c = b.lab_cluster()
    b.started(c)
    assert refused(c, NumCPUs="2").message == "Job is no longer pending execution"


def test_ended_jobs_are_not_changed() -> None:
    c = b.lab_cluster()
    b.finish(c, b.started(c))
    assert refused(c, Comment="x").message == "Job/step already completed"


def test_priority_0_holds_and_no_other_releases() -> None:
    c = b.lab_cluster()
    job = b.submit(c)
    change(c, Priority="0")
    assert job.reason == Reason.JOB_HELD_USER
    assert refused(c, by=b.ROOT, Priority="500").message == "Job is in held state, pending scheduler release"
    for event in hold.release(c, ["1"], b.ALICE, b.T0 + 6):
        c.apply(event)
    change(c, by=b.ROOT, Priority="500")
    assert (job.reason, job.request.priority) == (Reason.NONE, 500)
    change(c, by=b.ROOT, Priority="0")
    assert job.reason == Reason.JOB_HELD_ADMIN


def test_a_running_jobs_order_is_that_of_its_next_run() -> None:
    c = b.lab_cluster()
    job = b.started(c)
    job.priority = 100
    change(c, Nice="5")
    assert (job.priority, job.request.nice) == (95, 5)
    change(c, TimeLimit="1")
    assert job.priority == 95
    change(c, by=b.ROOT, Priority="7")
    change(c, Nice="9")
    assert (job.priority, job.request.priority, job.held) == (7, 7, "")
    change(c, by=b.ROOT, Priority="0")
    assert (job.held, job.reason, job.request.priority) == ("admin", Reason.JOB_HELD_ADMIN, 7)
    assert refused(c, by=b.ROOT, Priority="8").name == "ESLURM_JOB_HELD"


def test_the_start_time_is_moved_or_comes_at_once() -> None:
    c = b.lab_cluster()
    job = b.submit(c)
    change(c, StartTime="now+60")
    assert (job.reason, job.eligible_time) == (Reason.BEGIN_TIME, b.T0 + 65)
    change(c, StartTime="now")
    assert job.reason == Reason.NONE


def test_starttime_now_ends_a_requeue_delay() -> None:
    c = b.lab_cluster()
    job = b.started(c)
    c.apply(e.Requeued(at=b.T0, job=job.id, by=b.ROOT.uid))
    b.free(c, job)
    change(c, StartTime="now")
    assert job.reason == Reason.NONE


def test_dependencies_are_replaced_and_removed() -> None:
    c = b.lab_cluster()
    first, second = b.started(c), b.submit(c)
    job = b.submit(c, dependency=f"afterok:{first.id}")
    change(c, "3", Dependency=f"afterany:{second.id}")
    b.finish(c, first)
    assert job.reason == Reason.DEPENDENCY
    change(c, "3", Dependency="")
    assert job.reason == Reason.NONE
    assert not c.dependents


def test_a_circle_of_dependencies_is_refused() -> None:
    c = b.lab_cluster()
    b.submit(c)
    b.submit(c, dependency="afterok:1")
    b.submit(c, dependency="afterok:2")
    assert refused(c, Dependency="afterok:3").message == "Job dependency problem"


def test_the_throttle_of_an_array_is_changed() -> None:
    c = b.lab_cluster()
    array = b.submit(c, array="1-9%2")
    b.start(c, array)
    change(c, ArrayTaskThrottle="5")
    assert c.array_limit(array.id) == 5
    assert array.array_part is not None
    assert array.array_part.limit == 5


def test_one_task_of_an_array_is_changed_apart() -> None:
    c = b.lab_cluster()
    array = b.submit(c, array="1-3")
    change(c, "1_2", Comment="special")
    task = c.find("1_2")
    assert task is not None
    assert (task.request.comment, array.request.comment) == ("special", "")


def test_a_new_name_is_judged_for_singleton() -> None:
    c = b.lab_cluster()
    b.submit(c, name="one")
    job = b.submit(c, name="one", dependency="singleton")
    assert job.reason == Reason.DEPENDENCY
    change(c, "2", JobName="two")
    assert job.reason == Reason.NONE
    change(c, "2", JobName="one")
    assert job.reason == Reason.DEPENDENCY


def test_a_limit_that_is_none_stays_none_when_something_is_added() -> None:
    c = b.cluster()
    job = b.started(c, time_limit=-1)
    assert update.update_job(c, str(job.id), {"TimeLimit": "+10"}, b.ROOT, b.T0)
    for event in update.update_job(c, str(job.id), {"TimeLimit": "+10"}, b.ROOT, b.T0):
        c.apply(event)
    assert job.time_limit == -1


def test_the_word_none_is_no_file_in_any_case_of_letters() -> None:
    c = b.cluster()
    job = b.submit(c, stdout="none", stderr="NONE", stdin="None")
    assert (job.request.stdout, job.request.stderr, job.request.stdin) == ("/dev/null",) * 3
    for event in update.update_job(c, str(job.id), {"StdOut": "None"}, b.ROOT, b.T0):
        c.apply(event)
    assert c.jobs[job.id].request.stdout == "/dev/null"
