"""What there is to say of a job that has ended: how, what it was allowed, and what to change before it is submitted again."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from slurm.model.explanation import Explanation
from slurm.model.job import Job
from slurm.model.states import JobState, Reason
from slurm.notation import duration, exitstatus, moment, size
from slurm.sched.resubmission import again, texts_of

_OF_CODE = {
    126: ("a command of its script is there and cannot be executed", "chmod +x that file, and look at its first line"),
    127: ("a command of its script was not found",
    "name the command by its whole path, or load the module or environment that has it within the script: PATH is that of sbatch"),
}
"""Exit codes that a shell gives, what they mean, what helps."""
_OF_SIGNAL = {
    6: "it aborted itself: its own last lines say why",
    7: "bus error: a file it had mapped was cut short, or its node's shared memory is full",
    9: "SIGKILL: by the kernel when memory was short, by an operator, or because its slurmstepd was killed",
    11: "segmentation fault: an error in the program, or a stack limit (ulimit -s)",
    15: "SIGTERM: somebody or something asked it to end", 24: "its limit of processor time (ulimit -t)",
    25: "its limit of file size (ulimit -f)",
}
_SHELL_SIGNALS = 128
"""A shell whose command was ended by signal N exits with 128 + N."""


def tell(found: Explanation, job: Job, fits: Callable[[int], bool], script: str = "") -> None:
    """Complete the explanation of a job that has ended; `fits` says whether its partition lets a job have so many seconds.

    `script` is its batch script, "" where that is not known.
    """
    ended = f"it ended at {moment.show(job.end_time)}"
    ran = duration.show(max(0.0, job.end_time - job.start_time)) if job.start_time else ""
    if ran:
        found.evidence.append(("it ran for", ran + (f" on {found.nodes}" if found.nodes else "")))
    why = job.reason_text
    match job.state:
        case JobState.CANCELLED:
            found.sentence = ended
        case JobState.TIMEOUT if job.reason not in (Reason.TIME_LIMIT, Reason.NONE):
            found.sentence = f"{ended}, when its account or QOS had used up what it may use ({job.reason})"
            found.advice = [f"sshare -l -A {job.request.account or 'ACCOUNT'} shows what is used up",
                "an operator raises the limit or sets usage back (sacctmgr modify)"]
        case JobState.TIMEOUT:
            limit = duration.show(job.time_limit)
            found.sentence = f"{ended}, when its time limit of {limit} was over"
            longer = duration.show(2 * job.time_limit)
            found.advice = [f"ask for more time, such as --time={longer}" if fits(2 * job.time_limit)
                else f"partition {job.partition} allows no more than that: choose another one",
                            "let it write what it has now and then, with --signal=B:USR1@300 as the last call"]
        case JobState.OUT_OF_MEMORY:
            found.sentence = f"{ended}: it held more memory than it may" + (f": {why}" if why else "")
            _tell_memory(found, job)
        case JobState.NODE_FAIL:
            found.sentence = f"{ended}: a node it was on failed" + (f": {why}" if why else "")
            found.advice = ["submit it again; with --requeue that is done for you"]
        case JobState.PREEMPTED:
            found.sentence = f"{ended}: it gave way to a job that comes first"
            found.advice = ["submit it with --requeue and write what it has now and then: then it runs again by itself where jobs are "
                            "requeued",
                            "a QOS or partition to which nobody may be preferred costs more or starts later (sacctmgr show qos, scontrol "
                            "show partition)"]
        case JobState.FAILED:
            _tell_failure(found, job, ended)
        case _:
            found.sentence = ended + (f": {why}" if why else "")
    if job.state is not JobState.COMPLETED:
        found.again = again(job.request.submit_line, job.request.work_dir, _more(job, fits), texts_of(job, script))


def _more(job: Job, fits: Callable[[int], bool]) -> dict[str, str]:
    """Options that ask for more of what it had too little of."""
    if job.state is JobState.TIMEOUT and job.reason in (Reason.TIME_LIMIT, Reason.NONE) and fits(2 * job.time_limit):
        return {"time": duration.show(2 * job.time_limit)}
    if job.state is JobState.OUT_OF_MEMORY:
        request = job.request
        limit = _limit(job)
        # Of a share of more than one CPU or GPU each gets its part of what would have done.
        times = 2 * max(1.0, job.memory_peak / limit) if limit else 2.0
        if request.mem_per_cpu:
            return {"mem-per-cpu": size.show_mb(ceil(times * request.mem_per_cpu))}
        if request.mem_per_gpu:
            return {"mem-per-gpu": size.show_mb(ceil(times * request.mem_per_gpu))}
        return {"mem": size.show_mb(ceil(times * limit))} if limit else {}
    return {}


def _limit(job: Job) -> int:
    """MB that it might hold on a node, 0: not known."""
    return max((share.memory for share in job.allocation.shares), default=0) if job.allocation is not None else 0


def _tell_memory(found: Explanation, job: Job) -> None:
    limit = _limit(job)
    if limit:
        found.evidence.append(("memory that it might hold on a node", size.show_mb(limit)))
        if job.memory_peak:
            found.evidence.append(("memory that it was seen to hold", size.show_mb(job.memory_peak)))
        found.advice = [f"ask for more memory, such as --mem={size.show_mb(2 * max(limit, job.memory_peak))}, or more nodes with less "
                        f"on each"]
    else:
        found.advice = ["ask for more memory (--mem, --mem-per-cpu)"]


def _tell_failure(found: Explanation, job: Job, ended: str) -> None:
    status = exitstatus.from_wait(job.exit_status)
    code, number = status.code, status.signal
    why = job.reason_text
    if why:
        found.sentence = f"{ended}: {why}"
        if "bad interpreter" in why:
            found.advice = ["correct the first line of the script (#!…): that program must be on the node; a script from Windows ends its "
                            "lines with \\r, which dos2unix removes"]
        elif code in _OF_CODE:
            found.advice = [_OF_CODE[code][1]]
        return
    if number or code > _SHELL_SIGNALS:
        signal = number or code - _SHELL_SIGNALS
        meaning = _OF_SIGNAL.get(signal, "")
        what = "it was ended" if number else "the last command of its script was ended"
        found.sentence = f"{ended}: {what} by signal {signal}" + (f", {meaning}" if meaning else "")
        if signal == 9:
            found.advice = ["if memory was short: ask for more (--mem), and let it hold less at once"]
        return
    meaning, helps = _OF_CODE.get(code, ("", ""))
    found.sentence = f"{ended} with exit status {code}" + (f": {meaning}" if meaning else ", which is its own script's")
    found.advice = [helps] if helps else []

