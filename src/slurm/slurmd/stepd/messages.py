"""The lines that a step writes into its error file or to srun, exactly as Slurm words them."""

from __future__ import annotations

import os
import time

from slurm.notation import exitstatus
from slurm.slurmd.stepd.folder import StepRecord

ENDINGS = {
    "cancelled": "DUE to SIGNAL Terminated",
    "timeout": "DUE TO TIME LIMIT",
    "preempted": "DUE TO PREEMPTION",
    "node_fail": "DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS",
    "requeue": "DUE TO JOB REQUEUE",
    "task_failure": "DUE TO TASK FAILURE",
    "deadline": "DUE TO DEADLINE",
    "lease": "DUE TO FENCE_TIMEOUT: NOTHING WAS HEARD OF SLURMCTLD",
}
"""Why something is ended (core.effects.Terminate.why) → Slurm's words for it. An empty reason says nothing."""


def ended_from_outside(record: StepRecord, why: str, at: float, now: float) -> str:
    """`*** JOB 122 ON cn01 CANCELLED AT 2026-11-21T00:44:44 DUE TO TIME LIMIT ***`, or "" when `why` is empty."""
    if not why:
        return ""
    return _cancelled(record, ENDINGS.get(why, f"DUE TO {why.upper()}"), at, now)


def over_memory(record: StepRecord, used: int, now: float) -> str:
    """What Slurm says of a step that holds more memory (bytes) than it may, and what to do about it."""
    limit = record.memory << 20
    return "".join(error(text, now) for text in (
        f"StepId={record.key.shown} exceeded memory limit ({used} > {limit}), being killed", "Exceeded job memory limit",
        f"it held {-(-used >> 20)}M, its limit on this node is {record.memory}M: ask for more with --mem or --mem-per-cpu"))


def killed_for_memory(record: StepRecord, count: int, now: float) -> str:
    """What Slurm says of a step of which the kernel killed so many processes for memory, and what to do about it."""
    lines = [f"Detected {count} oom_kill event{'s' if count > 1 else ''} in StepId={record.key.shown}. Some of the step tasks have been "
             "OOM Killed."]
    if record.memory:
        lines.append(f"its limit on this node is {record.memory}M: ask for more with --mem or --mem-per-cpu")
    return "".join(error(text, now) for text in lines)


def signalled(record: StepRecord, number: int, now: float) -> str:
    """The same for a signal that ends processes."""
    return _cancelled(record, f"DUE to SIGNAL {exitstatus.signal_words(number)}", now, now)


def _cancelled(record: StepRecord, reason: str, at: float, now: float) -> str:
    what = f"JOB {record.job}" if record.is_batch else f"STEP {record.job}.{record.step}"
    return error(f"*** {what} ON {record.node} CANCELLED AT {_stamp(at or now)} {reason} ***", now)


def error(text: str, now: float) -> str:
    """`[2026-11-21T00:44:44.367] error: TEXT` and a newline."""
    return f"[{_stamp(now)}.{int(now * 1000) % 1000:03d}] error: {text}\n"


def text_of(line: str) -> str:
    """The text of a line that `error` made."""
    return line.partition("] error: ")[2].rstrip("\n")


def no_exec(name: str, failure: OSError, now: float, interpreter: str = "") -> str:
    """What a task says that cannot become its program; `interpreter`: what the first line of the file names, when it is that which is
    missing."""
    if interpreter:
        return error(f"execve(): bad interpreter({interpreter}): {os.strerror(failure.errno or 0)}", now)
    return error(f"execve(): {name}: {os.strerror(failure.errno or 0)}", now)


def no_work_dir(path: str, failure: OSError, now: float) -> str:
    """What a task says whose working directory cannot be entered."""
    return error(f"couldn't chdir to `{path}': {os.strerror(failure.errno or 0)}: going to /tmp instead", now)


def _stamp(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))
