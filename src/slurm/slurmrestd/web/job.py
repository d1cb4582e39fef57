"""A job: where it stands and why, its times, what it asked for and used, what it writes, its script, and the jobs it is tied to."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from slurm.model.accounting import JobFilter as PastFilter
from slurm.model.accounting import JobRow
from slurm.model.errors import NotationError, NotFound, SlurmError
from slurm.model.explanation import Explanation
from slurm.model.ids import JobId, step_name
from slurm.model.states import JobState
from slurm.notation import duration, jobref
from slurm.render import accounting_entry, efficiency, efficiency_text
from slurm.slurmrestd.web import charts
from slurm.slurmrestd.web.rendering import kind, moment
from slurm.slurmrestd.web.visit import Answer, Moved, Page, Visit
from slurm.wire.messages import JobFilter

READ = 64 * 1024
"""Bytes at the end of an output file that are shown."""
MOST_RELATIVES = 24
_CLAUSE = re.compile(r"(after\w*):(\d+(?:_(?:\d+|\*))?)")
_RETURNS = re.compile(r"[^\n]*\r(?=[^\n])")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NEITHER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
Record = Mapping[str, Any]


def _named(visit: Visit) -> str:
    """The job of the path."""
    try:
        return jobref.parse(visit.path["job"]).show()
    except NotationError as error:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error


def _present(visit: Visit, name: str) -> list[Record]:
    """What slurmctld holds of a job; [] where it is forgotten there."""
    try:
        found: list[Record] = visit.doors.cluster.report("job", [name])["jobs"]
    except NotFound:
        return []
    return found


def show(visit: Visit) -> Answer:
    """GET /job/ID: a job; of an array of which tasks have started its tasks."""
    name = _named(visit)
    found = _present(visit, name)
    if len(found) > 1:
        return Moved("/queue?" + urlencode({"q": name}))
    if not found:
        return _past(visit, name)
    job = found[0]
    explained = _explained(visit, name, job)
    state = job["job_state"][0]
    return Page("job.html", {
        "title": f"Job {name}", "id": name, "job": job, "state": state, "flags": job["job_state"][1:], "explained": explained,
        "timeline": timeline(_times(job), state, visit.now), "asked": _asked(job), "held": job["tres_alloc_str"],
        "alive": state in ("PENDING", "RUNNING", "SUSPENDED"), "again": "/submit?" + urlencode({"like": name}),
        "batch": job["batch_flag"]})


def _explained(visit: Visit, name: str, job: Record) -> Explanation | None:
    if job["job_state"][0] in ("RUNNING", "COMPLETED"):
        return None
    try:
        return visit.doors.cluster.explain(name, priority=True)
    except NotFound:
        return None


def _past(visit: Visit, name: str) -> Page:
    """A job that only accounting knows."""
    row = _row(visit, name)
    job = row.job
    times = {"submitted": job.submit_time, "eligible": job.eligible_time, "started": job.start_time, "ended": job.end_time}
    return Page("past_job.html", {
        "title": f"Job {name}", "id": name, "job": job, "steps": row.steps, "timeline": timeline(times, job.state.name, visit.now),
        "shares": _shares(row, visit.now)})


def _row(visit: Visit, name: str) -> JobRow:
    reference = jobref.parse(name)
    tasks: list[int | None] = [*reference.tasks][:1] if reference.tasks is not None else [None]
    rows = list(visit.doors.accounting.jobs(PastFilter(jobs=[(JobId(reference.job), task, None) for task in tasks])))
    if not rows:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[f"neither the queue nor accounting knows a job {name}"])
    return rows[-1]


def _number(value: Any) -> float:
    """A `{set, infinite, number}`."""
    return float(value["number"]) if value["set"] and not value["infinite"] else 0.0


def _times(job: Record) -> dict[str, float]:
    return {"submitted": _number(job["submit_time"]), "eligible": _number(job["eligible_time"]), "started": _number(job["start_time"]),
        "ended": _number(job["end_time"])}


def timeline(times: Mapping[str, float], state: str, now: float) -> Any:
    """A picture of a job's life: how long it was held back, waited and ran, what is still to come in a lighter colour."""
    submitted, start, end = times["submitted"], times["started"], times["ended"]
    eligible = min(times["eligible"] or submitted, start or now) if state != "PENDING" else times["eligible"] or submitted
    spans = []

    def span(begin: float, until: float, kind_: str, what: str) -> None:
        if until - begin >= 1:
            length = duration.show(until - begin)
            spans.append(charts.Span("", begin, until, kind_, f"{what} {length}", f"{what} {length}: {moment(begin)} to {moment(until)}"))

    waited = start if start and start <= now else now if state == "PENDING" else end or now
    if eligible > submitted:
        span(submitted, min(eligible, waited), "off", "kept back")
    span(max(submitted, min(eligible, waited)), waited, "wait", "waited")
    if start and start <= now:
        span(start, min(end, now) if end else now, kind(state), "ran")
        if end > now:
            span(now, end, "future", "to its limit")
    elif start > now:
        span(max(now, waited), start, "future", "expected to wait")
    if not spans:
        return ""
    since, until = submitted, max(one.end for one in spans)
    return charts.rows_in_time(spans, since, until, {since: moment(since)[5:16]}, "The life of this job", now=now, wide=520.0)


