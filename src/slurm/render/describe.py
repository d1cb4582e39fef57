"""Answers to Describe: `scontrol show …` as text, and --json and --yaml of squeue, sinfo and scontrol.

Here: which records are meant, in which order, and what is said when there are none. How a record reads is in `scontrol_…` and `json_…`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec

from slurm.core.events import Caller
from slurm.model.errors import InvalidRequest, NotFound, SlurmError, Unsupported
from slurm.model.ids import JobId, NodeName, step_name
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.notation import hostlist, jobref
from slurm.notation.jobref import JobRef
from slurm.notation.printable import printable
from slurm.notation.taskset import TaskSet
from slurm.render import (
    assoc_text,
    json_cluster,
    json_job,
    json_step,
    json_text,
    license_text,
    node_list,
    reservation_text,
    scontrol_cluster,
    scontrol_job,
    topology_text,
)
from slurm.render.job_filter import matches, select
from slurm.render.job_list import in_order
from slurm.render.json_text import Value
from slurm.render.step_values import JobStep, running_steps
from slurm.render.view import View
from slurm.wire.messages import Describe, JobFilter, ListNodes, Text

LATER = {
    "burstbuffer": "burst buffers", "dwstat": "burst buffers", "hostfile": "host files",
    "slurmd": "asking a slurmd directly",
}
"""What scontrol can show and we cannot yet."""


def describe(view: View, message: Describe, caller: Caller, now: float) -> Text:
    """The text of a Describe; InvalidRequest for something that cannot be shown, Unsupported for what cannot be shown yet."""
    view = replace(view, now=now, array_length=message.array_length, time_format=message.time_format)
    answer = _ANSWERS.get(message.what)
    if answer is not None:
        return answer(view, message, caller)
    if message.what in LATER:
        raise Unsupported(message=f"scontrol show {message.what} is not supported by slurm-py yet",
            hints=[f"missing: {LATER[message.what]}"])
    raise InvalidRequest(message=f"invalid entity:{message.what} for keyword:show")


def _jobs(view: View, message: Describe, caller: Caller) -> Text:
    if not message.names:
        jobs = sorted(view.jobs.values(), key=_record_order)
        if message.format:
            return _structured("jobs", [json_job.job_record(job, view) for job in jobs], view, message, caller)
        return _blocks([scontrol_job.show_job(job, view, message.detail) for job in jobs], message, "No jobs in the system")
    found: list[Job] = []
    refs = list(map(_job_ref, message.names))
    alone = [view.jobs.get(JobId(ref.job)) for ref in refs]
    of_none = all(job is not None and not job.array_job and not job.het for job in alone)
    numbered = {job.id: [job] for job in alone if job is not None} if of_none else _numbered(view)
    for ref in refs:
        found += _named_jobs(numbered, ref)
    if message.format:
        return _structured("jobs", [json_job.job_record(job, view) for job in found], view, message, caller)
    return _blocks([scontrol_job.show_job(job, view, message.detail) for job in found], message)


def _job_ref(text: str) -> JobRef:
    try:
        return jobref.parse(text)
    except SlurmError as error:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error


def _numbered(view: View) -> dict[JobId, list[Job]]:
    """Jobs by their number, those of arrays and components also by their array's or leader's."""
    found: dict[JobId, list[Job]] = {}
    for job in view.jobs.values():
        found.setdefault(job.id, []).append(job)
        of = job.array_job or job.het_job
        if of not in (0, job.id):
            found.setdefault(of, []).append(job)
    return found


def _named_jobs(numbered: dict[JobId, list[Job]], ref: JobRef) -> list[Job]:
    """The jobs that a reference means: of an array its unstarted tasks first, then the others from the last."""
    jobs = numbered.get(JobId(ref.job), [])
    if not jobs:
        raise NotFound("ESLURM_INVALID_JOB_ID")
    found = [job for job in jobs if matches(job, [ref])]
    if not found:
        raise NotFound("ESLURM_INVALID_JOB_ID", f"Job {ref.show()} not found")
    return [_part_of(job, ref) for job in sorted(found, key=_array_order)]


def _part_of(job: Job, ref: JobRef) -> Job:
    """Of the waiting tasks that share one record those that are meant."""
    if ref.tasks is None or job.array_part is None:
        return job
    meant = TaskSet(job.array_part.ranges).intersection(ref.tasks)
    if len(meant) == 1:
        return msgspec.structs.replace(job, array_part=None, array_task=meant.first)
    return msgspec.structs.replace(job, array_part=msgspec.structs.replace(job.array_part, ranges=list(meant.runs)))


def _array_order(job: Job) -> tuple[bool, int]:
    return job.array_task is not None, -(job.array_task or 0)


def _record_order(job: Job) -> int:
    return job.id


def _filtered_jobs(view: View, message: Describe, caller: Caller) -> Text:
    jobs = select(view, message.filter or JobFilter(), caller)
    in_order(jobs, "", view)
    return _structured("jobs", [json_job.job_record(job, view) for job in jobs], view, message, caller)


def _steps(view: View, message: Describe, caller: Caller) -> Text:
    if not message.names:
        entries = [entry for job in sorted(view.jobs.values(), key=_record_order) for entry in running_steps(job)]
        if message.format:
            return _structured("steps", [json_step.step_record(entry, view) for entry in entries], view, message, caller)
        return _blocks([scontrol_job.show_step(entry, view) for entry in entries], message, "No job steps in the system")
    found: list[JobStep] = []
    numbered = _numbered(view)
    for ref in map(_job_ref, message.names):
        mine = [
            entry for job in _named_jobs(numbered, ref._replace(step="")) for entry in running_steps(job)
            if not ref.step or step_name(entry.step.id) == ref.step]
        if not mine:
            raise NotFound("ESLURM_INVALID_JOB_ID", f"Job step {ref.show()} not found")
        found += mine
    if message.format:
        return _structured("steps", [json_step.step_record(entry, view) for entry in found], view, message, caller)
    return _blocks([scontrol_job.show_step(entry, view) for entry in found], message)


def _nodes(view: View, message: Describe, caller: Caller) -> Text:
    nodes: list[Node] = []
    missing = []
    for name in hostlist.expand(",".join(message.names), 2 * len(view.nodes) + 1_000):
        node = view.nodes.get(NodeName(name))
        if node is None:
            missing.append(f"Node {name} not found")
        else:
            nodes.append(node)
    if not message.names:
        nodes = [node for node in view.nodes_in_order if message.future or node.state.value != "future"]
    if message.format:
        return _structured("nodes", [json_cluster.node_record(node, view) for node in nodes], view, message, caller)
    blocks = [scontrol_cluster.show_node(node, view, message.detail) for node in nodes]
    return _blocks(blocks, message, "No nodes in the system", missing)


def _partitions(view: View, message: Describe, caller: Caller) -> Text:
    partitions: list[Partition] = []
    missing = []
    for name in [name for text in message.names for name in text.split(",")]:
        partition = view.partitions.get(name)
        if partition is None:
            missing.append(f"Partition {name} not found")
        else:
            partitions.append(partition)
    if not message.names:
        hidden = caller.uid == 0 if message.hidden is None else message.hidden
        partitions = [partition for partition in view.partitions_in_order if hidden or not partition.hidden]
    if message.format:
        records: list[Value] = [json_cluster.partition_record(partition, view) for partition in partitions]
        return _structured("partitions", records, view, message, caller)
    blocks = [scontrol_cluster.show_partition(partition, view) for partition in partitions]
    return _blocks(blocks, message, "No partitions in the system", missing)


def _licenses(view: View, message: Describe, caller: Caller) -> Text:
    rows = [row for row in license_text.rows(view) if not message.names or row.name in message.names]
    if message.format:
        return _structured("licenses", [license_text.record(row) for row in rows], view, message, caller)
    if not rows:
        known = message.names and license_text.rows(view)
        return Text(text=f"License name {message.names[0]} not found.\n", exit_code=1) if known else Text(
            text="No licenses configured in Slurm.\n")
    return Text(text="".join(license_text.show(row, view, message.oneline) for row in rows))


def _assoc_mgr(view: View, message: Describe, caller: Caller) -> Text:
    wanted = assoc_text.Wanted(message.names)
    return Text(text=assoc_text.Report(view, wanted).text(" " if message.oneline else "\n    "))


def _reservations(view: View, message: Describe, caller: Caller) -> Text:
    found = [view.shown_reservations[name] for name in message.names if name in view.shown_reservations] if message.names else list(
        view.shown_reservations.values())
    missing = [f"Reservation {name} not found" for name in message.names if name not in view.shown_reservations]
    if message.format:
        return _structured("reservations", [reservation_text.record(of, view) for of in found], view, message, caller)
    return _blocks([reservation_text.show(of, view, message.detail) for of in found], message, reservation_text.NOTHING, missing)


def _reservation_table(view: View, message: Describe, caller: Caller) -> Text:
    lines = reservation_text.table(view.shown_reservations.values(), view, header=not message.oneline)
    return Text(text="".join(f"{line}\n" for line in lines))


def _sinfo(view: View, message: Describe, caller: Caller) -> Text:
    wanted = ListNodes(fields=[], nodes=message.filter.nodes if message.filter else [],
                       partitions=message.filter.partitions if message.filter else [],
                       states=message.filter.states if message.filter else [])
    groups = node_list.groups(view, wanted, ["PartitionName", "StateLong", "Gres", "Features", "Reason", "Weight"])
    return _structured("sinfo", [json_cluster.group_record(group, view) for group in groups], view, message, caller)


def _completing(view: View, message: Describe, caller: Caller) -> Text:
    lines = []
    for job in sorted(view.jobs.values(), key=_record_order):
        if job.completing:
            left = hostlist.compress(job.nodes_left)
            ended = view.moment(job.end_time, "Unknown")
            lines.append(f"JobId={job.id} EndTime={ended} CompletingTime={_since(view.now - job.end_time)} Nodes(COMPLETING)={left}")
    return Text(text="".join(f"{line}\n" for line in lines))


def _since(seconds: float) -> str:
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"


def _topology(view: View, message: Describe, caller: Caller) -> Text:
    return Text(text="".join(f"{line}\n" for line in topology_text.show(view.settings.topologies, message.names)))


def _fixed(text: str) -> Callable[[View, Describe, Caller], Text]:
    return lambda view, message, caller: Text(text=text)


def _none(key: str, text: str) -> Callable[[View, Describe, Caller], Text]:
    """What a cluster without any answers: a sentence, or an empty list."""
    return lambda view, message, caller: _structured(key, [], view, message, caller) if message.format else Text(text=text)


def _structured(key: str, records: Iterable[Value], view: View, message: Describe, caller: Caller) -> Text:
    report = json_text.envelope(key, list(records), view, caller, message.arguments)
    return Text(text=json_text.encode(report, message.format))


def _blocks(blocks: list[list[str]], message: Describe, none: str = "", missing: list[str] | None = None) -> Text:
    """Records one below the other, each with a blank line behind it; --oneliner: one line each."""
    blocks = [[printable(line) for line in block] for block in blocks]
    if message.oneline:
        text = "".join(" ".join(line.lstrip() for line in block) + "\n" for block in blocks)
    else:
        text = "".join("\n   ".join(block) + "\n\n" for block in blocks)
    text += "".join(f"{printable(line)}\n" for line in missing or ())
    if not blocks and not missing and none:
        text = f"{none}\n"
    return Text(text=text, exit_code=1 if missing else 0)


_ANSWERS: dict[str, Callable[[View, Describe, Caller], Text]] = {
    "job": _jobs,
    "step": _steps,
    "node": _nodes,
    "partition": _partitions,
    "jobs_json": _filtered_jobs,
    "nodes_json": _nodes,
    "partitions_json": _partitions,
    "sinfo_json": _sinfo,
    "completing": _completing,
    "daemons": _fixed("slurmctld slurmd\n"),
    "licenses": _licenses,
    "topology": _topology,
    "assoc_mgr": _assoc_mgr,
    "aliases": _fixed(""),
    "federation": _fixed(""),
    "reservation": _reservations,
    "reservation_table": _reservation_table,
}
