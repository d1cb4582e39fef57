"""--test-only of sbatch and srun: when would this job start? Submits nothing."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.commands.shell import Message, Shell
from slurm.commands.submission import submit_prefix
from slurm.model.errors import SlurmError, Unsupported


def tell_start(shell: Shell, requests: Sequence[Message]) -> int:
    """Asks slurmctld when and where a job of this JobRequest would start, says it on standard error, and returns the exit status."""
    request, *others = requests
    if others:
        raise Unsupported(message="--test-only of a heterogeneous job is not supported by slurm-py yet", hints=[
            "submit it with --hold, and let `squeue --start` tell after `scontrol release`"])
    try:
        reply = shell.channel().call({"type": "TestJob", "request": request})
    except SlurmError as failure:
        shell.report(failure, submit_prefix(failure, "allocation failure: "))
        return shell.failure_code(1)
    start = reply["start"]
    if not isinstance(start, int | float) or start <= 0:
        shell.say(f"Job {reply['job_id']} has no start within the time the scheduler plans ahead")
        return 0
    from slurm.notation import moment

    shell.say(
        f"Job {reply['job_id']} to start at {moment.show(start)} a using {reply['processors']} processors on nodes {reply['nodes']} "
        f"in partition {reply['partition']}"
    )
    return 0