def _asked(job: Record) -> list[tuple[str, str]]:
    """What it asked for, in words; what it did not ask for is left out."""
    limit = job["time_limit"]
    limited = "none" if limit["infinite"] else duration.show(limit["number"] * 60) if limit["set"] else "that of the partition"
    rows = [
        ("Resources", job["tres_req_str"]), ("Time limit", limited), ("Partition", job["partition"]), ("Account", job["account"]),
        ("QOS", job["qos"]), ("Features", job["features"]), ("GPUs a node", job["tres_per_node"]), ("GPUs", job["tres_per_job"]),
        ("Licences", job["licenses"]), ("Nodes named", job["required_nodes"]), ("Nodes not wanted", job["excluded_nodes"]),
        ("Reservation", job["resv_name"]), ("Dependency", job["dependency"]), ("Comment", job["comment"])]
    return [(what, str(text)) for what, text in rows if text]


def output(visit: Visit) -> Page:
    """GET /job/ID/output: the end of what the job has written, as whoever is logged in may read it from here."""
    name = _named(visit)
    found = _present(visit, name)
    which = "stderr" if visit.asked("of") == "stderr" else "stdout"
    state, path = "", ""
    if found:
        state, path = found[0]["job_state"][0], found[0][f"{which}_expanded"]
    else:
        job = _row(visit, name).job
        path = job.stderr if which == "stderr" else job.stdout
        path = os.path.join(job.work_dir, path) if path and "%" not in path else ""
    text, why = _tail(visit, path) if visit.session.claim.is_local else _told(visit, name, which, path)
    return Page("output.html", {"id": name, "path": path, "text": text, "why": why, "which": which, "running": state == "RUNNING",
        "waiting": state == "PENDING", "cut": READ // 1024 if len(text.encode()) >= READ - 4 else 0})


def _tail(visit: Visit, path: str) -> tuple[str, str]:
    """The end of a file, or why it cannot be shown.

    Files are read only for slurmrestd's own user, who is at the other end: for others this process has no rights of theirs.
    """
    if not path:
        return "", "This job writes no such file."
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        return "", f"{path}: {error.strerror}"
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return "", f"{path} is no ordinary file."
        file.seek(max(0, found.st_size - READ))
        return readable(file.read(READ).decode("utf-8", "replace")), ""


def _told(visit: Visit, name: str, which: str, path: str) -> tuple[str, str]:
    """The end of a file as the job's node reads it, or why it cannot be shown."""
    try:
        found = visit.doors.cluster.output(name, which)
        if found.size > len(found.data):
            found = visit.doors.cluster.output(name, which, max(0, found.size - READ))
    except SlurmError as error:
        return "", "; ".join([f"It lies in {path}" if path else "It cannot be read", *error.lines()])
    return readable(found.data.decode("utf-8", "replace")), ""


def readable(text: str) -> str:
    """What a terminal would leave standing: no colours, of a line that was written over its last state, no control characters."""
    return _NEITHER.sub("\N{REPLACEMENT CHARACTER}", _RETURNS.sub("", _COLOURS.sub("", text.replace("\r\n", "\n"))).replace("\r", ""))


def script(visit: Visit) -> Page:
    """GET /job/ID/script."""
    return Page("script.html", _script(visit, _named(visit)))


def _script(visit: Visit, name: str) -> dict[str, str]:
    try:
        return {"text": visit.doors.cluster.script(name), "why": ""}
    except SlurmError as error:
        return {"text": "", "why": "; ".join([error.message, *error.hints])}


def details(visit: Visit) -> Page:
    """GET /job/ID/details: what `scontrol show job` prints."""
    return Page("script.html", {"text": visit.doors.cluster.text("job", [_named(visit)], detail=True), "why": ""})


def used(visit: Visit) -> Page:
    """GET /job/ID/efficiency: what of its CPUs, memory and GPUs it used, as accounting knows it by now."""
    try:
        row = _row(visit, _named(visit))
        row = _with_present(visit, row) if row.job.state is JobState.RUNNING else row
    except SlurmError as error:
        return Page("efficiency.html", {"shares": [], "steps": [], "why": "; ".join([error.message, *error.hints])})
    return Page("efficiency.html", {"shares": _shares(row, visit.now), "steps": row.steps, "why": ""})


def _with_present(visit: Visit, row: JobRow) -> JobRow:
    """The record of a running job, with what its steps use now where the user may know that."""
    try:
        found = {one.step.rpartition(".")[2]: one.usage for one in visit.doors.usage(accounting_entry.job_id(row.job))}
    except SlurmError:  # it is another's, or has just ended: what is recorded is shown
        return row
    steps = [step if step.usage is not None else msgspec.structs.replace(step, usage=found.get(step_name(step.step))) for step in row.steps]
    return msgspec.structs.replace(row, steps=steps)


def _shares(row: JobRow, now: float) -> list[tuple[str, float | None, str]]:
    """(what, percent, words) of everything that it held."""
    found = efficiency.of(row, now)
    cpu, memory, gpu = found.cpu, found.memory, found.gpu
    rows: list[tuple[str, float | None, str]] = []
    if cpu.held:
        rows.append(("CPU time", cpu.percent, "not measured yet" if cpu.used is None
            else f"{duration.show(cpu.used)} of {duration.show(cpu.held)}"))
    if memory.held:
        rows.append(("Memory", memory.percent, "not measured yet" if memory.used is None
            else f"{efficiency_text.size(memory.used)} of {efficiency_text.size(memory.held)}"))
    if gpu.held:
        rows.append(("GPU time", gpu.percent, "not measured yet" if gpu.used is None
            else f"{duration.show(gpu.used)} of {duration.show(gpu.held)}"))
    return rows


def relatives(visit: Visit) -> Page:
    """GET /job/ID/relatives: the jobs that it waits for, and those that wait for it."""
    name = _named(visit)
    cluster = visit.doors.cluster
    rows = cluster.jobs(["JobArrayIdBare", "Name", "State", "Dependency"], JobFilter(states=["pending"])).rows
    mine = [row for row in rows if row[0].partition("_[")[0] == name]
    before = [(word, job) for row in mine for word, job in _CLAUSE.findall(row[3])]
    number = name.partition("_")[0]
    after = [(word, row) for row in rows for word, job in _CLAUSE.findall(row[3]) if job in (name, number) or job == f"{number}_*"]
    if not before and not after:
        return Page("relatives.html", {"picture": "", "more": 0})
    points = [charts.Point(name, 1, f"{name} this job", "here")]
    points += [_point(visit, job) for job in dict.fromkeys(job for _, job in before[:MOST_RELATIVES])]
    points += [charts.Point(row[0], 2, f"{row[0]} {row[1]}", kind(row[2]), _place(row[0])) for _, row in after[:MOST_RELATIVES]]
    arrows = [*((job, name, word) for word, job in before), *((name, row[0], word) for word, row in after)]
    return Page("relatives.html", {
        "picture": charts.graph(list({point.key: point for point in points}.values()), arrows, "What it waits for, and what waits for it"),
        "more": max(0, len(before) - MOST_RELATIVES) + max(0, len(after) - MOST_RELATIVES)})


def _point(visit: Visit, job: str) -> charts.Point:
    found = _present(visit, job.removesuffix("_*"))
    label, state = (found[0]["name"], found[0]["job_state"][0]) if found else ("", "")
    return charts.Point(job, 0, f"{job} {label}", kind(state) if state else "off", _place(job))


def _place(job: str) -> str:
    return f"/job/{quote(job.partition('_[')[0].removesuffix('_*'))}"
