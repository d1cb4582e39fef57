"""The jobs of the recorded accounting session as records, and an accounting that answers from them without any daemon or database.

`past_jobs.psv` holds what the session shows of each job and step. Where it shows less than a record has, the rest is made up here.
"""

import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from slurm.model.accounting import Extreme, JobFilter, JobRecord, JobRow, StepRecord, TresUsage, Usage
from slurm.model.ids import STEP_NAMES, Gid, JobId, NodeName, StepId, Uid
from slurm.model.policy import Qos
from slurm.model.states import JobState
from slurm.notation import exitstatus, tres

NOW = 1795221798.0
"""2026-11-21T00:43:18 UTC, when the session was recorded."""
_UIDS = {"root": 0, "alice": 1001, "bob": 1002}
_SUBMITTED = 1795221449.0
_STEPS = {name: step for step, name in STEP_NAMES.items()}
_FIRST = {
    "submit_time": 1795220899.0, "eligible_time": 1795220899.0, "end_time": 1795221434.0, "priority": 12066, "reason": "ReqNodeNotAvail",
    "submit_line": "sbatch --parsable -a 0-9%3 hello.sh 30", "work_dir": "/tmp/ref/work", "stdin": "/dev/null", "stdout": "slurm-%A_%a.out",
}
_SECOND = {
    "submit_time": 1795221449.0, "eligible_time": 1795221449.0, "start_time": 1795221450.0, "end_time": 1795221451.0, "priority": 12066,
    "submit_line": "sbatch hello.sh", "work_dir": "/tmp/ref/work", "stdin": "/dev/null", "stdout": "slurm-%j.out", "flags": ["SchedMain"],
}
_KNOWN = {"7_[0-9%3]": _FIRST, "1": _SECOND}


@cache
def rows() -> tuple[JobRow, ...]:
    """The jobs with their steps, in the order in which the session shows them."""
    text = (Path(__file__).parent / "past_jobs.psv").read_text(encoding="utf-8")
    found: list[JobRow] = []
    for line in text.splitlines()[1:]:
        cells = line.split("|")
        if "." in cells[0]:
            found[-1].steps.append(_step(found[-1].job, cells))
        else:
            found.append(JobRow("lab", 13120824020731251712 + len(found), _job(cells)))
    return tuple(found)


def _job(cells: list[str]) -> JobRecord:
    shown, raw, name, user, partition, account, cpus, _, exit_, derived, elapsed, _, _, asked, held, nodes = cells
    state, killed_by, flags = _state(cells[7])
    requested = tres.parse(asked) if asked else {"cpu": 1, "mem": 500, "node": 1, "billing": 1}
    allocated = tres.parse(held) if held else {"cpu": int(cpus)} if int(cpus) else {}
    fields: dict[str, object] = {
        "submit_time": _SUBMITTED, "eligible_time": _SUBMITTED, **_times(state, elapsed, bool(int(cpus))), **_KNOWN.get(shown, {})}
    fields["flags"] = [*flags, *fields.pop("flags", [])]  # type: ignore[misc]
    return JobRecord(
        id=JobId(int(raw)), uid=Uid(_UIDS[user]), gid=Gid(_UIDS[user]), user=user, group=user, account=account, association=2, partition=partition,
        name=name, qos="normal", state=state, killed_by=killed_by, exit_status=_status(exit_), derived_status=_status(derived or "0:0"),
        time_limit=300, cpus_requested=requested.get("cpu", 1), nodes_requested=requested.get("node", 1), memory_requested=500, memory_per_cpu=True,
        requested=requested, allocated=allocated, nodes=nodes, node_count=allocated.get("node", 1) if allocated else 0,
        **_ids(shown), **fields)  # type: ignore[arg-type]


def _ids(shown: str) -> dict[str, object]:
    job, bracket, tasks = shown.partition("_[")
    if bracket:
        return {"array_job": JobId(int(job)), "array_tasks": tasks.rstrip("]")}
    job, underscore, task = shown.partition("_")
    if underscore:
        return {"array_job": JobId(int(job)), "array_task": int(task)}
    job, plus, offset = shown.partition("+")
    return {"het_job": JobId(int(job)), "het_offset": int(offset)} if plus else {}


def _state(text: str) -> tuple[JobState, Uid | None, list[str]]:
    word, _, uid = text.partition(" by ")
    if word == "REQUEUED":
        return JobState.PENDING, None, ["requeued"]
    return JobState[word], Uid(int(uid)) if uid else None, []


