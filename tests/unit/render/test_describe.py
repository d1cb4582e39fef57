"""What scontrol show says of records that the recorded sessions do not have."""

import json

import msgspec
import pytest

from slurm.model.errors import InvalidRequest, NotFound, Unsupported
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Step
from slurm.model.policy import Resource
from slurm.model.states import JobState, NodeState
from slurm.render.describe import describe
from slurm.render.view import View
from slurm.wire.messages import Describe
from tests.compat import lab


def _show(what: str, *names: str, view: View | None = None, **fields: object) -> str:
    found = view or lab.view()
    return describe(found, Describe(what=what, names=list(names), **fields), lab.CALLERS["root"], found.now).text  # type: ignore[arg-type]


def test_licences_are_told_by_name_with_what_is_in_use() -> None:
    view = lab.view()
    view.settings = msgspec.structs.replace(view.settings, licenses={"matlab": 10, "ansys": 4})
    running = next(job for job in view.jobs.values() if job.allocation is not None and not job.state.finished)
    assert running.allocation is not None
    running.allocation.licenses = {"matlab": 3}
    assert _show("licenses", view=view) == (
        "LicenseName=ansys\n    Total=4 Used=0 Free=4 Reserved=0 Remote=no\nLicenseName=matlab\n    Total=10 Used=3 Free=7 Reserved=0 Remote=no\n")
    [one] = json.loads(_show("licenses", "matlab", view=view, format="json"))["licenses"]
    assert (one["LicenseName"], one["Total"], one["Used"], one["Free"], one["Remote"], one["Reserved"]) == ("matlab", 10, 3, 7, False, 0)
    assert "LicensesAlloc=matlab:3" in _show("job", str(running.id), view=view)


def test_licences_of_servers_are_remote_and_say_what_the_server_said_last() -> None:
    view = lab.view()
    view.policy.book.take([Resource(id=1, name="abaqus", server="flex", count=10, allowed={view.settings.cluster_name: 50}, last_consumed=7)])
    assert _show("licenses", view=view) == (
        "LicenseName=abaqus@flex\n    Total=5 Used=0 Free=3 Reserved=0 Remote=yes\n    LastConsumed=7 LastDeficit=2 LastUpdate=Never\n")
    [one] = json.loads(_show("licenses", view=view, format="json"))["licenses"]
    assert (one["Remote"], one["LastConsumed"], one["LastDeficit"], one["Free"]) == (True, 7, 2, 3)


def test_a_partition_says_what_becomes_of_its_preempted_jobs_also_where_the_whole_cluster_says_it() -> None:
    view = lab.view()
    view.settings = msgspec.structs.replace(view.settings, preempt_type="partition_prio", preempt_modes=["suspend", "gang"])
    first, second, *_ = view.partitions
    view.partitions = {**view.partitions, **{
        name: msgspec.structs.replace(view.partitions[name], preempt_mode=mode) for name, mode in ((first, ""), (second, "CANCEL"))}}
    assert "PreemptMode=GANG,SUSPEND\n" in _show("partition", first, view=view)
    assert "PreemptMode=CANCEL\n" in _show("partition", second, view=view)
    view.settings = msgspec.structs.replace(view.settings, preempt_modes=[])
    assert "PreemptMode=OFF\n" in _show("partition", first, view=view)


def _empty() -> View:
    view = lab.view()
    view.jobs, view.nodes, view.partitions, view.reservations = {}, {}, {}, {}
    return view


@pytest.mark.parametrize(("what", "sentence"), [
    ("job", "No jobs in the system"), ("step", "No job steps in the system"), ("node", "No nodes in the system"),
    ("partition", "No partitions in the system"), ("reservation", "No reservations in the system"),
    ("licenses", "No licenses configured in Slurm."),
])
def test_nothing_to_show_is_said(what: str, sentence: str) -> None:
    assert _show(what, view=_empty()) == f"{sentence}\n"


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="Job 88_999 not found"):
        _show("job", "88_999")
    with pytest.raises(NotFound, match="Job step 86.7 not found"):
        _show("step", "86.7")
    with pytest.raises(InvalidRequest, match="invalid entity:bogus for keyword:show"):
        _show("bogus")
    with pytest.raises(Unsupported, match="burstbuffer is not supported"):
        _show("burstbuffer")


def test_hidden_partitions_are_shown_to_root_and_on_request() -> None:
    view = lab.view()
    view.partitions["gpu"].hidden = True

    def shown(user: str, hidden: bool | None) -> bool:
        return "PartitionName=gpu" in describe(view, Describe(what="partition", hidden=hidden), lab.CALLERS[user], view.now).text

    assert [shown("root", None), shown("alice", None), shown("alice", True), shown("root", False)] == [True, False, True, False]


def test_nodes_of_the_future_are_shown_on_request() -> None:
    view = lab.view()
    view.nodes[NodeName("cn02")].state = NodeState.FUTURE
    assert "NodeName=cn02" not in _show("node", view=view)
    assert "NodeName=cn02" in _show("node", view=view, future=True)


def test_found_and_missing_nodes_are_shown_together() -> None:
    view = lab.view()
    answer = describe(view, Describe(what="node", names=["cn01,nosuch"], oneline=True), lab.CALLERS["root"], view.now)
    assert [line.split()[0] for line in answer.text.splitlines()] == ["NodeName=cn01", "Node"]
    assert answer.exit_code == 1


def test_a_reason_in_words_has_underscores_in_scontrol() -> None:
    assert "Reason=Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs" in _show("job", "97")


