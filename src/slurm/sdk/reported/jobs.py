"""What `scontrol -d show job` says of jobs, as records of `core`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from slurm.model.cpu_set import CpuSet
from slurm.model.errors import NotationError
from slurm.model.ids import Gid, JobId, NodeName, Uid
from slurm.model.job import Allocation, ArrayPart, Job, NodeShare, Owner
from slurm.model.request import JobRequest
from slurm.model.states import JobState
from slurm.notation import array, duration, hostlist, licenses, moment, size
from slurm.sdk.following.inspection import NOTHING, JobRecord, job_record, records

WAITS_FOR_ROOM = frozenset(("", "None", "Resources", "Priority", "BeginTime", "Licenses", "Reservation", "NodeDown", "ReqNodeNotAvail"))
"""Reasons of jobs that the planner can look at; behind any other one is something that only the cluster itself knows."""
_DOWN = "Nodes required for job are DOWN"
_SHARE = re.compile(r"Nodes=(\S+) CPU_IDs=(\S*) Mem=(\d+) GRES=(\S*)")
_Of = Callable[[str], str]
_HELD = {"JobHeldAdmin": "admin", "JobHoldMaxRequeue": "admin"}


class Reported(NamedTuple):
    """A job as the cluster tells of it, our record of it, and what it holds if it runs."""

    told: JobRecord
    job: Job
    allocation: Allocation | None

    @property
    def plannable(self) -> bool:
        """Whether it waits for nothing but room."""
        return not self.job.held and waits_for_room(self.told)


def waits_for_room(told: JobRecord) -> bool:
    """Whether its own cluster names no other reason than room, and no job that it depends on."""
    reason = told.reason.partition(",")[0]
    return (reason in WAITS_FOR_ROOM or reason.startswith(_DOWN)) and not told.dependency


def jobs(said: str, now: float) -> list[Reported]:
    """Every job that waits or runs."""
    found = []
    for block in re.split(r"\n\n(?=JobId=)", said):
        for fields in records(block, "JobId"):
            told = job_record(fields)
            if told.state in ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "CONFIGURING"):
                found.append(_reported(told, fields, block, now))
    return found


def _reported(told: JobRecord, fields: Mapping[str, str], block: str, now: float) -> Reported:
    def of(name: str) -> str:
        value = fields.get(name, "").strip()
        return "" if value in NOTHING else value

    uid = re.search(r"\((\d+)\)", fields.get("UserId", ""))
    gid = re.search(r"\((\d+)\)", fields.get("GroupId", ""))
    request = _request(told, of)
    eligible = _moment(of("EligibleTime"), now)
    priority = int(of("Priority") or 0) if (of("Priority") or "0").isdigit() else 0
    request.priority = min(priority, 2**32 - 2) or None
    job = Job(
        id=JobId(int(told.raw_id)), owner=Owner(
            uid=Uid(int(uid[1]) if uid else 0), gid=Gid(int(gid[1]) if gid else 0), user=told.user,
            group=fields.get("GroupId", "").partition("(")[0]),
        request=request, partition=request.partition, submit_time=_moment(told.submit, now), priority=priority,
        eligible_time=eligible, time_limit=request.time_limit if request.time_limit is not None else -1,
        not_before=eligible if eligible > now else 0.0,
        held=_HELD.get(told.reason, "user") if not priority and told.state == "PENDING" else "")
    tasks = of("ArrayTaskId")
    if told.array_id and not tasks.isdigit():
        spec = array.parse(tasks)
        job.array_job, job.array_part = job.id, ArrayPart(
            ranges=list(spec.tasks.runs), limit=spec.limit, count=len(spec.tasks), lowest=spec.tasks.first, highest=spec.tasks.last)
    if told.state == "PENDING":
        return Reported(told, job, None)
    job.state = JobState.RUNNING
    return Reported(told, job, _allocation(told, block))


def _request(told: JobRecord, of: _Of) -> JobRequest:
    least, _, most = of("NumNodes").partition("-")
    limit = of("TimeLimit")
    request = JobRequest(
        name=told.name[:1024], partition=told.partition, account=told.account, qos=told.qos, work_dir=told.work_dir,
        nodes_min=_count(least), nodes_max=_count(most) or (_count(least) if _count(least) > 1 else 0), ntasks=_count(of("NumTasks")),
        cpus_per_task=_count(of("CPUs/Task")), ntasks_per_node=_count(of("NtasksPerN:B:S:C").partition(":")[0]),
        mincpus=_count(of("MinCPUsNode")), tmp_disk=_memory(of("MinTmpDiskNode")) or 0, mem_per_node=_memory(of("MinMemoryNode")),
        mem_per_cpu=_memory(of("MinMemoryCPU")), features=of("Features"), nodelist=of("ReqNodeList"), exclude=of("ExcNodeList"),
        contiguous=of("Contiguous") == "1", exclusive="node" if of("OverSubscribe") in ("NO", "EXCLUSIVE") else "",
        oversubscribe=of("OverSubscribe") == "YES", reservation=of("Reservation"),
        time_limit=-1 if limit in ("", "UNLIMITED") else duration.parse(limit), submit_line=of("SubmitLine"))
    try:
        licenses.parse(of("Licenses"))
        request.licenses = of("Licenses")
    except NotationError:
        request.licenses = ""  # in a form that we do not know: it is planned as if it had none
    for key, field in (("TresPerNode", "gres"), ("TresPerJob", "gpus"), ("TresPerTask", "gpus_per_task")):
        asked = of(key)
        if field == "gres":
            request.gres = ",".join(re.sub(r"^gres[:/]", "", item) for item in asked.split(",") if re.match(r"gres[:/]", item))
        else:
            found = re.search(r"gres[:/]gpu(?::([a-z_]\w*))?[:=](\d+)", asked)
            setattr(request, field, f"{found[1]}:{found[2]}" if found and found[1] else found[2] if found else "")
    return request


def _allocation(told: JobRecord, block: str) -> Allocation | None:
    """What it holds, node by node; where CPUs are not told by number, as many as it has."""
    shares: list[NodeShare] = []
    for names, cpus, memory, held in _SHARE.findall(block):
        ids = _numbers(cpus)
        shares += [NodeShare(node=NodeName(name), cpus=ids, memory=int(memory), gres=_indices(held), tasks=1)
                   for name in hostlist.expand(names)]
    if not shares and told.nodelist:
        names = hostlist.expand(told.nodelist)
        shares = [NodeShare(node=NodeName(name), cpus=CpuSet.run(-(-told.cpus // len(names))), tasks=1) for name in names]
    return Allocation(shares=shares, partition=told.partition.partition(",")[0]) if shares else None


def _indices(held: str) -> dict[str, CpuSet]:
    """`gpu:a100:2(IDX:0-1)` as devices by number."""
    found: dict[str, CpuSet] = {}
    for name, ids in re.findall(r"(\w+)(?::[^,(]*)?\(IDX:([\d,-]+)\)", held):
        found[name] = found.get(name, CpuSet()) | _numbers(ids)
    return found


def _numbers(text: str) -> CpuSet:
    """0-3,6 as a set."""
    return CpuSet.of(array.parse(text).tasks) if text else CpuSet()


def _count(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _memory(text: str) -> int | None:
    try:
        return size.parse_mb(text) if text else None
    except NotationError:
        return None


def _moment(text: str, now: float) -> float:
    try:
        return moment.parse(text, now, past=True) if text else 0.0
    except NotationError:
        return 0.0
