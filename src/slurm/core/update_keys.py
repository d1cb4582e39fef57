"""The keys of `scontrol update jobid=`: what each sets, who may set it and when. Rights and re-checking are in `update`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from slurm.core.state import ClusterState
from slurm.model.bounds import whole
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation import duration, moment, nodecount, size

Read = Callable[[ClusterState, Job, str, float], dict[str, object]]


class Key(NamedTuple):
    """One key: how its text becomes changes; `waiting`: only for jobs that have not started; `operator`: only by operators."""

    shown: str
    read: Read
    waiting: bool = True
    operator: bool = False


def _text(field: str) -> Read:
    return lambda state, job, text, now: {field: "" if text.lower() in ("(null)", "none") else text}


def _file(field: str) -> Read:
    return lambda state, job, text, now: {field: "" if text.lower() == "(null)" else text}


def _number(field: str, least: int = 0) -> Read:
    return lambda state, job, text, now: {field: whole(text, least)}


def _memory(field: str) -> Read:
    others = {"mem_per_node", "mem_per_cpu", "mem_per_gpu"} - {field}

    def read(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
        return {field: size.parse_mb(text), **dict.fromkeys(others)}

    return read


def _flag(field: str) -> Read:
    def read(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
        word = text.lower()
        if word not in ("0", "1", "yes", "no"):
            raise ValueError("0, 1, yes or no")
        return {field: word in ("1", "yes")}

    return read


def _time_limit(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    if text[:1] in ("+", "-") and text != "-1":
        if job.time_limit < 0:
            if text[0] == "+":
                return {"time_limit": -1}
            raise InvalidRequest("ESLURM_INVALID_TIME_LIMIT", hints=["the job has no limit to take something from"])
        change = duration.parse(text[1:].lstrip("="))
        limit = job.time_limit + (change if text[0] == "+" else -change)
        if limit < 0:
            raise InvalidRequest("ESLURM_INVALID_TIME_LIMIT", hints=[f"the limit is {duration.show(job.time_limit)}"])
        return {"time_limit": limit}
    return {"time_limit": duration.parse(text) or -1}


def _time_min(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    return {"time_min": duration.parse(text)}


def _begin(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    return {"begin": moment.parse(text, now)}


def _deadline(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    return {"deadline": 0.0 if text.lower() in ("n/a", "none") else moment.parse(text, now)}


def _end(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    """The end of a running job is its limit, counted from its start."""
    if job.state is not JobState.RUNNING:
        raise NotNow("ESLURM_JOB_NOT_RUNNING", hints=[f"job {job.shown_id} is {job.state.name}: TimeLimit is its limit"])
    end = moment.parse(text, now)
    if end <= job.start_time:
        raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=["an EndTime lies behind the job's start"])
    return {"time_limit": math.ceil(end - job.start_time)}


def _nodes(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    count = nodecount.parse(text)
    return {"nodes_min": count.low, "nodes_max": count.high}


def _throttle(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    if not job.array_job:
        raise InvalidRequest("ESLURM_INVALID_ARRAY", hints=[f"job {job.shown_id} is no array"])
    return {"array_limit": whole(text)}


def _nice(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise ValueError("a whole number")
    return {"nice": int(text)}


def _oversubscribe(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    return {"oversubscribe": bool(_flag("oversubscribe")(state, job, text, now)["oversubscribe"]), "exclusive": ""}


def _switches(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    count, at, wait = text.partition("@")
    return {"switches": whole(count), "switch_wait": max(0, duration.parse(wait)) if at else None}


def _core_spec(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    return {"core_spec": None if text == "*" else whole(text), "thread_spec": None}


def _thread_spec(state: ClusterState, job: Job, text: str, now: float) -> dict[str, object]:
    return {"thread_spec": None if text == "*" else whole(text), "core_spec": None}


_ROWS: tuple[Key, ...] = (
    Key("TimeLimit", _time_limit, waiting=False), Key("TimeMin", _time_min), Key("StartTime", _begin), Key("EligibleTime", _begin),
    Key("EndTime", _end, waiting=False), Key("Deadline", _deadline), Key("JobName", _text("name"), waiting=False), Key("Name", _text("name"), waiting=False),
    Key("Partition", _text("partition")), Key("Priority", _number("priority"), waiting=False), Key("Nice", _nice, waiting=False),
    Key("Dependency", _text("dependency")),
    Key("ArrayTaskThrottle", _throttle, waiting=False), Key("Comment", _text("comment"), waiting=False),
    Key("AdminComment", _text("admin_comment"), waiting=False, operator=True), Key("Extra", _text("extra"), waiting=False),
    Key("WCKey", _text("wckey"), waiting=False), Key("Account", _text("account")), Key("QOS", _text("qos")),
    Key("Features", _text("features")), Key("Prefer", _text("prefer")), Key("Reboot", _flag("reboot")), Key("Licenses", _text("licenses")), Key("NumNodes", _nodes), Key("ReqNodes", _nodes),
    Key("NumCPUs", _number("ntasks", 1)),
    Key("ReservationName", _text("reservation")), Key("Reservation", _text("reservation")),
    Key("NumTasks", _number("ntasks", 1)), Key("CPUsPerTask", _number("cpus_per_task", 1)), Key("CPUs/Task", _number("cpus_per_task", 1)),
    Key("MinCPUsNode", _number("mincpus")), Key("MinMemoryNode", _memory("mem_per_node")), Key("MinMemoryCPU", _memory("mem_per_cpu")),
    Key("Switches", _switches), Key("CoreSpec", _core_spec), Key("ThreadSpec", _thread_spec), Key("MinTmpDiskNode", _number("tmp_disk")),
    Key("Gres", _text("gres")), Key("TresPerNode", _text("gres")),
    Key("ReqSockets", _number("sockets_per_node", 1)), Key("ReqCores", _number("cores_per_socket", 1)),
    Key("ReqThreads", _number("threads_per_core", 1)),
    Key("ReqNodeList", _text("nodelist")), Key("NodeList", _text("nodelist")), Key("ExcNodeList", _text("exclude")), Key("Contiguous", _flag("contiguous")),
    Key("OverSubscribe", _oversubscribe), Key("Shared", _oversubscribe), Key("Requeue", _flag("requeue"), waiting=False),
    Key("KillOnInvalidDependent", _flag("kill_on_invalid_dep")), Key("WorkDir", _text("work_dir")), Key("StdOut", _file("stdout")),
    Key("StdErr", _file("stderr")), Key("StdIn", _file("stdin")), Key("MailType", _text("mail_type"), waiting=False),
    Key("MailUser", _text("mail_user"), waiting=False),
)

KEYS: dict[str, Key] = {key.shown.lower(): key for key in _ROWS}
"""Lower-case key → its row."""