def test_optional_lines_of_a_job_appear_when_there_is_something_to_say() -> None:
    view = lab.view()
    request = view.jobs[JobId(94)].request
    request.comment, request.gpus, request.mail_type, request.mail_user = "hello", "2", "END", "a@b"
    lines = [line.strip() for line in _show("job", "94", view=view).splitlines()]
    assert {"Comment=hello", "TresPerJob=gres/gpu:2", "MailUser=a@b MailType=END"} <= set(lines)
    assert "Comment=" not in _show("job", "93", view=view)


@pytest.mark.parametrize(("asked", "shown"), [
    ("ALL", "MailType=INVALID_DEPEND,BEGIN,END,FAIL,REQUEUE,STAGE_OUT"), ("FAIL,BEGIN", "MailType=BEGIN,FAIL"),
    ("BEGIN,ARRAY_TASKS,END", "MailType=ARRAY_TASKS,BEGIN,END"),
    ("TIME_LIMIT,TIME_LIMIT_50,TIME_LIMIT_90,STAGE_OUT", "MailType=STAGE_OUT,TIME_LIMIT_50,TIME_LIMIT_90,TIME_LIMIT")])
def test_words_of_mail_stand_in_slurms_order_and_all_is_spelled_out(asked: str, shown: str) -> None:
    view = lab.view()
    view.jobs[JobId(94)].request.mail_type = asked
    assert shown in _show("job", "94", view=view).split()


def test_who_wants_no_mail_has_no_line_of_it() -> None:
    view = lab.view()
    view.jobs[JobId(94)].request.mail_type = "NONE"
    assert "Mail" not in _show("job", "94", view=view)


def test_an_allocation_has_no_script_and_no_output() -> None:
    view = lab.view()
    view.jobs[JobId(86)].request.kind = "alloc"
    text = _show("job", "86", view=view)
    assert "BatchFlag=0" in text and "StdOut" not in text


def test_nodes_that_hold_the_same_share_a_line_of_the_details() -> None:
    assert "     Nodes=cn[02-03] CPU_IDs=0-15 Mem=8000 GRES=\n" in _show("job", "87", detail=True)


def test_a_step_of_srun_shows_what_it_holds() -> None:
    view = lab.view()
    job = view.jobs[JobId(93)]
    assert job.allocation is not None
    from slurm.model.ids import StepId

    job.steps[0] = Step(id=StepId(0), name="train", start_time=view.now, shares=job.allocation.shares, ntasks=2, launcher="login1:77")
    text = _show("step", "93.0", view=view)
    assert "   Nodes=1 CPUs=1 Tasks=2 Name=train Network=(null)\n   TRES=cpu=1,mem=16G,node=1,gres/gpu=2\n" in text
    assert "   SrunHost:Pid=login1:77\n" in text


def test_completing_jobs_say_which_nodes_are_left() -> None:
    view = lab.view()
    job = view.jobs[JobId(87)]
    job.state, job.flags, job.end_time, job.nodes_left = JobState.COMPLETED, ["completing"], view.now - 65, [NodeName("cn03")]
    lab.use_utc()
    assert _show("completing", view=view) == "JobId=87 EndTime=2026-11-21T00:41:30 CompletingTime=00:01:05 Nodes(COMPLETING)=cn03\n"


def test_a_node_that_never_registered_claims_nothing() -> None:
    view = lab.view()
    node = view.nodes[NodeName("cn01")]
    node.registered, node.arch, node.os, node.version, node.boot_time = False, "", "", "", 0.0
    text = _show("node", "cn01", view=view)
    assert text.startswith("NodeName=cn01 CoresPerSocket=8 \n") and "CPULoad=N/A" in text and "OS=" not in text
    assert "BootTime=None" in text and "Version" not in text


def test_limits_of_partitions_are_shown() -> None:
    view = lab.view()
    partition = view.partitions["gpu"]
    partition.def_mem_per_cpu, partition.max_nodes, partition.deny_accounts, partition.over_time_limit = 1000, 3, "x", 300
    text = _show("partition", "gpu", view=view)
    for part in ("DefMemPerCPU=1000 MaxMemPerNode=UNLIMITED", "MaxNodes=3", "DenyAccounts=x", "OverTimeLimit=5"):
        assert part in text


def test_of_waiting_tasks_that_share_a_record_those_that_are_meant_are_shown() -> None:
    view = lab.view()
    array = next(job for job in view.jobs.values() if job.array_part is not None)
    first = array.array_part.ranges[0][0] if array.array_part is not None else 0
    assert f" ArrayTaskId={first} " in _show("job", f"{array.id}_{first}", view=view)
    assert f" ArrayTaskId={first}-{first + 1}%2 " in _show("job", f"{array.id}_[{first}-{first + 1}]", view=view)
    assert array.array_part is not None and array.array_part.ranges[0][0] == first


def test_steps_licences_and_reservations_are_told_in_structure_too() -> None:
    steps = json.loads(_show("step", format="json"))["steps"]
    assert {"86.batch", "93.batch"} <= {f"{one['id']['job_id']['number']}.{one['id']['step_id']}" for one in steps}
    assert all(one["state"] == ["RUNNING"] and one["nodes"]["list"] for one in steps)
    [one] = json.loads(_show("step", "86.batch", format="json"))["steps"]
    assert one["name"] == "batch"
    for what, key in (("licenses", "licenses"), ("reservation", "reservations")):
        report = json.loads(_show(what, view=_empty(), format="json"))
        assert (report[key], report["errors"], report["last_update"]["set"]) == ([], [], True)