def _times(state: JobState, elapsed: str, started: bool) -> dict[str, object]:
    hours, minutes, seconds = (int(part) for part in (elapsed or "00:00:01").split(":"))
    length = (hours * 60 + minutes) * 60 + seconds
    if state is JobState.PENDING and not started:
        return {}
    if state is JobState.RUNNING:
        return {"start_time": NOW - length}
    return {"start_time": _SUBMITTED if started else 0.0, "end_time": _SUBMITTED + length}


def _status(text: str) -> int:
    return exitstatus.parse(text).to_wait()


def _step(job: JobRecord, cells: list[str]) -> StepRecord:
    _, raw, name, _, _, _, cpus, _, exit_, _, elapsed, millis, memory, _, held, nodes = cells
    state, killed_by, _ = _state(cells[7])
    step = raw.partition(".")[2]
    allocated = tres.parse(held) if held else {"cpu": int(cpus)}
    taken = {"mem": used(int(memory) * 1024)} if memory else {}
    return StepRecord(
        job=job.id, step=_STEPS[step] if step in _STEPS else StepId(int(step)), name=name, state=state, killed_by=killed_by,
        exit_status=_status(exit_), allocated=allocated, nodes=nodes, node_count=allocated.get("node", 1), layout="Block",
        usage=Usage(user_seconds=float(millis or 0) / 1000, taken=taken) if millis or taken else None, **_times(state, elapsed, True))  # type: ignore[arg-type]


def used(value: int, node: str = "cn01", task: int = 0) -> TresUsage:
    """What the one task of a step used."""
    extreme = Extreme(value, NodeName(node), task)
    return TresUsage(value, 1, extreme, extreme)


class Past:
    """A connection to nowhere that answers FindJobs from rows, and keeps what it was asked."""

    def __init__(self, of: tuple[JobRow, ...] | None = None, payloads: dict[str, str] | None = None, part: int = 50) -> None:
        self.asked: list[JobFilter] = []
        self._rows = rows() if of is None else of
        self._payloads = payloads or {}
        self._part = part

    def call(self, message: dict[str, object]) -> dict[str, object]:
        """The reply, as it would come over the wire."""
        if message["type"] == "FetchPayload":
            return {"type": "PayloadFetched", "content": self._payloads.get(str(message["digest"]))}
        if message["type"] == "ListPolicy":
            return {"type": "PolicyListed", "records": msgspec.to_builtins([Qos(id=1, name="normal"), Qos(id=2, name="high")])}
        assert message["type"] == "FindJobs"
        wanted = msgspec.convert(msgspec.json.decode(msgspec.json.encode(message["wanted"])), JobFilter)
        start = int(str(message.get("after") or 0))
        if not start:
            self.asked.append(wanted)
        found = list(matching(self._rows, wanted))
        part = msgspec.json.decode(msgspec.json.encode(found[start : start + self._part]))
        end = start + self._part
        return {"type": "JobsFound", "cluster": "lab", "jobs": part, "next": str(end) if end < len(found) else ""}

    def send(self, message: dict[str, object]) -> None:
        """Nobody sends anything here."""
        raise AssertionError(message)

    def receive(self, timeout: float | None = None) -> dict[str, object]:
        """Nor waits for anything."""
        raise AssertionError("nothing comes")

    def close(self) -> None:
        """Nothing to close."""


def matching(found: tuple[JobRow, ...], wanted: JobFilter) -> Iterator[JobRow]:
    """The rows that a database would find, as far as the session's questions need it."""
    for row in found:
        job = row.job
        ids = {triple[0] for triple in wanted.jobs}
        if wanted.uids and job.uid not in wanted.uids or wanted.users and job.user not in wanted.users:
            continue
        if ids and not ids.intersection((job.id, job.array_job, job.het_job)):
            continue
        if wanted.states and not _was(row, wanted):
            continue
        if wanted.flags and not set(wanted.flags) & set(job.flags):
            continue
        yield row if wanted.steps else JobRow(row.cluster, row.index, row.job)


def _was(row: JobRow, wanted: JobFilter) -> bool:
    """Whether it was in one of the states in the window."""
    job = row.job
    until = wanted.until or NOW
    for state in wanted.states:
        if state is JobState.PENDING:
            waits = not job.start_time and not job.end_time
            holds = waits or (job.submit_time <= until and (job.start_time or job.end_time) > wanted.since and bool(job.start_time))
        elif state is JobState.RUNNING:
            holds = 0 < job.start_time <= until and (not job.end_time or job.end_time >= wanted.since)
        else:
            holds = job.state is state and wanted.since <= job.end_time <= until
        if holds:
            return True
    return False


def use_utc() -> None:
    """The recordings are in UTC."""
    import os

    os.environ["TZ"] = "UTC"
    time.tzset()
