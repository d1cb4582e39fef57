"""What jobs wrote down themselves, and whether it can be true of a cluster that keeps its promises. Pure: texts in, sentences out.

Each line of a job's file is `UPTIME WHAT JOB RESTARTS STEP TASK HOST VALUE`. UPTIME is the kernel's, the same for all machines of namespaces and nobody's to set; WHAT is
`begin` and `end` of a script (step -) or of a task of a step, `alive` five times a second, `srun` with srun's exit status as VALUE.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

SCRIPT = "-"
FAULT_SECONDS = 15.0
"""So long after a fault its consequences may show."""


class Line(NamedTuple):
    """One thing that a job wrote down; `attempt` is how often it had been requeued."""

    at: float
    what: str
    job: int
    attempt: int
    step: str
    task: str
    host: str
    value: str


class Wanted(NamedTuple):
    """One submission that was acknowledged (`job` > 0), or of which nobody knows (0): its file, the exit code of each task of it, and what it waits for."""

    key: str
    job: int
    codes: Mapping[int, int]  # array task (0: no array) → exit code
    requeue: bool = True
    after: str = ""  # key of the submission that must have succeeded, "" for none


class Ended(NamedTuple):
    """A job as the controller knows it at the end: its state, its exit code and the signal, "code:signal", its nodes."""

    state: str
    exit_code: str
    nodes: Sequence[str] = ()


class Fault(NamedTuple):
    """What was done to which machine, from when to when (uptime). `lethal`: processes of jobs may end by it."""

    name: str
    machine: str
    began: float
    ended: float
    lethal: bool


def read(text: str) -> list[Line]:
    """The lines of a job's file; a line that a kill cut short is left out."""
    found = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) == 8:
            found.append(Line(float(words[0]), words[1], int(words[2]), int(words[3]), words[4], words[5], words[6], words[7]))
    return found


def judge(wanted: Iterable[Wanted], lines: Mapping[str, Sequence[Line]], ended: Mapping[tuple[int, int], Ended], faults: Sequence[Fault]) -> dict[str, list[str]]:
    """Promise → the sentences that break it. `ended` is by (job, array task or 0), `lines` by (key, and for arrays key.task)."""
    broken: dict[str, list[str]] = {name: [] for name in PROMISES}
    listed = list(wanted)
    codes = {submission.key: submission for submission in listed}
    for submission in listed:
        for task in submission.codes:
            name = f"{submission.key}.{task}" if task else submission.key
            seen = sorted(lines.get(name, ()))
            told = ended.get((submission.job, task)) if submission.job else None
            broken[TWICE] += [f"{name}: {why}" for why in _twice(seen)]
            broken[TOGETHER] += [f"{name}: {why}" for why in _together(seen)]
            if submission.job and told is None:
                broken[LOST].append(f"{name}: job {submission.job} was acknowledged, and the controller does not know it")
            elif told is not None:
                why = _unfinished(told) or _false_end(submission, task, told, seen, faults, codes, ended)
                if why:
                    broken[LOST if _unfinished(told) else WRONG].append(f"{name}: job {submission.job} {why}")
    return broken


LOST = "acknowledged jobs lost"
TWICE = "attempts that ran twice"
TOGETHER = "jobs of which two attempts ran at the same time"
WRONG = "ends that were told wrongly"
PROMISES = (LOST, TWICE, TOGETHER, WRONG)


def _twice(seen: Sequence[Line]) -> list[str]:
    counted: dict[tuple[int, int, str, str], int] = defaultdict(int)
    for line in seen:
        if line.what == "begin":
            counted[line.job, line.attempt, line.step, line.task] += 1
    told = [f"attempt {attempt} of job {job}, step {step}, task {task} began {count} times" for (job, attempt, step, task), count in counted.items() if count > 1]
    jobs = sorted({line.job for line in seen})
    return told + ([f"one submission became the jobs {jobs}"] if len(jobs) > 1 else [])


def _together(seen: Sequence[Line]) -> list[str]:
    began: dict[int, float] = {}
    last: dict[int, Line] = {}
    for line in seen:
        if line.what == "begin":
            began.setdefault(line.attempt, line.at)
        last[line.attempt] = line
    return [f"attempt {earlier} was alive on {last[earlier].host} at {last[earlier].at:.2f}, and attempt {later} began at {began[later]:.2f}"
            for later in began for earlier in last if earlier < later and last[earlier].at > began[later]]


def _unfinished(told: Ended) -> str:
    return "" if told.state in _OVER else f"is {told.state} although everything was mended long ago"


_OVER = {"COMPLETED", "FAILED", "NODE_FAIL", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "PREEMPTED", "BOOT_FAIL", "DEADLINE"}


def _false_end(submission: Wanted, task: int, told: Ended, seen: Sequence[Line], faults: Sequence[Fault], codes: Mapping[str, Wanted],
               ended: Mapping[tuple[int, int], Ended]) -> str:
    """Why the state that was told does not fit what the job wrote, "" when it does."""
    if told.state == "CANCELLED":
        first = codes.get(submission.after)
        if first is None or seen:
            return "is CANCELLED and nobody cancelled it"
        states = {ended[key].state for key in ((first.job, each) for each in first.codes) if key in ended}
        return "" if states != {"COMPLETED"} else f"is CANCELLED although {submission.after} succeeded"
    attempt = max((line.attempt for line in seen), default=-1)
    own = [line for line in seen if line.attempt == attempt and line.step == SCRIPT]
    finish = next((line for line in own if line.what == "end"), None)
    code, _, signal = told.exit_code.partition(":")
    if finish is not None and (told.state, code, signal) == (("FAILED" if submission.codes[task] else "COMPLETED"), str(submission.codes[task]), "0"):
        return ""
    said = f"is {told.state} {told.exit_code}"
    if told.state in ("COMPLETED", "FAILED") and finish is None and not signal.strip("0") and told.state == "COMPLETED":
        return f"{said}, and its script did not come to its end"
    # What killed its processes, or the node that would have told of its end, must be among the faults.
    hosts = {line.host for line in own} or set(told.nodes)
    since = own[0].at if own else 0.0
    until = (finish or own[-1]).at if own else float("inf")
    if any(fault.lethal and fault.machine in hosts and fault.began <= until + FAULT_SECONDS and fault.ended + FAULT_SECONDS >= since for fault in faults):
        return ""
    return f"{said}, and should be {submission.codes[task]}:0; nothing was done to {','.join(sorted(hosts)) or 'any node of it'} that explains it"
